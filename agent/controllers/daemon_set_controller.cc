#include "agent/controllers/daemon_set_controller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/controllers/dependents.h"
#include "agent/controllers/pod_affinity.h"
#include "agent/controllers/pod_facts.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kHashLabel[] = "controller-revision-hash";

bool MadeBefore(const ObjectPtr& a, const ObjectPtr& b) {
  const std::string a_made = TextAt(*a, "metadata.creationTimestamp");
  const std::string b_made = TextAt(*b, "metadata.creationTimestamp");
  return a_made != b_made ? a_made < b_made : KeyOf(*a).name < KeyOf(*b).name;
}

}  // namespace

absl::Status DaemonSetController::DeletePods(const Json& set, const std::vector<ObjectPtr>& pods,
                                             bool wanted, const std::string& hash) {
  const bool replace = TextAt(set, "spec.updateStrategy.type") == "RollingUpdate";
  bool kept = false;
  for (const ObjectPtr& pod : pods) {
    if (IsBeingDeleted(*pod)) continue;
    if (IsPodFinished(*pod)) {
      context_.events->Record(
          set, EventType::kWarning, "FailedDaemonPod",
          absl::StrCat("Found failed daemon pod ", KeyOf(*pod).ns, "/", KeyOf(*pod).name,
                       " on node ", context_.node_name, ", will try to kill it"),
          "", ComponentOf(set));
    }
    const bool outdated = replace && LabelOf(*pod, kHashLabel) != hash;
    if (wanted && !kept && !outdated && !IsPodFinished(*pod)) {
      kept = true;
      continue;
    }
    CRISP_RETURN_IF_ERROR(DeletePodOf(context_, set, *pod));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> DaemonSetController::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> set = context_.store->Get(key);
  const absl::StatusOr<ObjectPtr> node = context_.store->Get({"Node", "", context_.node_name});
  if (!set.ok() || IsBeingDeleted(**set) || !node.ok()) return absl::InfiniteDuration();
  const std::string hash = TemplateHash(At(**set, "spec.template"));
  const bool wanted = NodeMatches(At(**set, "spec.template.spec"), **node);
  CRISP_ASSIGN_OR_RETURN(std::vector<ObjectPtr> pods, ClaimDependents(context_, **set, "Pod"));
  std::sort(pods.begin(), pods.end(), MadeBefore);
  CRISP_RETURN_IF_ERROR(DeletePods(**set, pods, wanted, hash));
  // One pod at a time: the next is made when the last one is gone.
  bool any = false;
  for (const ObjectPtr& pod : context_.store->List("Pod", key.ns)) {
    any = any || IsControlledBy(*pod, **set);
  }
  if (wanted && !any) {
    CRISP_RETURN_IF_ERROR(CreatePodFor(context_, **set, {{kHashLabel, hash}}).status());
  }
  return UpdateStatus(**set, wanted, hash);
}

absl::StatusOr<absl::Duration> DaemonSetController::UpdateStatus(const Json& set, bool wanted,
                                                                 const std::string& hash) {
  const absl::Duration min_ready = absl::Seconds(NumberAt(set, "spec.minReadySeconds"));
  absl::Duration again = absl::InfiniteDuration();
  int64_t scheduled = 0, ready = 0, available = 0, updated = 0, misplaced = 0;
  for (const ObjectPtr& pod : context_.store->List("Pod", KeyOf(set).ns)) {
    if (!IsControlledBy(*pod, set) || !IsPodActive(*pod)) continue;
    if (!wanted) {
      ++misplaced;
      continue;
    }
    ++scheduled;
    ready += IsPodReady(*pod) ? 1 : 0;
    available += IsPodAvailable(*pod, min_ready, context_.clock->Now(), &again) ? 1 : 0;
    updated += LabelOf(*pod, kHashLabel) == hash ? 1 : 0;
  }
  const int64_t desired = wanted ? 1 : 0;
  const absl::Status written =
      context_.store
          ->Update(KeyOf(set),
                   [&](Json& object) {
                     object["status"] = {
                         {"observedGeneration", NumberAt(set, "metadata.generation")},
                         {"desiredNumberScheduled", desired},
                         {"currentNumberScheduled", std::min(scheduled, desired)},
                         {"numberMisscheduled", misplaced},
                         {"numberReady", ready},
                         {"numberAvailable", available},
                         {"numberUnavailable", std::max<int64_t>(0, desired - available)},
                         {"updatedNumberScheduled", updated}};
                     return absl::OkStatus();
                   })
          .status();
  if (!absl::IsNotFound(written)) CRISP_RETURN_IF_ERROR(written);
  return again;
}

}  // namespace crisp::agent
