// Events as objects of the store.
//
//   auto events = StoreEventRecorder::Create(store.get(), &clock, "node-1");
//   events->Record(pod, EventType::kNormal, "Pulled", "...");
//
// Ownership: borrows the store and the clock; owns its thread. The destructor writes
//            what was recorded.
// Threads:   safe.
// Crash:     what was recorded and not yet written (milliseconds' worth) is lost.
#ifndef CRISP_AGENT_EVENTS_STORE_EVENT_RECORDER_H_
#define CRISP_AGENT_EVENTS_STORE_EVENT_RECORDER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/events/event_correlator.h"
#include "agent/events/event_recorder.h"
#include "agent/store/object_store.h"
#include "base/clock.h"

namespace crisp::agent {

class StoreEventRecorder : public EventRecorder {
 public:
  static constexpr absl::Duration kKept = absl::Hours(1);

  // `host`: the node's name, as the source of each event.
  static std::unique_ptr<StoreEventRecorder> Create(ObjectStore* store, Clock* clock,
                                                    const std::string& host);
  ~StoreEventRecorder() override;

  void Record(const Json& object, EventType type, const std::string& reason,
              const std::string& message, const std::string& field_path,
              const std::string& component) override;

  // Returns when all that was recorded before is in the store.
  void Flush();
  // Removes the events that happened last longer ago than kKept; the thread does so
  // every minute.
  void RemoveOld();

 private:
  struct Recorded {
    Json involved;  // involvedObject.
    bool warning = false;
    std::string reason, message, component;
    absl::Time when;
  };

  StoreEventRecorder(ObjectStore* store, Clock* clock, std::string host);
  void Work();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopping_ || !queue_.empty(); }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return queue_.empty() && !writing_; }
  void Write(const Recorded& event);
  bool Raise(const ObjectKey& key, const CorrelatedEvent& correlated, const Recorded& event);
  std::string Make(const CorrelatedEvent& correlated, const Recorded& event);

  ObjectStore* const store_;
  Clock* const clock_;
  const std::string host_;
  EventCorrelator correlator_;  // Of the thread alone.

  absl::Mutex mu_;
  std::deque<Recorded> queue_ ABSL_GUARDED_BY(mu_);
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_EVENTS_STORE_EVENT_RECORDER_H_
