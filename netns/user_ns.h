// A new user namespace with a network namespace that belongs to it.
//
// A process holds both for as long as this object lives. The network namespace holds its
// owner, so that pinning it (NetNs::Create) or a process that joins both is what
// lets the two outlive the object.
//
// Ownership: owns the process. It ends with the thread that made the object, too: a crashed
//            daemon leaves none.
// Threads:   Create from any; it forks, and the child calls nothing but the kernel. Used and
//            destroyed by the thread that made it.
// Errors:    errno kept: EINVAL for maps that the kernel refuses, ENOSPC when there may be
//            no more user namespaces, EPERM when there may be none.
#ifndef CRISP_NETNS_USER_NS_H_
#define CRISP_NETNS_USER_NS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::netns {

struct IdRange {
  uint32_t inside = 0;
  uint32_t outside = 0;
  uint32_t count = 0;
};

struct IdMaps {
  std::vector<IdRange> uids;
  std::vector<IdRange> gids;
};

class UserNs {
 public:
  static absl::StatusOr<UserNs> Create(const IdMaps& maps);
  UserNs(UserNs&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  UserNs& operator=(UserNs&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~UserNs();

  std::string user_path() const;  // "/proc/<pid>/ns/user"
  std::string net_path() const;

  // The user namespace itself, for idmapped mounts.
  absl::StatusOr<UniqueFd> OpenUser() const;

 private:
  explicit UserNs(pid_t pid) : pid_(pid) {}

  pid_t pid_ = 0;  // A child that nobody else reaps; 0: moved away.
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_USER_NS_H_
