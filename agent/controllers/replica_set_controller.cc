#include "agent/controllers/replica_set_controller.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "agent/controllers/dependents.h"
#include "agent/controllers/pod_facts.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kDeletionCost[] = "controller.kubernetes.io/pod-deletion-cost";
// At most so many in one step; the next follows when these are there.
constexpr int64_t kBurst = 500;

int PhaseRank(const Json& pod) {
  const std::string phase = PhaseOf(pod);
  return phase == "Pending" ? 0 : phase == "Unknown" ? 1 : 2;
}

int64_t DeletionCost(const Json& pod) {
  int64_t cost = 0;
  return absl::SimpleAtoi(AnnotationOf(pod, kDeletionCost), &cost) ? cost : 0;
}

bool HasTemplateLabels(const Json& set, const Json& pod) {
  const Json& labels = At(set, "spec.template.metadata.labels");
  if (!labels.is_object()) return true;
  for (const auto& [key, value] : labels.items()) {
    if (LabelOf(pod, key) != value) return false;
  }
  return true;
}

}  // namespace

bool GoesFirst(const Json& a, const Json& b) {
  const bool a_placed = !TextAt(a, "spec.nodeName").empty();
  const bool b_placed = !TextAt(b, "spec.nodeName").empty();
  if (a_placed != b_placed) return !a_placed;
  if (PhaseRank(a) != PhaseRank(b)) return PhaseRank(a) < PhaseRank(b);
  if (IsPodReady(a) != IsPodReady(b)) return !IsPodReady(a);
  if (DeletionCost(a) != DeletionCost(b)) return DeletionCost(a) < DeletionCost(b);
  if (ReadySince(a) != ReadySince(b)) return ReadySince(a) > ReadySince(b);
  if (RestartsOf(a) != RestartsOf(b)) return RestartsOf(a) > RestartsOf(b);
  const absl::Time a_made = ReadTimestamp(TextAt(a, "metadata.creationTimestamp"));
  const absl::Time b_made = ReadTimestamp(TextAt(b, "metadata.creationTimestamp"));
  if (a_made != b_made) return a_made > b_made;
  return KeyOf(a).name < KeyOf(b).name;
}

absl::Status ReplicaSetController::MakePods(const Json& set, int64_t missing) {
  for (int64_t i = 0; i < std::min(missing, kBurst); ++i) {
    CRISP_RETURN_IF_ERROR(CreatePodFor(context_, set).status());
  }
  return absl::OkStatus();
}

absl::Status ReplicaSetController::DeleteSurplus(const Json& set, std::vector<ObjectPtr> active,
                                                 int64_t surplus) {
  std::sort(active.begin(), active.end(),
            [](const ObjectPtr& a, const ObjectPtr& b) { return GoesFirst(*a, *b); });
  for (size_t i = 0; i < static_cast<size_t>(surplus) && i < active.size(); ++i) {
    CRISP_RETURN_IF_ERROR(DeletePodOf(context_, set, *active[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ReplicaSetController::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> set = context_.store->Get(key);
  if (!set.ok() || IsBeingDeleted(**set)) return absl::InfiniteDuration();
  CRISP_ASSIGN_OR_RETURN(std::vector<ObjectPtr> pods, ClaimDependents(context_, **set, "Pod"));
  std::vector<ObjectPtr> active;
  std::copy_if(pods.begin(), pods.end(), std::back_inserter(active),
               [](const ObjectPtr& pod) { return IsPodActive(*pod); });
  const int64_t difference =
      NumberAt(**set, "spec.replicas", 1) - static_cast<int64_t>(active.size());
  absl::Status changed;
  if (difference > 0) changed = MakePods(**set, difference);
  if (difference < 0) changed = DeleteSurplus(**set, std::move(active), -difference);
  CRISP_ASSIGN_OR_RETURN(absl::Duration again, UpdateStatus(**set, !changed.ok()));
  CRISP_RETURN_IF_ERROR(changed);
  if (difference > kBurst) again = absl::ZeroDuration();
  return again;
}

absl::StatusOr<absl::Duration> ReplicaSetController::UpdateStatus(const Json& set, bool failed) {
  const absl::Duration min_ready = absl::Seconds(NumberAt(set, "spec.minReadySeconds"));
  const absl::Time now = context_.clock->Now();
  absl::Duration again = absl::InfiniteDuration();
  int64_t replicas = 0, labelled = 0, ready = 0, available = 0;
  for (const ObjectPtr& pod : context_.store->List("Pod", KeyOf(set).ns)) {
    if (!IsControlledBy(*pod, set) || !IsPodActive(*pod)) continue;
    ++replicas;
    labelled += HasTemplateLabels(set, *pod) ? 1 : 0;
    ready += IsPodReady(*pod) ? 1 : 0;
    available += IsPodAvailable(*pod, min_ready, now, &again) ? 1 : 0;
  }
  const int64_t seen = NumberAt(set, "metadata.generation");
  const absl::Status updated =
      context_.store
          ->Update(KeyOf(set),
                   [&](Json& object) {
                     Json& status = object["status"];
                     if (!status.is_object()) status = Json::object();
                     status["replicas"] = replicas;
                     status["fullyLabeledReplicas"] = labelled;
                     status["readyReplicas"] = ready;
                     status["availableReplicas"] = available;
                     status["observedGeneration"] = seen;
                     if (failed) {
                       SetCondition(&object, "ReplicaFailure", "True", "FailedCreate",
                                    "a pod could not be made; see the events", now);
                     } else {
                       status.erase("conditions");
                     }
                     return absl::OkStatus();
                   })
          .status();
  if (!absl::IsNotFound(updated)) CRISP_RETURN_IF_ERROR(updated);
  return again;
}

}  // namespace crisp::agent
