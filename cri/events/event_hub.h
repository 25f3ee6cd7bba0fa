// GetContainerEvents: what became of containers and pod sandboxes, to any number of
// subscribers.
//
// Each event carries the pod's status and the statuses of all its containers as they were
// at its created_at, which grows from event to event: a later event never shows an
// earlier state. What is only half made is not told of.
//
// Ownership: borrows the stores and the clock. A subscription outlives no hub.
// Threads:   safe. Happened takes memory-only work under one lock, and none at all while
//            nobody has subscribed.
// Errors:    a subscriber that falls behind by more than kMaxQueuedEvents events, or
//            kMaxQueuedBytes, loses all that is queued and gets ResourceExhausted: it has
//            to list anew. Others do not notice. Unavailable once the hub is closed.
#ifndef CRISP_CRI_EVENTS_EVENT_HUB_H_
#define CRISP_CRI_EVENTS_EVENT_HUB_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/cri/v1/api.pb.h"
#include "base/clock.h"
#include "cri/containers/container_store.h"
#include "cri/pods/lifecycle.h"

namespace crisp::cri {

inline constexpr size_t kMaxQueuedEvents = 1000;
inline constexpr size_t kMaxQueuedBytes = 16 << 20;

class EventHub : public Lifecycle {
 public:
  using Event = std::shared_ptr<const runtime::v1::ContainerEventResponse>;

  class Subscription {
   public:
    explicit Subscription(EventHub* hub) : hub_(hub) {}
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription();

    // The next event; DeadlineExceeded if none came within `timeout`.
    absl::StatusOr<Event> Next(absl::Duration timeout);

   private:
    friend class EventHub;
    struct Queued {
      Event event;
      size_t bytes;
    };
    void Push(const Event& event, size_t bytes);
    void End(absl::Status why);

    EventHub* const hub_;
    absl::Mutex mu_;
    std::deque<Queued> queue_ ABSL_GUARDED_BY(mu_);
    size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
    absl::Status end_ ABSL_GUARDED_BY(mu_);
  };

  EventHub(const ContainerStore* containers, const Clock* clock)
      : containers_(containers), clock_(clock) {}
  ~EventHub() override = default;

  // Events from here on.
  std::unique_ptr<Subscription> Subscribe();

  void Happened(runtime::v1::ContainerEventType what, const std::string& id,
                const Pod& pod) override;

  // Ends every subscription, also future ones.
  void Close();

 private:
  const ContainerStore* const containers_;
  const Clock* const clock_;
  absl::Mutex mu_;
  std::set<Subscription*> subscriptions_ ABSL_GUARDED_BY(mu_);
  int64_t last_created_at_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_EVENTS_EVENT_HUB_H_
