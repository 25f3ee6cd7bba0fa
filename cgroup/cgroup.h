// A container's cgroup, in whatever hierarchies the host has: one cgroup v2 tree, the
// v1 controllers, or both beside each other (hybrid).
//
// Ownership: a handle, not an owner: dropping it leaves the cgroup. Only Remove ends it.
// Threads:   a value; const methods may run beside each other.
// Errors:    errno kept, naming the file below the hierarchy. InvalidArgument names
//            the field of the OCI resources; FailedPrecondition a controller that the
//            host lacks, if the resources need it.
// Crash:     cgroups stay. Open finds one again by its path.
#ifndef CRISP_CGROUP_CGROUP_H_
#define CRISP_CGROUP_CGROUP_H_

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "cgroup/hierarchies.h"
#include "cgroup/resources.h"
#include "cgroup/stats.h"

namespace crisp::cgroup {

class Cgroup {
 public:
  // Makes the cgroup with its parents in every hierarchy and applies `resources`
  // before any process is in it. `path` is absolute, from the root of the hierarchies
  // ("/kubepods/pod1/<id>"); no "." or "..". A cgroup that exists without processes
  // is taken over; with processes it is AlreadyExists. On failure nothing made by
  // this call is left.
  static absl::StatusOr<Cgroup> Create(const Hierarchies& hosts, const std::string& path,
                                       const Resources& resources);

  // NotFound if no hierarchy has it.
  static absl::StatusOr<Cgroup> Open(const Hierarchies& hosts, const std::string& path);

  const std::string& path() const { return path_; }

  // For clone3(CLONE_INTO_CGROUP): the directory in the cgroup v2 tree (also the
  // controllerless one of a hybrid host), or none with v1 alone.
  absl::StatusOr<UniqueFd> OpenUnified() const;

  // The cgroup of the v2 tree that the process is in: this one, or one below it that the
  // container has made. NotFound if it is elsewhere or gone.
  absl::StatusOr<Cgroup> HomeOf(pid_t pid) const;

  // The calling process, single-threaded, joins: "0" to each v1 `tasks` file (one
  // thread moves without the kernel's global lock) and, unless `unified_joined`, to
  // cgroup.procs. Async-signal-safe it is not; it allocates.
  absl::Status JoinSelf(bool unified_joined) const;

  // All or nothing: a value that the kernel refuses puts back those already written.
  absl::Status Update(const Resources& resources) const;

  absl::Status Freeze() const;
  absl::Status Thaw() const;
  absl::StatusOr<bool> Frozen() const;

  // Signals every process, those in sub-cgroups too. SIGKILL goes through cgroup.kill
  // where there is a cgroup v2 tree, and reaches a frozen cgroup. OK if there are none.
  absl::Status Kill(int signal) const;

  // Host pids, sub-cgroups included.
  absl::StatusOr<std::vector<pid_t>> Pids() const;

  absl::StatusOr<Stats> ReadStats() const;

  // OOM kills of the cgroup and those below; 0 where nobody counts them.
  absl::StatusOr<uint64_t> OomKills() const;

  // A non-blocking descriptor; EPOLLIN means that OomKills has grown or is about to:
  // v1 (an eventfd) tells of an OOM as it begins, v2 (an inotify watch of
  // memory.events) of each count. Read it, 4 KiB at a time, until EAGAIN.
  absl::StatusOr<UniqueFd> WatchOom() const;

  // Removes it and the cgroups below it from every hierarchy, trying again for a
  // moment while dying processes keep it busy. OK if it is gone. An errno of EBUSY
  // when processes remain.
  absl::Status Remove() const;

 private:
  absl::Status SignalFrozen(int signal) const;

  Cgroup(Hierarchies hosts, std::string path) : hosts_(std::move(hosts)), path_(std::move(path)) {}

  Hierarchies hosts_;
  std::string path_;
};

// The directories that hold cgroups, for who made them for others: `path` as in Create.

// Removes the cgroup and those below it from every hierarchy, as far as they have no
// process.
void RemoveEmpty(const Hierarchies& hosts, const std::string& path);

// Names of the cgroups right below it, in whichever hierarchy.
std::set<std::string> ChildrenOf(const Hierarchies& hosts, const std::string& path);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_CGROUP_H_
