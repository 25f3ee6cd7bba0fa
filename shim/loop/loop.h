// The shim's one thread: waits for descriptors and timers and calls who asked.
//
// Ownership: borrows the descriptors it watches: Unwatch before closing one.
// Threads:   one. Handlers run one at a time from Run, may watch, unwatch and cancel
//            anything, themselves included, and must not block.
// Errors:    errno of epoll_ctl from Watch.
#ifndef CRISP_SHIM_LOOP_LOOP_H_
#define CRISP_SHIM_LOOP_LOOP_H_

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace crisp::shim {

class Loop {
 public:
  using Id = uint64_t;  // Never 0, never used again.
  using Handler = absl::AnyInvocable<void(uint32_t events)>;
  using Function = absl::AnyInvocable<void()>;

  static absl::StatusOr<std::unique_ptr<Loop>> Create();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Level-triggered; `events` as epoll_ctl(2).
  absl::StatusOr<Id> Watch(int fd, uint32_t events, Handler handler);
  absl::Status Rewatch(Id id, uint32_t events);
  // The handler will not run again. Nothing happens for an id that is gone, or 0.
  void Unwatch(Id id);

  Id After(absl::Duration delay, Function function);
  void Cancel(Id timer);
  // Runs `function` once what is under way has returned.
  void Post(Function function) { (void)After(absl::ZeroDuration(), std::move(function)); }

  // Called when nothing has happened for a moment after something did: the time to
  // give memory back.
  void OnIdle(Function function) { idle_.push_back(std::move(function)); }

  // A buffer for reads, valid until the handler returns.
  absl::Span<char> scratch();

  void Run();  // Until Quit.
  void Quit() { quit_ = true; }

 private:
  struct Watched {
    int fd;
    Handler handler;
  };
  struct Timer {
    absl::Duration due;
    Function function;
  };

  explicit Loop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  void RunTimers();
  // For epoll_wait: until the next timer, or until it is time to be idle.
  int WaitMs() const;
  void Idle();

  const UniqueFd epoll_;
  std::map<Id, std::unique_ptr<Watched>> watched_;
  std::map<Id, Timer> timers_;
  std::vector<std::unique_ptr<Watched>> unwatched_;  // Their handlers may still run.
  std::vector<Function> idle_;
  Id next_id_ = 1;
  char* scratch_ = nullptr;  // mmap, so that its pages can be given back.
  bool quit_ = false;
  bool busy_ = false;  // Something happened since we were idle.
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LOOP_LOOP_H_
