// A subscription to containerd's events that outlives containerd's restarts.
//
// containerd neither stores nor replays events. So the stream tells its user each
// time that a subscription is known to be live (the first time too): what happened
// before that moment must be looked up (Tasks.List), what happens after it arrives
// here. Being live is proved by an event of our own that comes back.
//
// Ownership: owns a thread; the destructor ends it. Borrows the Containerd.
// Threads:   both callbacks run on the stream's thread, one at a time; they must
//            not destroy the stream.
// Errors:    none reach the user: the stream logs and starts again, after 100 ms
//            up to 5 s.
#ifndef CRISP_CRI_CONTAINERD_EVENT_STREAM_H_
#define CRISP_CRI_CONTAINERD_EVENT_STREAM_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/containerd/event.pb.h"
#include "cri/containerd/containerd.h"

namespace crisp::cri {

class EventStream {
 public:
  using EventCallback = std::function<void(const containerd::types::Envelope&)>;

  // `filters` as containerd's, such as `topic=="/tasks/oom"`; each is confined to
  // the connection's namespace here. `on_subscribed` may be empty.
  EventStream(Containerd* containerd, std::vector<std::string> filters, EventCallback on_event,
              std::function<void()> on_subscribed);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

 private:
  void Run();
  // One subscription, from its start to its end. True if it was live.
  bool RunOnce(absl::Status* why);
  absl::Status PublishMarker(const std::string& token);
  // False once the stream is being destroyed.
  bool SleepUnlessStopped(absl::Duration wait) ABSL_LOCKS_EXCLUDED(mu_);

  Containerd* const containerd_;
  const std::vector<std::string> filters_;
  const EventCallback on_event_;
  const std::function<void()> on_subscribed_;

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::thread thread_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_EVENT_STREAM_H_
