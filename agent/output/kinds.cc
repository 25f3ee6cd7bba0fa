#include "agent/output/kinds.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace crisp::cli {

std::string KindInfo::Qualified() const {
  return *group == '\0' ? singular : absl::StrCat(singular, ".", group);
}

const std::vector<KindInfo>& AllKinds() {
  static const auto* const kinds = new std::vector<KindInfo>{
      {"ConfigMap", "configmap", "configmaps", "cm", "", "v1", true, false},
      {"Endpoints", "endpoints", "endpoints", "ep", "", "v1", true, false},
      {"Event", "event", "events", "ev", "", "v1", true, false},
      {"Node", "node", "nodes", "no", "", "v1", false, false},
      {"Pod", "pod", "pods", "po", "", "v1", true, true},
      {"ReplicationController", "replicationcontroller", "replicationcontrollers", "rc", "", "v1",
       true, true},
      {"Secret", "secret", "secrets", "", "", "v1", true, false},
      {"DaemonSet", "daemonset", "daemonsets", "ds", "apps", "apps/v1", true, true},
      {"Deployment", "deployment", "deployments", "deploy", "apps", "apps/v1", true, true},
      {"ReplicaSet", "replicaset", "replicasets", "rs", "apps", "apps/v1", true, true},
      {"Job", "job", "jobs", "", "batch", "batch/v1", true, true},
  };
  return *kinds;
}

const KindInfo* FindKind(absl::string_view word) {
  const std::string lower = absl::AsciiStrToLower(word);
  for (const KindInfo& info : AllKinds()) {
    absl::string_view name = lower;
    if (*info.group != '\0') {
      absl::ConsumeSuffix(&name, absl::StrCat(".v1.", info.group));
      absl::ConsumeSuffix(&name, absl::StrCat(".", info.group));
    }
    if (name == info.singular || name == info.plural ||
        (*info.short_name != '\0' && name == info.short_name)) {
      return &info;
    }
  }
  return nullptr;
}

absl::StatusOr<const KindInfo*> ParseKind(absl::string_view word) {
  if (const KindInfo* info = FindKind(word)) return info;
  return absl::InvalidArgumentError(absl::StrCat("the server doesn't have a resource type \"",
                                                 absl::Utf8SafeCEscape(word),
                                                 "\"; \"crisp api-resources\" lists them"));
}

const KindInfo* KindOfObject(absl::string_view kind) {
  for (const KindInfo& info : AllKinds()) {
    if (kind == info.kind) return &info;
  }
  return nullptr;
}

}  // namespace crisp::cli
