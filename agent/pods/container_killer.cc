#include "agent/pods/container_killer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/pods/lifecycle_hooks.h"
#include "base/log.h"

namespace crisp::agent {
namespace {

// A container whose hook took all the time still gets a moment to end by itself.
constexpr absl::Duration kLeastGrace = absl::Seconds(2);
// Less sooner than this is not worth another call.
constexpr absl::Duration kMuchSooner = absl::Seconds(1);
constexpr absl::Duration kPauseAfterFailure = absl::Seconds(1);

}  // namespace

ContainerKiller::ContainerKiller(PodRuntime* runtime, EventRecorder* events, Clock* clock,
                                 ElasticPool* pool, const absl::Notification* stop, Wake wake)
    : runtime_(*runtime),
      events_(*events),
      clock_(*clock),
      pool_(*pool),
      stop_(*stop),
      wake_(std::move(wake)) {}

void ContainerKiller::Kill(const Request& request) {
  const absl::Duration deadline = clock_.Steady() + request.grace;
  bool first = false;
  {
    absl::MutexLock lock(&mu_);
    const auto [entry, added] = under_.try_emplace(request.target.container_id);
    Under& under = entry->second;
    first = added;
    if (under.calls > 0 && deadline + kMuchSooner >= under.deadline) return;
    under.pod_uid = request.pod_uid;
    under.deadline = added ? deadline : std::min(deadline, under.deadline);
    ++under.calls;
  }
  if (first) {
    events_.Record(*request.pod, EventType::kNormal, "Killing", request.message,
                   request.field_path);
  }
  pool_.Post([this, request, first, deadline] { Run(request, first, deadline); });
}

void ContainerKiller::Run(const Request& request, bool first, absl::Duration deadline) {
  const std::string& id = request.target.container_id;
  const auto left = [&] { return std::max(deadline - clock_.Steady(), absl::ZeroDuration()); };
  if (first && request.pre_stop.has_value() && request.grace > absl::ZeroDuration()) {
    if (const absl::Status status =
            RunHook(runtime_, *request.pre_stop, request.target, left(), stop_);
        !status.ok() && !stop_.HasBeenNotified()) {
      events_.Record(*request.pod, EventType::kWarning, "FailedPreStopHook",
                     absl::StrCat("PreStopHook failed: ", status.message()), request.field_path);
    }
  }
  const absl::Duration grace =
      request.grace > absl::ZeroDuration() ? std::max(left(), kLeastGrace) : absl::ZeroDuration();
  const absl::Status status = runtime_.StopContainer(id, grace);
  if (stop_.HasBeenNotified()) return;
  if (!status.ok()) {
    LogWarn("a container could not be stopped",
            {{"container", id}, {"name", request.target.container_name}, {"error", status}});
    if (stop_.WaitForNotificationWithTimeout(kPauseAfterFailure)) return;
  }
  {
    absl::MutexLock lock(&mu_);
    const auto found = under_.find(id);
    if (found != under_.end()) {
      --found->second.calls;
      // Stopped: asked again, it would be a new story.
      if (status.ok() && found->second.calls == 0) under_.erase(found);
    }
  }
  wake_(request.pod_uid);
}

std::set<std::string> ContainerKiller::Killing(const std::string& pod_uid) const {
  std::set<std::string> out;
  absl::MutexLock lock(&mu_);
  for (const auto& [id, under] : under_) {
    if (under.pod_uid == pod_uid && under.calls > 0) out.insert(id);
  }
  return out;
}

void ContainerKiller::Forget(const std::string& pod_uid) {
  absl::MutexLock lock(&mu_);
  for (auto it = under_.begin(); it != under_.end();) {
    if (it->second.pod_uid == pod_uid && it->second.calls == 0) {
      it = under_.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace crisp::agent
