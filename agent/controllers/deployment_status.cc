#include "agent/controllers/deployment_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/controllers/pod_facts.h"
#include "agent/objects/int_or_percent.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

int64_t Bound(const Json& deployment, const char* field, int64_t replicas, bool round_up) {
  const Json& value = At(At(deployment, "spec.strategy.rollingUpdate"), field);
  const auto parsed = IntOrPercent::Parse(value);
  return parsed.ok() ? parsed->Of(replicas, round_up) : 0;
}

struct Counts {
  int64_t replicas = 0, updated = 0, ready = 0, available = 0;

  bool Progressed(const Counts& before) const {
    return updated > before.updated || ready > before.ready || available > before.available ||
           replicas - updated < before.replicas - before.updated;
  }
};

Counts Before(const Json& deployment) {
  return {NumberAt(deployment, "status.replicas"), NumberAt(deployment, "status.updatedReplicas"),
          NumberAt(deployment, "status.readyReplicas"),
          NumberAt(deployment, "status.availableReplicas")};
}

void SetAvailable(Json* object, const Counts& counts, absl::Time now) {
  const int64_t least = NumberAt(*object, "spec.replicas", 1) - BoundsOf(*object).unavailable;
  if (counts.available >= least) {
    SetCondition(object, "Available", "True", "MinimumReplicasAvailable",
                 "Deployment has minimum availability.", now);
  } else {
    SetCondition(object, "Available", "False", "MinimumReplicasUnavailable",
                 "Deployment does not have minimum availability.", now);
  }
}

void Progress(Json* object, const std::string& status, const std::string& reason,
              const std::string& message, bool moved, absl::Time now) {
  SetCondition(object, "Progressing", status, reason, message, now);
  for (Json& condition : (*object)["status"]["conditions"]) {
    if (TextAt(condition, "type") != "Progressing") continue;
    if (moved || !condition.contains("lastUpdateTime")) {
      condition["lastUpdateTime"] = Timestamp(now);
    }
  }
}

// Answers when the deadline is to be looked at.
absl::Duration SetProgressing(Json* object, const ReplicaSets& sets, const Counts& counts,
                              const Counts& before, absl::Time now) {
  const std::string set = sets.current == nullptr ? "" : KeyOf(*sets.current).name;
  const Json& old = ConditionOf(*object, "Progressing");
  const std::string reason = TextAt(old, "reason");
  if (TruthAt(*object, "spec.paused")) {
    if (reason != "DeploymentPaused") {
      Progress(object, "Unknown", "DeploymentPaused", "Deployment is paused", true, now);
    }
    return absl::InfiniteDuration();
  }
  if (IsComplete(*object)) {
    Progress(object, "True", "NewReplicaSetAvailable",
             absl::StrCat("ReplicaSet \"", set, "\" has successfully progressed."),
             reason != "NewReplicaSetAvailable", now);
    return absl::InfiniteDuration();
  }
  if (counts.Progressed(before) || old.is_null() || reason == "NewReplicaSetAvailable" ||
      reason == "DeploymentPaused") {
    Progress(object, "True", "ReplicaSetUpdated",
             absl::StrCat("ReplicaSet \"", set, "\" is progressing."), true, now);
  }
  if (TextAt(ConditionOf(*object, "Progressing"), "reason") == "ProgressDeadlineExceeded") {
    return absl::InfiniteDuration();
  }
  const absl::Time since =
      ReadTimestamp(TextAt(ConditionOf(*object, "Progressing"), "lastUpdateTime"));
  const absl::Duration left =
      since + absl::Seconds(NumberAt(*object, "spec.progressDeadlineSeconds", 600)) - now;
  if (left > absl::ZeroDuration()) return left;
  Progress(object, "False", "ProgressDeadlineExceeded",
           absl::StrCat("ReplicaSet \"", set, "\" has timed out progressing."), true, now);
  return absl::InfiniteDuration();
}

}  // namespace

RollingBounds BoundsOf(const Json& deployment) {
  if (TextAt(deployment, "spec.strategy.type") == "Recreate") return {};
  const int64_t replicas = NumberAt(deployment, "spec.replicas", 1);
  RollingBounds bounds{Bound(deployment, "maxSurge", replicas, /*round_up=*/true),
                       Bound(deployment, "maxUnavailable", replicas, /*round_up=*/false)};
  // Percentages of a few pods can both come to nothing; then no pod could ever be moved.
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  bounds.unavailable = std::min(bounds.unavailable, replicas);
  return bounds;
}

int64_t SpecReplicas(const std::vector<ObjectPtr>& sets) {
  int64_t sum = 0;
  for (const ObjectPtr& set : sets) sum += NumberAt(*set, "spec.replicas", 1);
  return sum;
}

int64_t StatusSum(const std::vector<ObjectPtr>& sets, const char* field) {
  int64_t sum = 0;
  for (const ObjectPtr& set : sets) sum += NumberAt(At(*set, "status"), field);
  return sum;
}

bool IsComplete(const Json& deployment) {
  const int64_t wanted = NumberAt(deployment, "spec.replicas", 1);
  const Counts counts = Before(deployment);
  return counts.updated == wanted && counts.replicas == wanted && counts.available == wanted &&
         NumberAt(deployment, "status.observedGeneration") >=
             NumberAt(deployment, "metadata.generation");
}

absl::StatusOr<absl::Duration> UpdateDeploymentStatus(const ControllerContext& context,
                                                      const Json& deployment,
                                                      const ReplicaSets& sets) {
  const std::vector<ObjectPtr> all = sets.All();
  Counts counts{StatusSum(all, "replicas"), 0, StatusSum(all, "readyReplicas"),
                StatusSum(all, "availableReplicas")};
  if (sets.current != nullptr) counts.updated = NumberAt(*sets.current, "status.replicas");
  const absl::Time now = context.clock->Now();
  absl::Duration again = absl::InfiniteDuration();
  const absl::Status updated =
      context.store
          ->Update(KeyOf(deployment),
                   [&](Json& object) {
                     const Counts before = Before(object);
                     Json& status = object["status"];
                     if (!status.is_object()) status = Json::object();
                     status["observedGeneration"] = NumberAt(deployment, "metadata.generation");
                     status["replicas"] = counts.replicas;
                     status["updatedReplicas"] = counts.updated;
                     status["readyReplicas"] = counts.ready;
                     status["availableReplicas"] = counts.available;
                     status["unavailableReplicas"] = std::max<int64_t>(
                         0, std::max(counts.replicas, NumberAt(object, "spec.replicas", 1)) -
                                counts.available);
                     SetAvailable(&object, counts, now);
                     again = SetProgressing(&object, sets, counts, before, now);
                     return absl::OkStatus();
                   })
          .status();
  if (!absl::IsNotFound(updated)) CRISP_RETURN_IF_ERROR(updated);
  return again;
}

}  // namespace crisp::agent
