// An object of the agent: Kubernetes' own JSON, immutable once stored.
//
// Every object has apiVersion, kind and metadata (name, uid, resourceVersion,
// generation, creationTimestamp, and namespace unless its kind has none).
// Readers share one copy; a change makes a new one.
#ifndef CRISP_AGENT_STORE_OBJECT_H_
#define CRISP_AGENT_STORE_OBJECT_H_

#include <compare>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace crisp::agent {

using Json = nlohmann::json;
using ObjectPtr = std::shared_ptr<const Json>;

struct ObjectKey {
  std::string kind;  // "Pod", as in a manifest.
  std::string ns;    // Empty for kinds without a namespace (Node).
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
};

ObjectKey KeyOf(const Json& object);

// metadata.uid, or empty.
std::string UidOf(const Json& object);

// True once metadata.deletionTimestamp is set.
bool IsBeingDeleted(const Json& object);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STORE_OBJECT_H_
