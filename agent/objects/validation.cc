#include "agent/objects/validation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/manifest/field_errors.h"
#include "agent/manifest/object_documents.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod_reader.h"
#include "agent/objects/controller_validation.h"
#include "agent/objects/kinds.h"

namespace crisp::agent {
namespace {

// Kubernetes' bound of a ConfigMap or Secret.
constexpr size_t kMaxData = 1 << 20;

template <typename Map>
size_t SizeOf(const Map& data) {
  size_t size = 0;
  for (const auto& [key, value] : data) size += value.size();
  return size;
}

void CheckSize(size_t size, FieldErrors* errors) {
  if (size > kMaxData) {
    errors->Add(absl::StrCat("data: Too long: may not be more than ", kMaxData, " bytes"));
  }
}

void ValidateConfigMap(const Json& object, FieldErrors* errors) {
  const auto map = ReadConfigMap(object, errors);
  CheckSize(SizeOf(map.data()) + SizeOf(map.binary_data()), errors);
}

void ValidateSecret(const Json& object, FieldErrors* errors) {
  const auto secret = ReadSecret(object, errors);
  static constexpr struct {
    const char* type;
    const char* key;
  } kNeeded[] = {{"kubernetes.io/dockerconfigjson", ".dockerconfigjson"},
                 {"kubernetes.io/dockercfg", ".dockercfg"},
                 {"kubernetes.io/ssh-auth", "ssh-privatekey"},
                 {"kubernetes.io/tls", "tls.crt"},
                 {"kubernetes.io/tls", "tls.key"}};
  for (const auto& [type, key] : kNeeded) {
    if (secret.type() == type && !secret.data().contains(key)) {
      errors->Add(absl::StrCat("data[", key, "]: Required value"));
    }
  }
  for (const auto& [type, key] : {std::pair("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
                                  std::pair("kubernetes.io/dockercfg", ".dockercfg")}) {
    const auto found = secret.data().find(key);
    if (secret.type() != type || found == secret.data().end()) continue;
    if (Json::parse(found->second, nullptr, /*allow_exceptions=*/false).is_object()) continue;
    errors->Add(absl::StrCat(
        "data[", key, "]: Invalid value: \"<secret contents redacted>\": must be a JSON map"));
  }
  CheckSize(SizeOf(secret.data()), errors);
}

void ValidateNode(const Json& object, FieldErrors* errors) {
  ObjectReader reader(object, "", errors);
  reader.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(reader, &meta);
  reader.Object("spec", [](ObjectReader& spec) {
    bool unschedulable = false;
    spec.Read("unschedulable", &unschedulable);
  });
  reader.Finish();
}

void ValidateController(const std::string& kind, const Json& object, FieldErrors* errors,
                        std::vector<std::string>* warnings) {
  ObjectReader reader(object, "", errors, warnings);
  reader.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(reader, &meta);
  if (!reader.Has("spec")) reader.Fail("spec", "Required value");
  reader.Object("spec", [&](ObjectReader& spec) { ValidateControllerSpec(kind, spec); });
  reader.Finish();
}

void Immutable(absl::string_view path, const Json& value, FieldErrors* errors) {
  errors->Add(absl::StrCat(path, ": Invalid value: ", ToText(value), ": field is immutable"));
}

// The path of the first field in which they differ.
std::string FirstDifference(const Json& a, const Json& b, const std::string& path) {
  if (a.is_object() && b.is_object()) {
    for (const Json* side : {&a, &b}) {
      for (const auto& [key, value] : side->items()) {
        const auto in_a = a.find(key);
        const auto in_b = b.find(key);
        if (in_a == a.end() || in_b == b.end()) return absl::StrCat(path, ".", key);
        if (*in_a != *in_b) return FirstDifference(*in_a, *in_b, absl::StrCat(path, ".", key));
      }
    }
  }
  if (a.is_array() && b.is_array() && a.size() == b.size()) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i]) return FirstDifference(a[i], b[i], absl::StrCat(path, "[", i, "]"));
    }
  }
  return path;
}

// `spec` with what may change of it as it is in `old`.
Json WithoutMutable(const Json& spec, const Json& old) {
  Json out = spec;
  if (!out.is_object()) return out;
  out.erase("activeDeadlineSeconds");
  out.erase("tolerations");
  if (NumberAt(old, "terminationGracePeriodSeconds") < 0 &&
      NumberAt(spec, "terminationGracePeriodSeconds") == 1) {
    out["terminationGracePeriodSeconds"] = At(old, "terminationGracePeriodSeconds");
  }
  for (const char* list : {"containers", "initContainers"}) {
    const auto containers = out.find(list);
    if (containers == out.end() || !containers->is_array()) continue;
    for (Json& container : *containers) {
      if (container.is_object()) container.erase("image");
    }
  }
  return out;
}

void CheckDeadlineUpdate(const Json& old, const Json& spec, FieldErrors* errors) {
  constexpr char kPath[] = "spec.activeDeadlineSeconds: Invalid value: ";
  const Json& before = At(old, "activeDeadlineSeconds");
  const Json& after = At(spec, "activeDeadlineSeconds");
  if (!before.is_number()) return;
  if (after.is_null()) {
    errors->Add(absl::StrCat(kPath, "null: must not update from a positive integer to nil value"));
  } else if (after.is_number() && after > before) {
    errors->Add(
        absl::StrCat(kPath, ToText(after), ": must be less than or equal to previous value"));
  }
}

// Tolerations are only added; how long one tolerates may change.
void CheckTolerationsUpdate(const Json& old, const Json& spec, FieldErrors* errors) {
  const auto known = [](const Json& list) {
    std::vector<Json> out;
    if (!list.is_array()) return out;
    for (Json one : list) {
      if (one.is_object()) one.erase("tolerationSeconds");
      out.push_back(std::move(one));
    }
    return out;
  };
  const std::vector<Json> after = known(At(spec, "tolerations"));
  for (const Json& one : known(At(old, "tolerations"))) {
    if (std::find(after.begin(), after.end(), one) != after.end()) continue;
    errors->Add(
        "spec.tolerations: Forbidden: existing toleration can not be modified except its "
        "tolerationSeconds");
    return;
  }
}

void CheckPodUpdate(const Json& old_pod, const Json& pod, FieldErrors* errors) {
  const Json& old = At(old_pod, "spec");
  const Json& spec = At(pod, "spec");
  const size_t errors_before = errors->count();
  for (const char* list : {"containers", "initContainers"}) {
    if (At(old, list).size() == At(spec, list).size()) continue;
    errors->Add(
        absl::StrCat("spec.", list, ": Forbidden: pod updates may not add or remove containers"));
  }
  if (errors->count() != errors_before) return;
  CheckDeadlineUpdate(old, spec, errors);
  CheckTolerationsUpdate(old, spec, errors);
  const Json before = WithoutMutable(old, old);
  const Json after = WithoutMutable(spec, old);
  if (before == after) return;
  errors->Add(absl::StrCat(
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),"
      "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
      "negative): ",
      FirstDifference(before, after, "spec"), " differs; delete the pod and create it anew"));
}

void CheckDataUpdate(const Json& old, const Json& object, FieldErrors* errors) {
  if (At(old, "kind") == "Secret" && At(old, "type") != At(object, "type")) {
    Immutable("type", At(object, "type"), errors);
  }
  if (!TruthAt(old, "immutable")) return;
  constexpr char kWhy[] = ": Forbidden: field is immutable when `immutable` is set";
  if (!TruthAt(object, "immutable")) errors->Add(absl::StrCat("immutable", kWhy));
  for (const char* field : {"data", "binaryData"}) {
    if (At(old, field) != At(object, field)) errors->Add(absl::StrCat(field, kWhy));
  }
}

void CheckImmutable(const std::string& kind, const Json& old, const Json& object,
                    FieldErrors* errors) {
  if (kind == "Pod") return CheckPodUpdate(old, object, errors);
  if (kind == "ConfigMap" || kind == "Secret") return CheckDataUpdate(old, object, errors);
  std::vector<std::string> fields;
  if (kind == "Deployment" || kind == "ReplicaSet" || kind == "DaemonSet") {
    fields = {"spec.selector"};
  } else if (kind == "Job") {
    fields = {"spec.selector", "spec.completions", "spec.completionMode", "spec.template"};
  }
  for (const std::string& field : fields) {
    if (At(old, field) != At(object, field)) Immutable(field, At(object, field), errors);
  }
}

void Check(const std::string& kind, const Json& object, FieldErrors* errors,
           std::vector<std::string>* warnings) {
  if (kind == "Pod") {
    (void)ReadPod(object, errors, warnings);
  } else if (kind == "ConfigMap") {
    ValidateConfigMap(object, errors);
  } else if (kind == "Secret") {
    ValidateSecret(object, errors);
  } else if (kind == "Node") {
    ValidateNode(object, errors);
  } else {
    ValidateController(kind, object, errors, warnings);
  }
}

absl::Status Named(const Json& object, const FieldErrors& errors) {
  return errors.ToStatus(TextAt(object, "kind"), TextAt(object, "metadata.name"),
                         TextAt(object, "apiVersion"));
}

}  // namespace

absl::Status ValidateObject(const Json& object, std::vector<std::string>* warnings) {
  const std::string kind = TextAt(object, "kind");
  const absl::StatusOr<const KindInfo*> info = FindKind(kind);
  if (!info.ok()) return info.status();
  FieldErrors errors;
  Check(kind, object, &errors, warnings);
  return Named(object, errors);
}

absl::Status ValidateUpdate(const Json& old, const Json& object,
                            std::vector<std::string>* warnings) {
  const std::string kind = TextAt(object, "kind");
  const absl::StatusOr<const KindInfo*> info = FindKind(kind);
  if (!info.ok()) return info.status();
  FieldErrors errors;
  Check(kind, object, &errors, warnings);
  CheckImmutable(kind, old, object, &errors);
  return Named(object, errors);
}

}  // namespace crisp::agent
