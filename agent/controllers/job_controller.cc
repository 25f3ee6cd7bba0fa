#include "agent/controllers/job_controller.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/controllers/completion_indexes.h"
#include "agent/controllers/dependents.h"
#include "agent/controllers/pod_facts.h"
#include "agent/controllers/replica_set_controller.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

// Ours: the uids of pods that are counted and still there.
constexpr char kCounted[] = "countedPods";
constexpr absl::Duration kMaxBackOff = absl::Minutes(10);

bool HasCondition(const Json& job, const std::string& type) {
  return TextAt(ConditionOf(job, type), "status") == "True";
}

bool IsOver(const Json& job) {
  return HasCondition(job, "Complete") || HasCondition(job, "Failed");
}

std::optional<int64_t> Completions(const Json& job) {
  const Json& value = At(job, "spec.completions");
  if (!value.is_number()) return std::nullopt;
  return value.get<int64_t>();
}

bool IsComplete(const Json& job, size_t active) {
  const int64_t succeeded = NumberAt(job, "status.succeeded");
  const std::optional<int64_t> wanted = Completions(job);
  // Without a number the first success says that the work is done; the others may end.
  return wanted.has_value() ? succeeded >= *wanted : succeeded > 0 && active == 0;
}

// When the pod's last container ended, or when it was made.
absl::Time EndOf(const Json& pod) {
  absl::Time end = ReadTimestamp(TextAt(pod, "metadata.creationTimestamp"));
  const Json& statuses = At(pod, "status.containerStatuses");
  if (!statuses.is_array()) return end;
  for (const Json& status : statuses) {
    const absl::Time at = ReadTimestamp(TextAt(status, "state.terminated.finishedAt"));
    if (at != absl::InfiniteFuture()) end = std::max(end, at);
  }
  return end;
}

}  // namespace

absl::StatusOr<ObjectPtr> JobController::CountPods(const ObjectKey& key,
                                                   const std::vector<ObjectPtr>& pods) {
  return context_.store->Update(key, [&](Json& job) {
    Json& status = job["status"];
    if (!status.is_object()) status = Json::object();
    if (!status.contains("startTime") && !TruthAt(job, "spec.suspend")) {
      status["startTime"] = Timestamp(context_.clock->Now());
    }
    std::set<std::string> before;
    if (At(status, kCounted).is_array()) {
      for (const Json& uid : status[kCounted]) before.insert(uid.get<std::string>());
    }
    Json counted = Json::array();
    int64_t active = 0, ready = 0, terminating = 0;
    int64_t succeeded = NumberAt(status, "succeeded"), failed = NumberAt(status, "failed");
    Indexes completed = ParseIndexes(TextAt(status, "completedIndexes"));
    for (const ObjectPtr& pod : pods) {
      if (IsPodFinished(*pod)) {
        if (before.count(UidOf(*pod)) == 0) ++(PhaseOf(*pod) == "Succeeded" ? succeeded : failed);
        counted.push_back(UidOf(*pod));
        const std::optional<int64_t> index = IndexOf(job, *pod);
        if (index.has_value() && PhaseOf(*pod) == "Succeeded") completed.insert(*index);
      } else if (IsBeingDeleted(*pod)) {
        ++terminating;
      } else {
        ++active;
        ready += IsPodReady(*pod) ? 1 : 0;
      }
    }
    if (IsIndexed(job)) {
      // An index is done once, however many pods did it.
      succeeded = static_cast<int64_t>(completed.size());
      if (!completed.empty()) status["completedIndexes"] = FormatIndexes(completed);
    }
    const std::pair<const char*, int64_t> numbers[] = {{"active", active},
                                                       {"failed", failed},
                                                       {"ready", ready},
                                                       {"succeeded", succeeded},
                                                       {"terminating", terminating}};
    for (const auto& [field, number] : numbers) status[field] = number;
    if (counted.empty()) {
      status.erase(kCounted);
    } else {
      status[kCounted] = std::move(counted);
    }
    return absl::OkStatus();
  });
}

JobController::Failure JobController::WhyFailed(const Json& job,
                                                const std::vector<ObjectPtr>& active) const {
  const int64_t limit = NumberAt(job, "spec.backoffLimit", 6);
  int64_t restarts = 0;
  if (TextAt(job, "spec.template.spec.restartPolicy") == "OnFailure") {
    for (const ObjectPtr& pod : active) restarts += RestartsOf(*pod);
  }
  const bool restarted_out = limit == 0 ? restarts > 0 : restarts >= limit;
  if (NumberAt(job, "status.failed") > limit || restarted_out) {
    return {"BackoffLimitExceeded", "Job has reached the specified backoff limit"};
  }
  const Json& deadline = At(job, "spec.activeDeadlineSeconds");
  const absl::Time start = ReadTimestamp(TextAt(job, "status.startTime"));
  if (deadline.is_number() &&
      context_.clock->Now() - start >= absl::Seconds(deadline.get<int64_t>())) {
    return {"DeadlineExceeded", "Job was active longer than specified deadline"};
  }
  return {};
}

absl::Status JobController::CreatePods(const Json& job, const std::vector<ObjectPtr>& active,
                                       int64_t count) {
  if (!IsIndexed(job)) {
    for (int64_t i = 0; i < count; ++i) {
      CRISP_RETURN_IF_ERROR(CreatePodFor(context_, job).status());
    }
    return absl::OkStatus();
  }
  Indexes taken;
  for (const ObjectPtr& pod : active) {
    if (const auto index = IndexOf(job, *pod); index.has_value()) taken.insert(*index);
  }
  const Indexes completed = ParseIndexes(TextAt(job, "status.completedIndexes"));
  for (const int64_t index : NextIndexes(job, completed, taken, count)) {
    Json pod = PodOfTemplate(job);
    SetIndex(job, index, &pod);
    CRISP_RETURN_IF_ERROR(CreatePod(context_, job, std::move(pod)).status());
  }
  return absl::OkStatus();
}

// Pods of an Indexed job that stand for nothing: without an index, or for one that is
// done or that another pod is at.
absl::Status JobController::DropStrays(const Json& job, std::vector<ObjectPtr>* active) {
  if (!IsIndexed(job)) return absl::OkStatus();
  Indexes seen = ParseIndexes(TextAt(job, "status.completedIndexes"));
  std::vector<ObjectPtr> kept;
  for (ObjectPtr& pod : *active) {
    const std::optional<int64_t> index = IndexOf(job, *pod);
    if (index.has_value() && seen.insert(*index).second) {
      kept.push_back(std::move(pod));
    } else {
      CRISP_RETURN_IF_ERROR(DeletePodOf(context_, job, *pod));
    }
  }
  *active = std::move(kept);
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> JobController::Work(const Json& job, std::vector<ObjectPtr> active,
                                                   absl::Time last_failure) {
  CRISP_RETURN_IF_ERROR(DropStrays(job, &active));
  const int64_t parallelism = NumberAt(job, "spec.parallelism", 1);
  const int64_t succeeded = NumberAt(job, "status.succeeded");
  const auto now_active = static_cast<int64_t>(active.size());
  int64_t wanted = parallelism;
  if (const std::optional<int64_t> completions = Completions(job); completions.has_value()) {
    wanted = std::min(parallelism, std::max<int64_t>(0, *completions - succeeded));
  } else if (succeeded > 0) {
    wanted = std::min(parallelism, now_active);  // No new pods once one has found the work done.
  }
  absl::Duration again = absl::InfiniteDuration();
  if (now_active > wanted) {
    std::sort(active.begin(), active.end(),
              [](const ObjectPtr& a, const ObjectPtr& b) { return GoesFirst(*a, *b); });
    for (int64_t i = 0; i < now_active - wanted; ++i) {
      CRISP_RETURN_IF_ERROR(DeletePodOf(context_, job, *active[static_cast<size_t>(i)]));
    }
  } else if (now_active < wanted) {
    const int64_t failed = NumberAt(job, "status.failed");
    const absl::Duration delay =
        failed == 0 ? absl::ZeroDuration()
                    : std::min(kMaxBackOff, context_.back_off *
                                                (int64_t{1} << std::min<int64_t>(failed - 1, 20)));
    const absl::Duration left = last_failure + delay - context_.clock->Now();
    if (failed > 0 && left > absl::ZeroDuration()) {
      again = left;
    } else {
      CRISP_RETURN_IF_ERROR(CreatePods(job, active, wanted - now_active));
    }
  }
  if (const Json& deadline = At(job, "spec.activeDeadlineSeconds"); deadline.is_number()) {
    again = std::min(again, ReadTimestamp(TextAt(job, "status.startTime")) +
                                absl::Seconds(deadline.get<int64_t>()) - context_.clock->Now());
  }
  return again;
}

absl::Status JobController::Suspend(const Json& job, const std::vector<ObjectPtr>& active) {
  for (const ObjectPtr& pod : active) CRISP_RETURN_IF_ERROR(DeletePodOf(context_, job, *pod));
  if (HasCondition(job, "Suspended")) return absl::OkStatus();
  context_.events->Record(job, EventType::kNormal, "Suspended", "Job suspended", "",
                          ComponentOf(job));
  return context_.store
      ->Update(KeyOf(job),
               [&](Json& object) {
                 SetCondition(&object, "Suspended", "True", "JobSuspended", "Job suspended",
                              context_.clock->Now());
                 object["status"].erase("startTime");
                 return absl::OkStatus();
               })
      .status();
}

absl::Status JobController::Finish(const Json& job, const std::vector<ObjectPtr>& active,
                                   const Failure& failure) {
  for (const ObjectPtr& pod : active) CRISP_RETURN_IF_ERROR(DeletePodOf(context_, job, *pod));
  const absl::Time now = context_.clock->Now();
  const bool failed = !failure.reason.empty();
  CRISP_RETURN_IF_ERROR(context_.store
                            ->Update(KeyOf(job),
                                     [&](Json& object) {
                                       if (failed) {
                                         SetCondition(&object, "FailureTarget", "True",
                                                      failure.reason, failure.message, now);
                                         SetCondition(&object, "Failed", "True", failure.reason,
                                                      failure.message, now);
                                       } else {
                                         const char* message =
                                             "Reached expected number of succeeded pods";
                                         SetCondition(&object, "SuccessCriteriaMet", "True",
                                                      "CompletionsReached", message, now);
                                         SetCondition(&object, "Complete", "True",
                                                      "CompletionsReached", message, now);
                                         object["status"]["completionTime"] = Timestamp(now);
                                       }
                                       object["status"]["active"] = 0;
                                       object["status"]["ready"] = 0;
                                       return absl::OkStatus();
                                     })
                            .status());
  if (failed) {
    context_.events->Record(job, EventType::kWarning, failure.reason, failure.message, "",
                            ComponentOf(job));
  } else {
    context_.events->Record(job, EventType::kNormal, "Completed", "Job completed", "",
                            ComponentOf(job));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> JobController::RemoveWhenOld(const Json& job) {
  const Json& ttl = At(job, "spec.ttlSecondsAfterFinished");
  if (!ttl.is_number()) return absl::InfiniteDuration();
  const Json& end =
      HasCondition(job, "Complete") ? ConditionOf(job, "Complete") : ConditionOf(job, "Failed");
  const absl::Duration left = ReadTimestamp(TextAt(end, "lastTransitionTime")) +
                              absl::Seconds(ttl.get<int64_t>()) - context_.clock->Now();
  if (left > absl::ZeroDuration()) return left;
  const absl::Status removed = context_.store->Remove(KeyOf(job), UidOf(job));
  if (!absl::IsNotFound(removed)) CRISP_RETURN_IF_ERROR(removed);
  return absl::InfiniteDuration();
}

absl::StatusOr<absl::Duration> JobController::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> found = context_.store->Get(key);
  if (!found.ok() || IsBeingDeleted(**found)) return absl::InfiniteDuration();
  if (IsOver(**found)) return RemoveWhenOld(**found);
  CRISP_ASSIGN_OR_RETURN(const std::vector<ObjectPtr> pods,
                         ClaimDependents(context_, **found, "Pod"));
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr job, CountPods(key, pods));
  std::vector<ObjectPtr> active;
  absl::Time last_failure = absl::InfinitePast();
  for (const ObjectPtr& pod : pods) {
    if (IsPodActive(*pod)) active.push_back(pod);
    if (PhaseOf(*pod) == "Failed") last_failure = std::max(last_failure, EndOf(*pod));
  }
  if (const Failure failure = WhyFailed(*job, active); !failure.reason.empty()) {
    CRISP_RETURN_IF_ERROR(Finish(*job, active, failure));
    return absl::ZeroDuration();  // Its time to live begins.
  }
  if (IsComplete(*job, active.size())) {
    CRISP_RETURN_IF_ERROR(Finish(*job, active, {}));
    return absl::ZeroDuration();
  }
  if (TruthAt(*job, "spec.suspend")) {
    CRISP_RETURN_IF_ERROR(Suspend(*job, active));
    return absl::InfiniteDuration();
  }
  if (HasCondition(*job, "Suspended")) {
    context_.events->Record(*job, EventType::kNormal, "Resumed", "Job resumed", "",
                            ComponentOf(*job));
    CRISP_RETURN_IF_ERROR(context_.store
                              ->Update(key,
                                       [&](Json& object) {
                                         SetCondition(&object, "Suspended", "False", "JobResumed",
                                                      "Job resumed", context_.clock->Now());
                                         return absl::OkStatus();
                                       })
                              .status());
  }
  return Work(*job, std::move(active), last_failure);
}

}  // namespace crisp::agent
