// What a user does to objects: create, apply, patch, scale, label, delete.
//
// Each checks, fills in what an API server fills in, and writes to the store in one step.
// Controllers write to the store themselves.
//
// Threads: free functions; safe beside each other.
// Errors:  as api/agent/v1/agent.proto lists them, in Kubernetes' words. A dry run has the
//          same answers and changes nothing.
#ifndef CRISP_AGENT_OBJECTS_CHANGES_H_
#define CRISP_AGENT_OBJECTS_CHANGES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/store/object_store.h"
#include "base/clock.h"

namespace crisp::agent {

inline constexpr char kLastApplied[] = "kubectl.kubernetes.io/last-applied-configuration";
// On a pod whose source is a file or a URL and not an object.
inline constexpr char kConfigSource[] = "kubernetes.io/config.source";
// Beside it: the file, or the URL.
inline constexpr char kConfigPath[] = "crisp.io/config.path";

struct Changed {
  enum class What { kUnchanged, kCreated, kConfigured };
  ObjectPtr object;
  What what = What::kUnchanged;
  std::vector<std::string> warnings;
};

absl::StatusOr<Changed> CreateObject(ObjectStore* store, Json object, bool dry_run);
absl::StatusOr<Changed> ApplyObject(ObjectStore* store, Json object, bool dry_run);

// An RFC 7386 merge patch. What was applied last stays as it was.
absl::StatusOr<Changed> PatchObject(ObjectStore* store, const ObjectKey& key, const Json& patch);

absl::StatusOr<Changed> ScaleObject(ObjectStore* store, const ObjectKey& key, int32_t replicas,
                                    std::optional<int32_t> current);

struct LabelChange {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
  bool overwrite = false;
};
absl::StatusOr<Changed> LabelObject(ObjectStore* store, const ObjectKey& key,
                                    const LabelChange& change);

struct DeleteOptions {
  std::optional<int64_t> grace_period_seconds;
  bool orphan = false;
  std::string uid;
};
// Pods that run are marked, and their containers ended by whoever runs them; everything
// else is gone at once. Dependents go with their owner, soon after.
absl::StatusOr<ObjectPtr> DeleteObject(ObjectStore* store, Clock* clock, const ObjectKey& key,
                                       const DeleteOptions& options);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_CHANGES_H_
