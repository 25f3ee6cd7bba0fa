#include "shim/main/delete.h"

#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "cgroup/cgroup.h"
#include "cgroup/hierarchies.h"
#include "shim/task/exit_record.h"
#include "shim/task/task_events.h"
#include "shim/task/task_record.h"

namespace crisp::shim {
namespace {

// containerd waits for five seconds.
constexpr absl::Duration kGoneWithin = absl::Seconds(3);
constexpr absl::Duration kPoll = absl::Milliseconds(5);

// By a descriptor: between the check and the signal the number may be used again.
void KillInit(const TaskRecord& record) {
  const UniqueFd init(static_cast<int>(::syscall(SYS_pidfd_open, record.pid, 0)));
  if (!init.ok() || record.start_time == 0 || StartTimeOf(record.pid) != record.start_time) return;
  (void)::syscall(SYS_pidfd_send_signal, init.get(), SIGKILL, nullptr, 0);
}

absl::Status EndCgroup(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const auto hierarchies, cgroup::Hierarchies::Probe());
  const auto cgroup = cgroup::Cgroup::Open(hierarchies, path);
  if (absl::IsNotFound(cgroup.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(cgroup.status());
  const absl::Time deadline = absl::Now() + kGoneWithin;
  while (true) {
    CRISP_RETURN_IF_ERROR(cgroup->Kill(SIGKILL));
    const auto pids = cgroup->Pids();
    if (!pids.ok() || pids->empty() || absl::Now() > deadline) break;
    absl::SleepFor(kPoll);
  }
  return cgroup->Remove();
}

}  // namespace

absl::StatusOr<wire::DeleteResponse> Delete(const Options& options) {
  std::string bundle = options.bundle;
  if (bundle.empty()) {
    char* const here = ::get_current_dir_name();
    if (here == nullptr) return ErrnoStatus(errno, "getcwd");
    bundle = here;
    std::free(here);
  }
  const auto task = ReadTaskRecord(bundle);
  if (task.ok()) {
    KillInit(*task);
    if (!task->cgroup_path.empty()) CRISP_RETURN_IF_ERROR(EndCgroup(task->cgroup_path));
  }
  // Whoever mounted it: the bundle is about to be removed, and what is in it with it.
  const std::string rootfs = JoinPath(bundle, "rootfs");
  while (::umount2(rootfs.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  // Read last: the shim may have written it meanwhile.
  const auto exit = ReadExitRecord(JoinPath(bundle, "exit.json"));
  wire::DeleteResponse response;
  if (exit.ok()) {
    response.set_pid(static_cast<uint32_t>(exit->pid));
    response.set_exit_status(static_cast<uint32_t>(exit->exit_code));
    *response.mutable_exited_at() = ToTimestamp(exit->exited_at);
  } else {
    if (task.ok()) response.set_pid(static_cast<uint32_t>(task->pid));
    response.set_exit_status(128 + SIGKILL);
    *response.mutable_exited_at() = ToTimestamp(absl::Now());
  }
  return response;
}

}  // namespace crisp::shim
