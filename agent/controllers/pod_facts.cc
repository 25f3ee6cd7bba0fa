#include "agent/controllers/pod_facts.h"

#include <algorithm>

namespace crisp::agent {

std::string PhaseOf(const Json& pod) { return TextAt(pod, "status.phase", "Pending"); }

bool IsPodFinished(const Json& pod) {
  const std::string phase = PhaseOf(pod);
  return phase == "Succeeded" || phase == "Failed";
}

bool IsPodActive(const Json& pod) { return !IsPodFinished(pod) && !IsBeingDeleted(pod); }

const Json& ConditionOf(const Json& object, const std::string& type) {
  static const Json* const none = new Json();
  const Json& conditions = At(object, "status.conditions");
  if (!conditions.is_array()) return *none;
  for (const Json& condition : conditions) {
    if (TextAt(condition, "type") == type) return condition;
  }
  return *none;
}

void SetCondition(Json* object, const std::string& type, const std::string& status,
                  const std::string& reason, const std::string& message, absl::Time now) {
  Json& all = (*object)["status"]["conditions"];
  if (!all.is_array()) all = Json::array();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Json& one) { return TextAt(one, "type") == type; });
  Json& condition = found != all.end() ? *found : (all.push_back({{"type", type}}), all.back());
  if (TextAt(condition, "status") != status) {
    condition["status"] = status;
    condition["lastTransitionTime"] = Timestamp(now);
  }
  for (const auto& [field, text] : {std::pair{"reason", &reason}, std::pair{"message", &message}}) {
    if (text->empty()) {
      condition.erase(field);
    } else {
      condition[field] = *text;
    }
  }
}

bool IsPodReady(const Json& pod) { return TextAt(ConditionOf(pod, "Ready"), "status") == "True"; }

absl::Time ReadySince(const Json& pod) {
  if (!IsPodReady(pod)) return absl::InfiniteFuture();
  return ReadTimestamp(TextAt(ConditionOf(pod, "Ready"), "lastTransitionTime"));
}

bool IsPodAvailable(const Json& pod, absl::Duration min_ready, absl::Time now,
                    absl::Duration* again) {
  if (!IsPodReady(pod)) return false;
  if (min_ready <= absl::ZeroDuration()) return true;
  const absl::Duration left = ReadySince(pod) + min_ready - now;
  if (left <= absl::ZeroDuration()) return true;
  *again = std::min(*again, left);
  return false;
}

int64_t RestartsOf(const Json& pod) {
  int64_t restarts = 0;
  for (const char* list : {"status.initContainerStatuses", "status.containerStatuses"}) {
    const Json& statuses = At(pod, list);
    if (!statuses.is_array()) continue;
    for (const Json& status : statuses) restarts += NumberAt(status, "restartCount");
  }
  return restarts;
}

std::optional<Owner> ControllerOf(const Json& object) {
  const Json& owners = At(object, "metadata.ownerReferences");
  if (!owners.is_array()) return std::nullopt;
  for (const Json& owner : owners) {
    if (!TruthAt(owner, "controller")) continue;
    return Owner{TextAt(owner, "kind"), TextAt(owner, "name"), TextAt(owner, "uid")};
  }
  return std::nullopt;
}

bool IsControlledBy(const Json& object, const Json& owner) {
  const std::optional<Owner> controller = ControllerOf(object);
  return controller.has_value() && controller->uid == UidOf(owner);
}

Json OwnerReference(const Json& owner) {
  return {{"apiVersion", TextAt(owner, "apiVersion")},
          {"kind", TextAt(owner, "kind")},
          {"name", TextAt(owner, "metadata.name")},
          {"uid", UidOf(owner)},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

}  // namespace crisp::agent
