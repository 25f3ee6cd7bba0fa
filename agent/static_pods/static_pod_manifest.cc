#include "agent/static_pods/static_pod_manifest.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/manifest/documents.h"
#include "agent/objects/changes.h"
#include "agent/objects/prepare.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

absl::Status Refers(const char* field, const char* kind) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": a static pod may not reference ", kind));
}

absl::Status CheckVolume(const Json& volume) {
  const auto check = [](const Json& source) {
    if (At(source, "configMap").is_object()) return Refers("spec.volumes", "configmaps");
    if (At(source, "secret").is_object()) return Refers("spec.volumes", "secrets");
    if (At(source, "serviceAccountToken").is_object()) {
      return Refers("spec.volumes", "serviceaccounts");
    }
    return absl::OkStatus();
  };
  CRISP_RETURN_IF_ERROR(check(volume));
  const Json& sources = At(volume, "projected.sources");
  if (!sources.is_array()) return absl::OkStatus();
  for (const Json& source : sources) CRISP_RETURN_IF_ERROR(check(source));
  return absl::OkStatus();
}

absl::Status CheckContainer(const Json& container) {
  const Json& from = At(container, "envFrom");
  if (from.is_array()) {
    for (const Json& one : from) {
      if (At(one, "configMapRef").is_object()) return Refers("envFrom", "configmaps");
      if (At(one, "secretRef").is_object()) return Refers("envFrom", "secrets");
    }
  }
  const Json& env = At(container, "env");
  if (!env.is_array()) return absl::OkStatus();
  for (const Json& one : env) {
    if (At(one, "valueFrom.configMapKeyRef").is_object()) return Refers("env", "configmaps");
    if (At(one, "valueFrom.secretKeyRef").is_object()) return Refers("env", "secrets");
  }
  return absl::OkStatus();
}

absl::Status RefersToNothing(const Json& pod) {
  for (const char* field : {"spec.serviceAccountName", "spec.serviceAccount"}) {
    if (!TextAt(pod, field).empty()) return Refers(field, "serviceaccounts");
  }
  const Json& pull_secrets = At(pod, "spec.imagePullSecrets");
  if (pull_secrets.is_array() && !pull_secrets.empty()) {
    return Refers("spec.imagePullSecrets", "secrets");
  }
  if (const Json& volumes = At(pod, "spec.volumes"); volumes.is_array()) {
    for (const Json& volume : volumes) CRISP_RETURN_IF_ERROR(CheckVolume(volume));
  }
  for (const char* list : {"spec.initContainers", "spec.containers"}) {
    const Json& containers = At(pod, list);
    if (!containers.is_array()) continue;
    for (const Json& container : containers) CRISP_RETURN_IF_ERROR(CheckContainer(container));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> MakePod(Json object, const std::string& where, const std::string& source,
                             const std::string& node_name) {
  if (TextAt(object, "kind") != "Pod") {
    return absl::InvalidArgumentError(
        absl::StrCat("a static pod must be of kind Pod, not ", TextAt(object, "kind", "none")));
  }
  const std::string hash = Sha256Hex(ToText(object)).substr(0, 32);
  CRISP_RETURN_IF_ERROR(RefersToNothing(object));
  CRISP_RETURN_IF_ERROR(PrepareManifest(&object));
  Json& metadata = object["metadata"];
  const std::string name = TextAt(object, "metadata.name");
  if (name.empty()) return absl::InvalidArgumentError("metadata.name: Required value");
  metadata["name"] = absl::StrCat(name, "-", node_name);
  CRISP_ASSIGN_OR_RETURN(NewObject made, PrepareNew(std::move(object), nullptr));
  made.object["spec"]["nodeName"] = node_name;
  Json& annotations = made.object["metadata"]["annotations"];
  annotations[kConfigSource] = source;
  annotations[kConfigPath] = where;
  annotations[kStaticHash] = hash;
  annotations[kStaticMirror] = hash;
  return std::move(made.object);
}

}  // namespace

absl::StatusOr<std::vector<StaticPod>> ReadStaticPods(const std::string& where,
                                                      absl::string_view text,
                                                      const std::string& source,
                                                      const std::string& node_name) {
  CRISP_ASSIGN_OR_RETURN(std::vector<RawDocument> documents, ParseRawDocuments(where, text));
  if (documents.empty()) return absl::InvalidArgumentError(absl::StrCat(where, ": is empty"));
  std::vector<StaticPod> pods;
  for (RawDocument& document : documents) {
    StaticPod& pod = pods.emplace_back();
    const std::string name = TextAt(document.object, "metadata.name");
    absl::StatusOr<Json> made = MakePod(document.object, where, source, node_name);
    if (made.ok()) {
      pod.object = *std::move(made);
      continue;
    }
    pod.refused = Annotate(made.status(), where);
    pod.object = {{"apiVersion", "v1"},
                  {"kind", "Pod"},
                  {"metadata",
                   {{"name", absl::StrCat(name, "-", node_name)},
                    {"namespace", TextAt(document.object, "metadata.namespace", "default")}}}};
  }
  return pods;
}

}  // namespace crisp::agent
