#include "cri/events/event_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/pod_messages.h"

namespace crisp::cri {
namespace {

absl::Status Closed() { return absl::UnavailableError("crispd is shutting down"); }

}  // namespace

EventHub::Subscription::~Subscription() {
  absl::MutexLock lock(&hub_->mu_);
  hub_->subscriptions_.erase(this);
}

absl::StatusOr<EventHub::Event> EventHub::Subscription::Next(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !queue_.empty() || !end_.ok();
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&ready), timeout)) {
    return absl::DeadlineExceededError("no event yet");
  }
  if (!end_.ok()) return end_;
  Queued next = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= next.bytes;
  return std::move(next.event);
}

void EventHub::Subscription::Push(const Event& event, size_t bytes) {
  absl::MutexLock lock(&mu_);
  if (!end_.ok()) return;
  if (queue_.size() == kMaxQueuedEvents || queued_bytes_ + bytes > kMaxQueuedBytes) {
    end_ = absl::ResourceExhaustedError(
        absl::StrCat("the subscriber is ", queue_.size(), " events (", queued_bytes_,
                     " bytes) behind; list pods and containers and subscribe again"));
    queue_.clear();
    queued_bytes_ = 0;
    return;
  }
  queue_.push_back({event, bytes});
  queued_bytes_ += bytes;
}

void EventHub::Subscription::End(absl::Status why) {
  absl::MutexLock lock(&mu_);
  if (end_.ok()) end_ = std::move(why);
}

std::unique_ptr<EventHub::Subscription> EventHub::Subscribe() {
  auto subscription = std::make_unique<Subscription>(this);
  absl::MutexLock lock(&mu_);
  if (closed_) subscription->End(Closed());
  subscriptions_.insert(subscription.get());
  return subscription;
}

void EventHub::Happened(runtime::v1::ContainerEventType what, const std::string& id,
                        const Pod& pod) {
  // The states are read under the same lock that gives out the times and fills the
  // queues: else an older view could follow a newer one.
  absl::MutexLock lock(&mu_);
  if (subscriptions_.empty()) return;
  auto event = std::make_shared<runtime::v1::ContainerEventResponse>();
  last_created_at_ = std::max(clock_->NowNs(), last_created_at_ + 1);
  event->set_container_id(id);
  event->set_container_event_type(what);
  event->set_created_at(last_created_at_);
  FillPodSandboxStatus(pod, event->mutable_pod_sandbox_status());
  for (const std::shared_ptr<Container>& container : containers_->OfPod(pod.id())) {
    if (container->listed()) FillContainerStatus(*container, event->add_containers_statuses());
  }
  const size_t bytes = event->ByteSizeLong();
  for (Subscription* subscription : subscriptions_) subscription->Push(event, bytes);
}

void EventHub::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  for (Subscription* subscription : subscriptions_) subscription->End(Closed());
}

}  // namespace crisp::cri
