#include "agent/controllers/garbage_collector.h"

#include "agent/controllers/pod_facts.h"
#include "agent/objects/changes.h"
#include "agent/objects/kinds.h"
#include "base/status_macros.h"

namespace crisp::agent {

absl::StatusOr<absl::Duration> GarbageCollector::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> object = context_.store->Get(key);
  if (!object.ok() || IsBeingDeleted(**object)) return absl::InfiniteDuration();
  const Json& owners = At(**object, "metadata.ownerReferences");
  if (!owners.is_array() || owners.empty()) return absl::InfiniteDuration();
  for (const Json& owner : owners) {
    const auto kind = FindKind(TextAt(owner, "kind"));
    // An owner of a kind that is not known here is somebody else's business.
    if (!kind.ok()) return absl::InfiniteDuration();
    const absl::StatusOr<ObjectPtr> found = context_.store->Get(
        {TextAt(owner, "kind"), (*kind)->namespaced ? key.ns : "", TextAt(owner, "name")});
    if (found.ok() && UidOf(**found) == TextAt(owner, "uid")) return absl::InfiniteDuration();
  }
  DeleteOptions options;
  options.uid = UidOf(**object);
  const absl::Status deleted = DeleteObject(context_.store, context_.clock, key, options).status();
  if (!absl::IsNotFound(deleted) && !absl::IsFailedPrecondition(deleted)) {
    CRISP_RETURN_IF_ERROR(deleted);
  }
  return absl::InfiniteDuration();
}

}  // namespace crisp::agent
