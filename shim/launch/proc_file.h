// Files of procfs, written through a procfs that nothing is mounted over: what a
// container's image or volumes put in place of /proc cannot catch what is meant for the
// kernel.
//
// Ownership: a PrivateProc owns a detached procfs of the namespaces it was made in.
// Threads:   single-threaded.
// Errors:    errno kept, naming the file.
#ifndef CRISP_SHIM_LAUNCH_PROC_FILE_H_
#define CRISP_SHIM_LAUNCH_PROC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::shim {

class PrivateProc {
 public:
  static absl::StatusOr<PrivateProc> Make();

  // `path` is relative: "self/attr/exec", "sys/net/ipv4/ip_forward".
  absl::StatusOr<std::string> Read(const std::string& path) const;
  absl::Status Write(const std::string& path, absl::string_view data) const;

 private:
  explicit PrivateProc(UniqueFd root) : root_(std::move(root)) {}
  absl::StatusOr<UniqueFd> Open(const std::string& path, int flags) const;

  UniqueFd root_;
};

// The host's /proc, for a process that is in the host's mount namespace. `path` is
// relative to /proc.
absl::StatusOr<UniqueFd> OpenHostProc(const std::string& path, int flags);
absl::Status WriteHostProc(const std::string& path, absl::string_view data);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_PROC_FILE_H_
