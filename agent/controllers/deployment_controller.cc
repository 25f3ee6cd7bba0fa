#include "agent/controllers/deployment_controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/controllers/dependents.h"
#include "agent/controllers/deployment_status.h"
#include "agent/controllers/pod_facts.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kRevision[] = "deployment.kubernetes.io/revision";
constexpr char kDesired[] = "deployment.kubernetes.io/desired-replicas";
constexpr char kHashLabel[] = "pod-template-hash";
constexpr char kComponent[] = "deployment-controller";

int64_t Replicas(const Json& object) { return NumberAt(object, "spec.replicas", 1); }

int64_t RevisionOf(const Json& object) {
  int64_t revision = 0;
  return absl::SimpleAtoi(AnnotationOf(object, kRevision), &revision) ? revision : 0;
}

// The template of a set without the label that the deployment gave it.
Json PlainTemplate(const Json& set) {
  Json out = At(set, "spec.template");
  if (out.is_object() && At(out, "metadata.labels").is_object()) {
    out["metadata"]["labels"].erase(kHashLabel);
  }
  return out;
}

bool MadeBefore(const ObjectPtr& a, const ObjectPtr& b) {
  const absl::Time a_made = ReadTimestamp(TextAt(*a, "metadata.creationTimestamp"));
  const absl::Time b_made = ReadTimestamp(TextAt(*b, "metadata.creationTimestamp"));
  if (a_made != b_made) return a_made < b_made;
  if (RevisionOf(*a) != RevisionOf(*b)) return RevisionOf(*a) < RevisionOf(*b);
  return KeyOf(*a).name < KeyOf(*b).name;
}

// True once the set's own controller has done what its spec says and counted.
bool IsSettled(const Json& set) {
  return NumberAt(set, "status.observedGeneration", 0) >= NumberAt(set, "metadata.generation", 1);
}

}  // namespace

std::vector<ObjectPtr> ReplicaSets::All() const {
  std::vector<ObjectPtr> all = old;
  if (current != nullptr) all.push_back(current);
  return all;
}

absl::StatusOr<ReplicaSets> DeploymentController::FindSets(const Json& deployment) {
  CRISP_ASSIGN_OR_RETURN(std::vector<ObjectPtr> all,
                         ClaimDependents(context_, deployment, "ReplicaSet"));
  std::sort(all.begin(), all.end(), MadeBefore);
  ReplicaSets sets;
  const Json& wanted = At(deployment, "spec.template");
  for (ObjectPtr& set : all) {
    if (sets.current == nullptr && PlainTemplate(*set) == wanted) {
      sets.current = std::move(set);
    } else {
      sets.old.push_back(std::move(set));
    }
  }
  return sets;
}

absl::Status DeploymentController::MakeCurrent(const Json& deployment, ReplicaSets* sets) {
  if (sets->current != nullptr) return absl::OkStatus();
  const ObjectKey key = KeyOf(deployment);
  Json pod_template = At(deployment, "spec.template");
  std::string hash = TemplateHash(pod_template);
  for (int collisions = 0;; ++collisions) {
    if (collisions > 0) {
      hash = TemplateHash(Json::array({At(deployment, "spec.template"), collisions}));
    }
    pod_template["metadata"]["labels"][kHashLabel] = hash;
    Json selector = At(deployment, "spec.selector");
    selector["matchLabels"][kHashLabel] = hash;
    Json set = {{"apiVersion", "apps/v1"},
                {"kind", "ReplicaSet"},
                {"metadata",
                 {{"name", absl::StrCat(key.name, "-", hash)},
                  {"namespace", key.ns},
                  {"labels", At(pod_template, "metadata.labels")},
                  {"ownerReferences", Json::array({OwnerReference(deployment)})}}},
                {"spec", {{"replicas", 0}, {"selector", selector}, {"template", pod_template}}},
                {"status", Json::object()}};
    if (const Json& ready = At(deployment, "spec.minReadySeconds"); !ready.is_null()) {
      set["spec"]["minReadySeconds"] = ready;
    }
    absl::StatusOr<ObjectPtr> made = context_.store->Create(std::move(set));
    if (absl::IsAlreadyExists(made.status()) && collisions < 10) continue;
    if (!made.ok()) return made.status();
    sets->current = *std::move(made);
    return absl::OkStatus();
  }
}

absl::Status DeploymentController::SetRevision(const ObjectKey& key, const ReplicaSets& sets) {
  if (sets.current == nullptr) return absl::OkStatus();
  int64_t highest = 0;
  for (const ObjectPtr& set : sets.old) highest = std::max(highest, RevisionOf(*set));
  const int64_t revision = std::max(RevisionOf(*sets.current), highest + 1);
  const auto annotate = [&](Json& object) {
    object["metadata"]["annotations"][kRevision] = absl::StrCat(revision);
    return absl::OkStatus();
  };
  CRISP_RETURN_IF_ERROR(context_.store->Update(KeyOf(*sets.current), annotate).status());
  return context_.store->Update(key, annotate).status();
}

absl::Status DeploymentController::Scale(const Json& deployment, const Json& set,
                                         int64_t replicas) {
  int64_t before = 0;
  CRISP_RETURN_IF_ERROR(context_.store
                            ->Update(KeyOf(set),
                                     [&](Json& object) {
                                       before = Replicas(object);
                                       object["spec"]["replicas"] = replicas;
                                       object["metadata"]["annotations"][kDesired] =
                                           absl::StrCat(Replicas(deployment));
                                       return absl::OkStatus();
                                     })
                            .status());
  if (before == replicas) return absl::OkStatus();
  context_.events->Record(
      deployment, EventType::kNormal, "ScalingReplicaSet",
      absl::StrCat("Scaled ", replicas > before ? "up" : "down", " replica set ", KeyOf(set).name,
                   " from ", before, " to ", replicas),
      "", kComponent);
  return absl::OkStatus();
}

// Without a rollout only the number can change: of the set that has the most to do with it.
absl::Status DeploymentController::ScalePaused(const Json& deployment, const ReplicaSets& sets) {
  const std::vector<ObjectPtr> all = sets.All();
  if (all.empty()) return absl::OkStatus();
  ObjectPtr set = sets.current;
  if (set == nullptr || Replicas(*set) == 0) {
    for (const ObjectPtr& old : sets.old) {
      if (Replicas(*old) > 0) set = old;  // The newest of them.
    }
  }
  if (set == nullptr) set = all.back();
  const int64_t others = SpecReplicas(all) - Replicas(*set);
  return Scale(deployment, *set, std::max<int64_t>(0, Replicas(deployment) - others));
}

absl::Status DeploymentController::Recreate(const Json& deployment, ReplicaSets* sets) {
  bool scaled = false;
  for (const ObjectPtr& old : sets->old) {
    if (Replicas(*old) == 0) continue;
    CRISP_RETURN_IF_ERROR(Scale(deployment, *old, 0));
    scaled = true;
  }
  if (scaled) return absl::OkStatus();
  // The new pods wait until the old ones have ended, not only until they were told to.
  for (const ObjectPtr& pod : context_.store->List("Pod", KeyOf(deployment).ns)) {
    if (IsPodFinished(*pod)) continue;
    for (const ObjectPtr& old : sets->old) {
      if (IsControlledBy(*pod, *old)) return absl::OkStatus();
    }
  }
  CRISP_RETURN_IF_ERROR(MakeCurrent(deployment, sets));
  return Scale(deployment, *sets->current, Replicas(deployment));
}

absl::Status DeploymentController::ShrinkOld(const Json& deployment, const ReplicaSets& sets,
                                             int64_t unavailable) {
  const int64_t least = Replicas(deployment) - unavailable;
  const int64_t not_yet =
      Replicas(*sets.current) - NumberAt(*sets.current, "status.availableReplicas");
  int64_t spare = SpecReplicas(sets.All()) - least - not_yet;
  if (spare <= 0) return absl::OkStatus();
  std::vector<int64_t> left;
  for (const ObjectPtr& old : sets.old) left.push_back(Replicas(*old));
  // Pods that serve nobody go first.
  for (size_t i = 0; i < sets.old.size() && spare > 0; ++i) {
    const int64_t broken = left[i] - NumberAt(*sets.old[i], "status.availableReplicas");
    const int64_t less = std::clamp<int64_t>(broken, 0, spare);
    left[i] -= less;
    spare -= less;
  }
  int64_t surplus = StatusSum(sets.All(), "availableReplicas") - least;
  for (size_t i = 0; i < sets.old.size() && surplus > 0; ++i) {
    const int64_t less = std::min(left[i], surplus);
    left[i] -= less;
    surplus -= less;
  }
  for (size_t i = 0; i < sets.old.size(); ++i) {
    if (left[i] == Replicas(*sets.old[i])) continue;
    CRISP_RETURN_IF_ERROR(Scale(deployment, *sets.old[i], left[i]));
  }
  return absl::OkStatus();
}

absl::Status DeploymentController::Roll(const Json& deployment, ReplicaSets* sets) {
  CRISP_RETURN_IF_ERROR(MakeCurrent(deployment, sets));
  const int64_t wanted = Replicas(deployment);
  const RollingBounds bounds = BoundsOf(deployment);
  const int64_t current = Replicas(*sets->current);
  if (current > wanted) return Scale(deployment, *sets->current, wanted);
  if (current < wanted) {
    const int64_t room = wanted + bounds.surge - SpecReplicas(sets->All());
    if (room > 0) {
      return Scale(deployment, *sets->current, current + std::min(room, wanted - current));
    }
  }
  if (SpecReplicas(sets->old) == 0) return absl::OkStatus();
  // What the sets count must be of what they were last told.
  for (const ObjectPtr& set : sets->All()) {
    if (!IsSettled(*set)) return absl::OkStatus();
  }
  return ShrinkOld(deployment, *sets, bounds.unavailable);
}

absl::Status DeploymentController::RemoveOldRevisions(const Json& deployment,
                                                      const ReplicaSets& sets) {
  if (!IsComplete(deployment)) return absl::OkStatus();
  std::vector<ObjectPtr> empty;
  for (const ObjectPtr& set : sets.old) {
    if (Replicas(*set) == 0 && NumberAt(*set, "status.replicas") == 0 && IsSettled(*set)) {
      empty.push_back(set);
    }
  }
  std::sort(empty.begin(), empty.end(),
            [](const ObjectPtr& a, const ObjectPtr& b) { return RevisionOf(*a) < RevisionOf(*b); });
  const int64_t kept = NumberAt(deployment, "spec.revisionHistoryLimit", 10);
  const int64_t surplus = static_cast<int64_t>(empty.size()) - kept;
  for (int64_t i = 0; i < surplus; ++i) {
    const ObjectPtr& set = empty[static_cast<size_t>(i)];
    const absl::Status removed = context_.store->Remove(KeyOf(*set), UidOf(*set));
    if (!absl::IsNotFound(removed)) CRISP_RETURN_IF_ERROR(removed);
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> DeploymentController::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> deployment = context_.store->Get(key);
  if (!deployment.ok() || IsBeingDeleted(**deployment)) return absl::InfiniteDuration();
  const Json& object = **deployment;
  CRISP_ASSIGN_OR_RETURN(ReplicaSets sets, FindSets(object));
  if (TruthAt(object, "spec.paused")) {
    CRISP_RETURN_IF_ERROR(ScalePaused(object, sets));
  } else if (TextAt(object, "spec.strategy.type") == "Recreate") {
    CRISP_RETURN_IF_ERROR(Recreate(object, &sets));
    CRISP_RETURN_IF_ERROR(SetRevision(key, sets));
  } else {
    CRISP_RETURN_IF_ERROR(Roll(object, &sets));
    CRISP_RETURN_IF_ERROR(SetRevision(key, sets));
  }
  // As they are after this step.
  CRISP_ASSIGN_OR_RETURN(sets, FindSets(object));
  CRISP_ASSIGN_OR_RETURN(const absl::Duration again,
                         UpdateDeploymentStatus(context_, object, sets));
  const absl::StatusOr<ObjectPtr> now = context_.store->Get(key);
  if (now.ok()) CRISP_RETURN_IF_ERROR(RemoveOldRevisions(**now, sets));
  return again;
}

}  // namespace crisp::agent
