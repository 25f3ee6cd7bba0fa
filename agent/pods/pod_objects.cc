#include "agent/pods/pod_objects.h"

#include <algorithm>
#include <functional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

const char* KindOf(ObjectKind kind) {
  return kind == ObjectKind::kConfigMap ? "ConfigMap" : "Secret";
}

// Calls `visit` for each object that the volumes name.
void ForEachObject(const Pod& pod,
                   const std::function<void(const std::string& volume, ObjectKind kind,
                                            const std::string& name, bool optional)>& visit) {
  for (const Json& volume : pod.volumes) {
    const std::string volume_name = TextAt(volume, "name");
    const auto source = [&](const Json& from, const char* secret_field) {
      if (const Json& map = At(from, "configMap"); map.is_object()) {
        visit(volume_name, ObjectKind::kConfigMap, TextAt(map, "name"), TruthAt(map, "optional"));
      }
      if (const Json& secret = At(from, "secret"); secret.is_object()) {
        visit(volume_name, ObjectKind::kSecret, TextAt(secret, secret_field),
              TruthAt(secret, "optional"));
      }
    };
    source(volume, "secretName");
    const Json& sources = At(volume, "projected.sources");
    if (!sources.is_array()) continue;
    for (const Json& one : sources) source(one, "name");
  }
}

}  // namespace

absl::StatusOr<ObjectSource::Data> StoreObjects::Read(ObjectKind kind, const std::string& ns,
                                                      const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr object, store_.Get({KindOf(kind), ns, name}));
  Data out;
  const Json& data = At(*object, "data");
  if (!data.is_object()) return out;
  for (const auto& [key, value] : data.items()) {
    if (!value.is_string()) continue;
    std::string text = value.get<std::string>();
    // A Secret's values are base64 in Kubernetes' JSON.
    if (kind == ObjectKind::kSecret && !absl::Base64Unescape(value.get<std::string>(), &text)) {
      return absl::FailedPreconditionError(
          absl::StrCat("Secret ", ns, "/", name, ": the value of \"", key, "\" is not base64"));
    }
    out[key] = std::move(text);
  }
  return out;
}

absl::Status CheckVolumeObjects(const ObjectStore& store, const Pod& pod) {
  absl::Status status;
  ForEachObject(
      pod, [&](const std::string& volume, ObjectKind kind, const std::string& name, bool optional) {
        if (optional || !status.ok() || store.Get({KindOf(kind), pod.ns, name}).ok()) return;
        status = absl::NotFoundError(absl::StrCat("MountVolume.SetUp failed for volume \"", volume,
                                                  "\" : ", absl::AsciiStrToLower(KindOf(kind)),
                                                  " \"", name, "\" not found"));
      });
  return status;
}

bool TellsOfMetadata(const Pod& pod) {
  const auto tells = [](const Json& downward) {
    const Json& items = At(downward, "items");
    if (!items.is_array()) return false;
    return std::any_of(items.begin(), items.end(), [](const Json& item) {
      const std::string field = TextAt(item, "fieldRef.fieldPath");
      return absl::StartsWith(field, "metadata.labels") ||
             absl::StartsWith(field, "metadata.annotations");
    });
  };
  for (const Json& volume : pod.volumes) {
    if (tells(At(volume, "downwardAPI"))) return true;
    const Json& sources = At(volume, "projected.sources");
    if (!sources.is_array()) continue;
    for (const Json& source : sources) {
      if (tells(At(source, "downwardAPI"))) return true;
    }
  }
  return false;
}

bool UsesObjects(const Pod& pod) {
  bool found = false;
  ForEachObject(pod,
                [&](const std::string&, ObjectKind, const std::string&, bool) { found = true; });
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      found = found || !container.env_from.empty();
      for (const EnvVar& var : container.env) found = found || var.key.has_value();
    }
  }
  return found;
}

}  // namespace crisp::agent
