#include "agent/objects/validation.h"

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
  CheckSize(SizeOf(secret.data()), errors);
}

  for (const auto& [type, key] : {std::pair("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
                                  std::pair("kubernetes.io/dockercfg", ".dockercfg")}) {
    const auto found = secret.data().find(key);
    if (secret.type() != type || found == secret.data().end()) continue;
    if (Json::parse(found->second, nullptr, /*allow_exceptions=*/false).is_object()) continue;
    errors->Add(absl::StrCat(
        "data[", key, "]: Invalid value: \"<secret contents redacted>\": must be a JSON map"));
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

// What of a pod's spec may change.
Json WithoutMutable(const Json& spec) {
  Json out = spec;
  if (!out.is_object()) return out;
  out.erase("activeDeadlineSeconds");
  out.erase("tolerations");
  return out;
}

void CheckPodUpdate(const Json& old, const Json& object, FieldErrors* errors) {
  const Json before = WithoutMutable(At(old, "spec"));
  const Json after = WithoutMutable(At(object, "spec"));
  if (before == after) return;
  errors->Add(absl::StrCat(
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.activeDeadlineSeconds` and `spec.tolerations`: ",
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
