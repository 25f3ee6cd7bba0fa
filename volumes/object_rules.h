// What Kubernetes' API server checks about a ConfigMap or a Secret, checked here
// because there is no API server between us and the client.
//
// Threads: free functions.
// Errors:  InvalidArgument and FailedPrecondition name object, key and rule.
//          Values are never part of a message.
#ifndef CRISP_VOLUMES_OBJECT_RULES_H_
#define CRISP_VOLUMES_OBJECT_RULES_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::volumes {

enum class ObjectKind { kConfigMap, kSecret };

// "configMap" or "secret", as the volume source in a pod is called.
const char* KindWord(ObjectKind kind);

// "configMap default/web".
std::string ObjectName(ObjectKind kind, absl::string_view ns, absl::string_view name);

inline constexpr size_t kMaxObjectBytes = 1 << 20;
inline constexpr size_t kMaxAnnotationBytes = 256 << 10;

// OK, or what is wrong with a data key: "is longer than 253 characters", ...
absl::Status CheckDataKey(absl::string_view key);

// Sets what the API would default: the namespace, a secret's type.
void SetDefaults(v1::ConfigMap& object);
void SetDefaults(v1::Secret& object);

// For objects that have their defaults.
absl::Status Validate(const v1::ConfigMap& object);
absl::Status Validate(const v1::Secret& object);

// FailedPrecondition when `now` may not follow `before`.
absl::Status ValidateUpdate(const v1::ConfigMap& before, const v1::ConfigMap& now);
absl::Status ValidateUpdate(const v1::Secret& before, const v1::Secret& now);

// Equal but for created_at and resource_version.
bool SameContent(const v1::ConfigMap& a, const v1::ConfigMap& b);
bool SameContent(const v1::Secret& a, const v1::Secret& b);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_OBJECT_RULES_H_
