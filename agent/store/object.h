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

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

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

// The value at "spec.replicas", say, or null. Never throws.
const Json& At(const Json& object, absl::string_view path);
// The text, number or truth at a path, or `otherwise` if another thing stands there.
std::string TextAt(const Json& object, absl::string_view path, absl::string_view otherwise = "");
int64_t NumberAt(const Json& object, absl::string_view path, int64_t otherwise = 0);
bool TruthAt(const Json& object, absl::string_view path, bool otherwise = false);

// The value of a label or an annotation, or empty.
std::string LabelOf(const Json& object, const std::string& key);
std::string AnnotationOf(const Json& object, const std::string& key);

// The object as JSON text. What is not UTF-8 is replaced, so that no text of a
// container can make this fail.
std::string ToText(const Json& object);

// "2026-03-01T08:30:00Z", as metadata's timestamps are; and back, InfiniteFuture for
// what is no such time.
std::string Timestamp(absl::Time time);
absl::Time ReadTimestamp(absl::string_view text);

// A random UUID (version 4).
std::string NewUid();

// "pods" for Pod, "deployments.apps" for Deployment: the name that Kubernetes' messages
// give a kind.
std::string ResourceOf(absl::string_view kind);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STORE_OBJECT_H_
