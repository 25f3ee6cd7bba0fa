#include "agent/events/store_event_recorder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

// Far more than a node's pods say while the disk is slow.
constexpr size_t kMostWaiting = 4096;
constexpr absl::Duration kTidyEvery = absl::Minutes(1);
// Kubernetes' bound of an event's message.
constexpr size_t kMaxMessage = 1024;

const char* TypeName(bool warning) { return warning ? "Warning" : "Normal"; }

std::string Cut(const std::string& message) {
  if (message.size() <= kMaxMessage) return message;
  return absl::StrCat(Utf8Prefix(message, kMaxMessage - 3), "...");
}

}  // namespace

std::unique_ptr<StoreEventRecorder> StoreEventRecorder::Create(ObjectStore* store, Clock* clock,
                                                               const std::string& host) {
  return std::unique_ptr<StoreEventRecorder>(new StoreEventRecorder(store, clock, host));
}

StoreEventRecorder::StoreEventRecorder(ObjectStore* store, Clock* clock, std::string host)
    : store_(store), clock_(clock), host_(std::move(host)), thread_([this] { Work(); }) {}

StoreEventRecorder::~StoreEventRecorder() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void StoreEventRecorder::Record(const Json& object, EventType type, const std::string& reason,
                                const std::string& message, const std::string& field_path,
                                const std::string& component) {
  Recorded event;
  event.involved = {{"kind", TextAt(object, "kind")},
                    {"apiVersion", TextAt(object, "apiVersion")},
                    {"name", TextAt(object, "metadata.name")},
                    {"uid", UidOf(object)}};
  const std::pair<const char*, std::string> if_set[] = {
      {"namespace", TextAt(object, "metadata.namespace")},
      {"resourceVersion", TextAt(object, "metadata.resourceVersion")},
      {"fieldPath", field_path}};
  for (const auto& [field, value] : if_set) {
    if (!value.empty()) event.involved[field] = value;
  }
  event.warning = type == EventType::kWarning;
  event.reason = reason;
  event.message = Cut(message);
  event.component = component;
  event.when = clock_->Now();
  absl::MutexLock lock(&mu_);
  if (queue_.size() >= kMostWaiting) {
    ++dropped_;
    return;
  }
  queue_.push_back(std::move(event));
}

void StoreEventRecorder::Flush() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &StoreEventRecorder::IsIdle));
}

void StoreEventRecorder::Work() {
  RemoveOld();
  absl::Duration tidied = clock_->Steady();
  while (true) {
    Recorded event;
    bool have = false;
    int64_t dropped = 0;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      mu_.AwaitWithTimeout(absl::Condition(this, &StoreEventRecorder::HasWork), kTidyEvery);
      if (queue_.empty() && stopping_) return;
      if (!queue_.empty()) {
        event = std::move(queue_.front());
        queue_.pop_front();
        have = writing_ = true;
      }
      dropped = std::exchange(dropped_, 0);
    }
    if (dropped > 0) LogWarn("events were dropped: too many at once", {{"count", dropped}});
    if (have) Write(event);
    if (clock_->Steady() - tidied >= kTidyEvery) {
      RemoveOld();
      tidied = clock_->Steady();
    }
  }
}

void StoreEventRecorder::Write(const Recorded& event) {
  EventIdentity identity;
  identity.source = absl::StrCat(event.component, ",", host_);
  Json object = event.involved;
  object.erase("fieldPath");
  object.erase("resourceVersion");
  identity.object = ToText(object);
  identity.field_path = TextAt(event.involved, "fieldPath");
  identity.type = TypeName(event.warning);
  identity.reason = event.reason;
  identity.message = event.message;
  std::optional<CorrelatedEvent> correlated = correlator_.Correlate(identity, event.when);
  if (!correlated.has_value()) return;
  if (!correlated->name.empty()) {
    const ObjectKey key{"Event", TextAt(event.involved, "namespace", "default"), correlated->name};
    if (Raise(key, *correlated, event)) return;
    // It was kept for its hour and is gone: this one begins anew.
    correlator_.Stored(correlated->key, "");
    correlated = correlator_.Correlate(identity, event.when);
    if (!correlated.has_value()) return;
  }
  correlator_.Stored(correlated->key, Make(*correlated, event));
}

bool StoreEventRecorder::Raise(const ObjectKey& key, const CorrelatedEvent& correlated,
                               const Recorded& event) {
  const auto updated = store_->Update(key, [&](Json& object) {
    object["count"] = correlated.count;
    object["lastTimestamp"] = Timestamp(event.when);
    object["message"] = correlated.message;
    return absl::OkStatus();
  });
  if (absl::IsNotFound(updated.status())) return false;
  if (!updated.ok()) LogError("an event is lost", {{"reason", updated.status()}});
  return true;
}

std::string StoreEventRecorder::Make(const CorrelatedEvent& correlated, const Recorded& event) {
  const std::string ns = TextAt(event.involved, "namespace", "default");
  const std::string about = TextAt(event.involved, "name");
  int64_t stamp = absl::ToUnixNanos(event.when);
  while (true) {
    const std::string name = absl::StrCat(about, ".", absl::Hex(stamp));
    const Json object = {{"apiVersion", "v1"},
                         {"kind", "Event"},
                         {"metadata", {{"name", name}, {"namespace", ns}}},
                         {"involvedObject", event.involved},
                         {"type", TypeName(event.warning)},
                         {"reason", event.reason},
                         {"message", correlated.message},
                         {"source", {{"component", event.component}, {"host", host_}}},
                         {"reportingComponent", event.component},
                         {"reportingInstance", host_},
                         {"firstTimestamp", Timestamp(correlated.first)},
                         {"lastTimestamp", Timestamp(event.when)},
                         {"count", correlated.count}};
    const absl::Status made = store_->Create(object).status();
    if (made.ok()) return name;
    if (!absl::IsAlreadyExists(made)) {
      LogError("an event is lost", {{"reason", made}});
      return "";
    }
    ++stamp;  // Two at the same moment about the same object.
  }
}

void StoreEventRecorder::RemoveOld() {
  const absl::Time now = clock_->Now();
  for (const ObjectPtr& event : store_->List("Event")) {
    const absl::Time last = ReadTimestamp(TextAt(*event, "lastTimestamp"));
    if (last == absl::InfiniteFuture() || now - last <= kKept) continue;
    const absl::Status removed = store_->Remove(KeyOf(*event), UidOf(*event));
    if (!removed.ok() && !absl::IsNotFound(removed)) {
      LogWarn("an old event stays", {{"reason", removed}});
    }
  }
}

}  // namespace crisp::agent
