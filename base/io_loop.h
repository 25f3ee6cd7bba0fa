// One thread that waits for everything: the streams of all containers, timers, and
// work handed to it.
//
// Ownership: owns its thread. Borrows the descriptors it watches; they stay open
//            until Unwatch returns.
// Threads:   safe. Handlers, timers and posted functions run on the loop's thread,
//            one at a time, and must not block.
// Errors:    errno of epoll_ctl from Watch.
#ifndef CRISP_BASE_IO_LOOP_H_
#define CRISP_BASE_IO_LOOP_H_

#include <sys/epoll.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace crisp {

class IoLoop {
 public:
  static absl::StatusOr<std::unique_ptr<IoLoop>> Create();
  ~IoLoop();  // As Stop.
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // Calls `handler`, with what Watch returns, whenever `fd` has input or its
  // writers are gone; with EPOLLOUT as `events`, whenever it takes output. One watch
  // a descriptor: who wants both at once duplicates it.
  using Handler = std::function<void(uint64_t id)>;
  absl::StatusOr<uint64_t> Watch(int fd, Handler handler, uint32_t events = EPOLLIN);

  // When this returns, the handler neither runs nor will run again, unless it is
  // the handler that calls. Nothing happens for an id that is gone.
  void Unwatch(uint64_t id);

  // Runs `function` on the loop, after `delay`.
  void Post(std::function<void()> function);
  void PostAfter(absl::Duration delay, std::function<void()> function);

  // Ends the thread. What was posted and has not run never does; watches and
  // posts are accepted and forgotten from here on. Not from the loop's thread.
  void Stop();

 private:
  struct Watched {
    int fd;
    Handler handler;
  };

  IoLoop(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  void Run();
  void Dispatch(uint64_t id);
  // Runs what is due; returns how long epoll may wait for the next, in ms.
  int RunDue();
  void Wake();

  const UniqueFd epoll_;
  const UniqueFd wake_;  // An eventfd, id 0.
  std::thread thread_;

  absl::Mutex mu_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<Watched>> watched_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
  std::multimap<absl::Duration, std::function<void()>> timers_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  uint64_t running_ ABSL_GUARDED_BY(mu_) = 0;  // The watch whose handler runs.
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp

#endif  // CRISP_BASE_IO_LOOP_H_
