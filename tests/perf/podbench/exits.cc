#include "tests/perf/podbench/exits.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "tests/perf/podbench/pods.h"
#include "tests/perf/podbench/processes.h"

namespace crisp::podbench {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

absl::StatusOr<absl::Duration> KillAndWatch(Target& target, const PodOptions& options) {
  Pods pods(&target);
  CRISP_RETURN_IF_ERROR(pods.Start(options));
  CRISP_ASSIGN_OR_RETURN(const pid_t pid, FindWorkload(pods.serials().front()));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd pidfd,
                         SysFd("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); }));
  CRISP_RETURN_IF_ERROR(Sys("pidfd_send_signal", [&] {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }));
  pollfd ended = {pidfd.get(), POLLIN, 0};
  CRISP_RETURN_IF_ERROR(Sys("poll", [&] { return ::poll(&ended, 1, -1); }));
  const Clock* clock = Clock::Real();
  const absl::Duration end = clock->Steady();
  while (clock->Steady() - end < kTimeout) {
    CRISP_ASSIGN_OR_RETURN(const auto state, target.State(pods.ids().front()));
    if (state == runtime::v1::CONTAINER_EXITED) return clock->Steady() - end;
  }
  return absl::DeadlineExceededError(absl::StrCat(target.name(), ": the exit is not seen"));
}

}  // namespace

absl::StatusOr<std::vector<Samples>> MeasureExits(const Targets& targets, const PodOptions& options,
                                                  int rounds) {
  std::vector<Samples> results(targets.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < targets.size(); ++i) {
      CRISP_ASSIGN_OR_RETURN(const absl::Duration took, KillAndWatch(*targets[i], options));
      results[i].Add(took);
    }
  }
  return results;
}

}  // namespace crisp::podbench
