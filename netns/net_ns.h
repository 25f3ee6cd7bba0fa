// A pod's network namespace, pinned by a bind mount on a file.
//
// Ownership: a handle, not an owner. Dropping it leaves the namespace alive, so
//            a restart of the daemon never cuts a pod off. Only Remove() ends it.
// Threads:   immutable after Create. Create unshares on a thread of its own,
//            because unshare(CLONE_NEWNET) moves the calling thread.
// Errors:    AlreadyExists and InvalidArgument as noted; all others carry errno.
// Crash:     a file without its mount, as a crash or a reboot leaves it, is taken
//            over by the next Create and deleted by Remove.
//
// The mount inherits the propagation of the mount it stands on, as every runtime's
// does: agents that look into the directory from their own mount namespace see
// namespaces come and go, and none stays pinned by a copy.
#ifndef CRISP_NETNS_NET_NS_H_
#define CRISP_NETNS_NET_NS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::netns {

class NetNs {
 public:
  // Makes the namespace of `sandbox_id` with its loopback device up, pinned in
  // `dir`, which is made if absent. AlreadyExists if one is pinned there. With `from`, a
  // path to a network namespace, it is that one.
  static absl::StatusOr<NetNs> Create(const std::string& dir, const std::string& sandbox_id,
                                      const std::string& from = "");

  // Where Create pins the namespace of `sandbox_id`.
  static std::string PathFor(const std::string& dir, const std::string& sandbox_id);

  // Unmounts and deletes the file at `path`. OK if it is gone, or if somebody
  // else has unmounted it already.
  static absl::Status Remove(const std::string& path);

  // Whether a network namespace is pinned at `path` now.
  static bool IsPinned(const std::string& path);

  const std::string& path() const { return path_; }

 private:
  explicit NetNs(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_NET_NS_H_
