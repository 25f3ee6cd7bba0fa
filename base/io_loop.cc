#include "base/io_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp {
namespace {

constexpr uint64_t kWakeId = 0;
constexpr int kMaxEvents = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<IoLoop>> IoLoop::Create() {
  CRISP_ASSIGN_OR_RETURN(UniqueFd epoll,
                         SysFd("epoll_create", [] { return ::epoll_create1(EPOLL_CLOEXEC); }));
  CRISP_ASSIGN_OR_RETURN(UniqueFd wake,
                         SysFd("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeId}};
  CRISP_RETURN_IF_ERROR(Sys(
      "epoll_ctl", [&] { return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event); }));
  std::unique_ptr<IoLoop> loop(new IoLoop(std::move(epoll), std::move(wake)));
  loop->thread_ = std::thread([raw = loop.get()] { raw->Run(); });
  return loop;
}

IoLoop::~IoLoop() { Stop(); }

void IoLoop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  // What they hold may call back here when it dies, so not under the lock.
  std::deque<std::function<void()>> posted;
  std::multimap<absl::Duration, std::function<void()>> timers;
  absl::MutexLock lock(&mu_);
  posted.swap(posted_);
  timers.swap(timers_);
}

absl::StatusOr<uint64_t> IoLoop::Watch(int fd, Handler handler, uint32_t events) {
  absl::MutexLock lock(&mu_);
  const uint64_t id = next_id_++;
  epoll_event event{.events = events, .data = {.u64 = id}};
  CRISP_RETURN_IF_ERROR(
      Sys("epoll_ctl", [&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event); }));
  watched_[id] = std::make_shared<Watched>(Watched{fd, std::move(handler)});
  return id;
}

void IoLoop::Unwatch(uint64_t id) {
  std::shared_ptr<Watched> watched;  // Destroyed after the lock.
  absl::MutexLock lock(&mu_);
  auto it = watched_.find(id);
  if (it != watched_.end()) {
    watched = std::move(it->second);
    watched_.erase(it);
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched->fd, nullptr);
  }
  if (std::this_thread::get_id() == thread_.get_id()) return;
  auto idle = [this, id]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return running_ != id; };
  mu_.Await(absl::Condition(&idle));
}

void IoLoop::Post(std::function<void()> function) {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    posted_.push_back(std::move(function));
  }
  Wake();
}

void IoLoop::PostAfter(absl::Duration delay, std::function<void()> function) {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    timers_.emplace(Clock::Real()->Steady() + delay, std::move(function));
  }
  Wake();
}

void IoLoop::Wake() {
  const uint64_t one = 1;
  // EAGAIN: the counter is full, so the loop is awake anyhow.
  (void)!::write(wake_.get(), &one, sizeof(one));
}

void IoLoop::Run() {
  epoll_event events[kMaxEvents];
  while (true) {
    const int timeout_ms = RunDue();
    {
      absl::MutexLock lock(&mu_);
      if (stopped_) return;
    }
    const int n = ::epoll_wait(epoll_.get(), events, kMaxEvents, timeout_ms);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 == kWakeId) {
        uint64_t count;
        (void)!::read(wake_.get(), &count, sizeof(count));
      } else {
        Dispatch(events[i].data.u64);
      }
    }
  }
}

void IoLoop::Dispatch(uint64_t id) {
  std::shared_ptr<Watched> watched;
  {
    absl::MutexLock lock(&mu_);
    auto it = watched_.find(id);
    if (it == watched_.end()) return;  // Unwatched since epoll_wait.
    watched = it->second;
    running_ = id;
  }
  watched->handler(id);
  watched.reset();  // What an unwatched handler holds dies before Unwatch returns.
  absl::MutexLock lock(&mu_);
  running_ = 0;
}

int IoLoop::RunDue() {
  while (true) {
    std::function<void()> function;
    {
      absl::MutexLock lock(&mu_);
      if (stopped_) return 0;
      if (!posted_.empty()) {
        function = std::move(posted_.front());
        posted_.pop_front();
      } else if (timers_.empty()) {
        return -1;
      } else {
        const absl::Duration left = timers_.begin()->first - Clock::Real()->Steady();
        if (left > absl::ZeroDuration()) {
          // Rounded up: a millisecond late, never in a spin.
          return static_cast<int>(
              std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60 * 60 * 1000));
        }
        function = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
      }
    }
    function();
  }
}

}  // namespace crisp
