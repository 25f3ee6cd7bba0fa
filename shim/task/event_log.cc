#include "shim/task/event_log.h"

namespace crisp::shim {

void EventLog::Add(v1::Event event) {
  event.set_sequence(next_++);
  events_.push_back(std::move(event));
  if (events_.size() > kMaxEvents) events_.pop_front();
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    waiting.callback(Since(waiting.after));
  }
}

void EventLog::Watch(uint64_t after, Callback callback) {
  while (!events_.empty() && events_.front().sequence() <= after) events_.pop_front();
  if (events_.empty()) {
    std::deque<v1::Event>().swap(events_);
    waiting_.push_back({after, std::move(callback)});
  } else {
    callback(Since(after));
  }
}

v1::WatchResponse EventLog::Since(uint64_t after) const {
  v1::WatchResponse response;
  for (const v1::Event& event : events_) {
    if (event.sequence() > after) *response.add_events() = event;
  }
  return response;
}

}  // namespace crisp::shim
