// What a stored pod, or another dependent, says of itself.
//
// Threads: free functions over values.
#ifndef CRISP_AGENT_CONTROLLERS_POD_FACTS_H_
#define CRISP_AGENT_CONTROLLERS_POD_FACTS_H_

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "agent/store/object.h"

namespace crisp::agent {

std::string PhaseOf(const Json& pod);  // Pending if it does not say.
bool IsPodFinished(const Json& pod);   // Succeeded or Failed.
bool IsPodActive(const Json& pod);     // Neither finished nor being deleted.
bool IsPodReady(const Json& pod);
// Since when; InfiniteFuture while it is not.
absl::Time ReadySince(const Json& pod);
// Ready for that long. `again`, if it is not yet, is lowered to how long it will take.
bool IsPodAvailable(const Json& pod, absl::Duration min_ready, absl::Time now,
                    absl::Duration* again);
int64_t RestartsOf(const Json& pod);  // Of all its containers together.

// The condition of that type, or null.
const Json& ConditionOf(const Json& object, const std::string& type);
// Sets status.conditions' entry of that type. lastTransitionTime moves only when the
// status does.
void SetCondition(Json* object, const std::string& type, const std::string& status,
                  const std::string& reason, const std::string& message, absl::Time now);

struct Owner {
  std::string kind, name, uid;
};
// The owner that controls the object, if one does.
std::optional<Owner> ControllerOf(const Json& object);
bool IsControlledBy(const Json& object, const Json& owner);
Json OwnerReference(const Json& owner);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_POD_FACTS_H_
