#include "cri/containerd/event_stream.h"

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/ids.h"
#include "base/log.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::events::v1;

constexpr char kMarkerTopic[] = "/crisp/subscribed";
constexpr absl::Duration kMarkerInterval = absl::Milliseconds(20);
constexpr absl::Duration kMarkerTimeout = absl::Seconds(10);
constexpr absl::Duration kMinBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(5);

// Names the operations on the completion queue. One is in flight at a time.
enum class Step : intptr_t { kStart = 1, kRead, kFinish };

void* TagOf(Step step) { return reinterpret_cast<void*>(step); }

}  // namespace

EventStream::EventStream(Containerd* containerd, std::vector<std::string> filters,
                         EventCallback on_event, std::function<void()> on_subscribed)
    : containerd_(containerd),
      filters_(std::move(filters)),
      on_event_(std::move(on_event)),
      on_subscribed_(std::move(on_subscribed)),
      thread_([this] { Run(); }) {}

EventStream::~EventStream() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  thread_.join();
}

void EventStream::Run() {
  absl::Duration backoff = kMinBackoff;
  do {
    absl::Status why;
    const bool was_live = RunOnce(&why);
    backoff = was_live ? kMinBackoff : std::min(backoff * 2, kMaxBackoff);
    absl::MutexLock lock(&mu_);
    if (stopping_) return;
    LogWarn("containerd's event stream ended", {{"error", why}, {"next_try_in", backoff}});
  } while (SleepUnlessStopped(backoff));
}

bool EventStream::RunOnce(absl::Status* why) {
  api::SubscribeRequest request;
  const std::string in_ns = absl::StrCat("namespace==\"", containerd_->ns(), "\",");
  request.add_filters(absl::StrCat(in_ns, "topic==\"", kMarkerTopic, "\""));
  for (const std::string& filter : filters_) request.add_filters(absl::StrCat(in_ns, filter));

  const std::unique_ptr<grpc::ClientContext> context =
      containerd_->Context(absl::InfiniteDuration());
  context->set_wait_for_ready(true);
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return false;
    context_ = context.get();
  }
  grpc::CompletionQueue queue;
  auto reader =
      containerd_->events().AsyncSubscribe(context.get(), request, &queue, TagOf(Step::kStart));
  const std::string token = RandomHex(32);
  containerd::types::Envelope envelope;
  grpc::Status status;
  absl::Time give_up = absl::InfiniteFuture();
  bool probing = false;  // The call is under way, but not yet known to be live.
  bool live = false;
  while (true) {
    // containerd may be away for long, and once live the next event may be days
    // off: cancelling ends these waits.
    const auto wake =
        probing ? std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kMarkerInterval)
                : std::chrono::system_clock::time_point::max();
    void* tag = nullptr;
    bool ok = false;
    if (queue.AsyncNext(&tag, &ok, wake) == grpc::CompletionQueue::TIMEOUT) {
      // containerd may not yet listen for us when this goes out: hence again.
      if (absl::Now() > give_up || absl::IsUnavailable(PublishMarker(token))) {
        context->TryCancel();
      }
      continue;
    }
    if (tag == TagOf(Step::kFinish)) break;
    if (!ok) {
      reader->Finish(&status, TagOf(Step::kFinish));
      continue;
    }
    if (tag == TagOf(Step::kStart)) {
      probing = true;
      give_up = absl::Now() + kMarkerTimeout;
    } else if (envelope.topic() != kMarkerTopic) {
      on_event_(envelope);
    } else if (!live && envelope.event().value() == token) {
      live = true;
      probing = false;
      if (on_subscribed_) on_subscribed_();
    }
    reader->Read(&envelope, TagOf(Step::kRead));
  }
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  {
    absl::MutexLock lock(&mu_);
    context_ = nullptr;
  }
  *why = FromGrpc(status);
  return live;
}

absl::Status EventStream::PublishMarker(const std::string& token) {
  api::PublishRequest request;
  request.set_topic(kMarkerTopic);
  request.mutable_event()->set_type_url("crisp.events.Subscribed");
  request.mutable_event()->set_value(token);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(absl::Seconds(2));
  return FromGrpc(containerd_->events().Publish(context.get(), request, &response));
}

bool EventStream::SleepUnlessStopped(absl::Duration wait) {
  absl::MutexLock lock(&mu_);
  return !mu_.AwaitWithTimeout(absl::Condition(&stopping_), wait);
}

}  // namespace crisp::cri
