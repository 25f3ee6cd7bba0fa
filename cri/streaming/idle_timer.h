// Calls back when nothing has happened for a while.
//
// Ownership: the timer's wait keeps nothing alive; its owner keeps the timer.
// Threads:   the executor only.
#ifndef CRISP_CRI_STREAMING_IDLE_TIMER_H_
#define CRISP_CRI_STREAMING_IDLE_TIMER_H_

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <utility>

#include "absl/time/time.h"

namespace crisp::cri {

class IdleTimer {
 public:
  IdleTimer(boost::asio::any_io_executor executor, absl::Duration limit)
      : timer_(std::move(executor)), limit_(absl::ToChronoNanoseconds(limit)) {}

  // The callback must not own the timer's owner.
  void Start(std::function<void()> on_idle) {
    on_idle_ = std::move(on_idle);
    Touch();
    Wait(last_ + limit_);
  }

  void Touch() { last_ = std::chrono::steady_clock::now(); }

  void Stop() {
    on_idle_ = nullptr;
    timer_.cancel();
  }

 private:
  void Wait(std::chrono::steady_clock::time_point until) {
    timer_.expires_at(until);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;  // Stopped or destroyed: touch nothing.
      if (!on_idle_) return;
      if (std::chrono::steady_clock::now() - last_ < limit_) {
        Wait(last_ + limit_);
        return;
      }
      auto on_idle = std::exchange(on_idle_, nullptr);
      on_idle();
    });
  }

  boost::asio::steady_timer timer_;
  const std::chrono::nanoseconds limit_;
  std::chrono::steady_clock::time_point last_;
  std::function<void()> on_idle_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_IDLE_TIMER_H_
