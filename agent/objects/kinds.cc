#include "agent/objects/kinds.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace crisp::agent {
namespace {

constexpr KindInfo kKinds[] = {
    {.kind = "ConfigMap", .api_version = "v1"},
    {.kind = "DaemonSet", .api_version = "apps/v1", .controller = true},
    {.kind = "Deployment", .api_version = "apps/v1", .controller = true},
    {.kind = "Endpoints", .api_version = "v1", .made_by_agent = true},
    {.kind = "Event", .api_version = "v1", .made_by_agent = true},
    {.kind = "Job", .api_version = "batch/v1", .controller = true},
    {.kind = "Node", .api_version = "v1", .namespaced = false, .made_by_agent = true},
    {.kind = "Pod", .api_version = "v1"},
    {.kind = "ReplicaSet", .api_version = "apps/v1", .controller = true},
    {.kind = "ReplicationController", .api_version = "v1", .controller = true},
    {.kind = "Secret", .api_version = "v1"},
};

}  // namespace

absl::Span<const KindInfo> AllKinds() { return kKinds; }

absl::StatusOr<const KindInfo*> FindKind(absl::string_view kind) {
  for (const KindInfo& known : kKinds) {
    if (kind == known.kind) return &known;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no matches for kind \"", absl::Utf8SafeCEscape(kind), "\""));
}

absl::StatusOr<ObjectKey> ResolveKey(absl::string_view kind, absl::string_view ns,
                                     absl::string_view name) {
  const absl::StatusOr<const KindInfo*> info = FindKind(kind);
  if (!info.ok()) return info.status();
  ObjectKey key{std::string(kind), std::string(ns), std::string(name)};
  if (!(*info)->namespaced) key.ns.clear();
  if ((*info)->namespaced && key.ns.empty()) key.ns = "default";
  return key;
}

}  // namespace crisp::agent
