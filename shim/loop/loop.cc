#include "shim/loop/loop.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <limits>

#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr size_t kScratchBytes = 256 << 10;
constexpr int kIdleAfterMs = 100;

absl::Duration Now() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loop>> Loop::Create() {
  CRISP_ASSIGN_OR_RETURN(UniqueFd epoll,
                         SysFd("epoll_create1", [] { return ::epoll_create1(EPOLL_CLOEXEC); }));
  return std::unique_ptr<Loop>(new Loop(std::move(epoll)));
}

Loop::~Loop() {
  if (scratch_ != nullptr) ::munmap(scratch_, kScratchBytes);
}

absl::StatusOr<Loop::Id> Loop::Watch(int fd, uint32_t events, Handler handler) {
  const Id id = next_id_++;
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  CRISP_RETURN_IF_ERROR(
      Sys("epoll_ctl add", [&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event); }));
  watched_[id] = std::make_unique<Watched>(Watched{fd, std::move(handler)});
  return id;
}

absl::Status Loop::Rewatch(Id id, uint32_t events) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return absl::OkStatus();
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  return Sys("epoll_ctl mod",
             [&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, &event); });
}

void Loop::Unwatch(Id id) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  unwatched_.push_back(std::move(found->second));
  watched_.erase(found);
}

Loop::Id Loop::After(absl::Duration delay, Function function) {
  const Id id = next_id_++;
  timers_[id] = Timer{Now() + delay, std::move(function)};
  return id;
}

void Loop::Cancel(Id timer) { timers_.erase(timer); }

absl::Span<char> Loop::scratch() {
  if (scratch_ == nullptr) {
    void* const mapped =
        ::mmap(nullptr, kScratchBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return {};
    scratch_ = static_cast<char*>(mapped);
  }
  return {scratch_, kScratchBytes};
}

void Loop::Run() {
  std::array<epoll_event, 16> events;
  quit_ = false;
  while (!quit_) {
    RunTimers();
    if (quit_) break;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), WaitMs());
    for (int i = 0; i < count && !quit_; ++i) {
      busy_ = true;
      const auto found = watched_.find(events[i].data.u64);
      // An earlier handler of this round may have unwatched it.
      if (found != watched_.end()) found->second->handler(events[i].events);
    }
    unwatched_.clear();
    if (count == 0 && busy_) Idle();
  }
}

void Loop::RunTimers() {
  // Those that a timer starts wait for the next round, so that descriptors get theirs.
  const Id first_new = next_id_;
  const absl::Duration now = Now();
  while (!quit_) {
    // In the order of their times; there are never many.
    auto next = timers_.end();
    for (auto it = timers_.begin(); it != timers_.end() && it->first < first_new; ++it) {
      if (it->second.due <= now && (next == timers_.end() || it->second.due < next->second.due)) {
        next = it;
      }
    }
    if (next == timers_.end()) return;
    Function function = std::move(next->second.function);
    timers_.erase(next);
    busy_ = true;
    function();
  }
}

int Loop::WaitMs() const {
  absl::Duration left = busy_ ? absl::Milliseconds(kIdleAfterMs) : absl::InfiniteDuration();
  const absl::Duration now = Now();
  for (const auto& [id, timer] : timers_) left = std::min(left, timer.due - now);
  if (left == absl::InfiniteDuration()) return -1;
  // Rounded up: a timer a fraction of a millisecond away must not make us spin.
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int>::max()));
}

void Loop::Idle() {
  // A timer may have ended the wait early; then there is a next time.
  const absl::Duration now = Now();
  for (const auto& [id, timer] : timers_) {
    if (timer.due <= now) return;
  }
  busy_ = false;
  if (scratch_ != nullptr) (void)::madvise(scratch_, kScratchBytes, MADV_DONTNEED);
  for (Function& function : idle_) function();
}

}  // namespace crisp::shim
