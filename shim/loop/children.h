// Every child of this process, and every orphan below it, reaped.
//
// The process becomes a subreaper (PR_SET_CHILD_SUBREAPER): what a container leaves
// behind on the host's side comes here. An exit that nobody has asked for yet is kept
// for a while, because a child can end before its parent has told us its pid.
//
// Ownership: Create blocks SIGCHLD for good; a child that executes a program must
//            unblock it.
// Threads:   the loop's.
// Errors:    errno from Create.
#ifndef CRISP_SHIM_LOOP_CHILDREN_H_
#define CRISP_SHIM_LOOP_CHILDREN_H_

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

// How a process ended.
struct ProcessExit {
  int code = 0;  // Exit code, or 128 + signal.
  absl::Time at;
};

class Children {
 public:
  using Handler = absl::AnyInvocable<void(const ProcessExit&)>;

  static absl::StatusOr<std::unique_ptr<Children>> Create(Loop* loop);
  ~Children();

  // Calls `handler` once, from the loop, when `pid` has been reaped.
  void OnExit(pid_t pid, Handler handler);
  // The handler will not run.
  void Forget(pid_t pid);

  // Runs before children are reaped: who still has to learn of one does so now, while its
  // number cannot be used again.
  void BeforeReaping(Loop::Function function) { before_reaping_ = std::move(function); }

 private:
  struct Unclaimed {
    pid_t pid;
    ProcessExit exit;
  };

  Children(Loop* loop, UniqueFd signals) : loop_(loop), signals_(std::move(signals)) {}

  void Reap();

  Loop* const loop_;
  const UniqueFd signals_;
  Loop::Id watch_ = 0;
  Loop::Function before_reaping_;
  std::map<pid_t, Handler> handlers_;
  std::map<pid_t, Handler> ended_;  // Called soon: it had ended before anybody asked.
  std::deque<Unclaimed> unclaimed_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LOOP_CHILDREN_H_
