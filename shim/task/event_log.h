// What crispd has to hear of: exits and OOM kills, numbered, kept until it says that it
// has them.
//
// Ownership: owns the events and the waiting answers.
// Threads:   the loop's.
// Errors:    none. Of more than 4096 events that nobody takes the oldest go; exits are
//            on disk, too.
// Crash:     what was not taken is lost; the exit records are not.
#ifndef CRISP_SHIM_TASK_EVENT_LOG_H_
#define CRISP_SHIM_TASK_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "api/shim/v1/shim.pb.h"

namespace crisp::shim {

class EventLog {
 public:
  static constexpr size_t kMaxEvents = 4096;
  using Callback = absl::AnyInvocable<void(const v1::WatchResponse&)>;

  // Gives `event` the next number.
  void Add(v1::Event event);

  // Forgets events up to `after`, and calls back with those that follow, as soon as there
  // is one.
  void Watch(uint64_t after, Callback callback);

 private:
  struct Waiting {
    uint64_t after;
    Callback callback;
  };

  v1::WatchResponse Since(uint64_t after) const;

  std::deque<v1::Event> events_;
  uint64_t next_ = 1;
  std::vector<Waiting> waiting_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_EVENT_LOG_H_
