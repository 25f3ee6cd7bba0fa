#include "agent/objects/validation.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
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

absl::Status CheckSize(size_t size) {
  if (size <= kMaxData) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("data: Too long: may not be more than ", kMaxData, " bytes"));
}

absl::Status ValidateConfigMap(const Json& object) {
  const auto map = ReadConfigMap(object);
  if (!map.ok()) return map.status();
  return CheckSize(SizeOf(map->data()) + SizeOf(map->binary_data()));
}

absl::Status ValidateSecret(const Json& object) {
  const auto secret = ReadSecret(object);
  if (!secret.ok()) return secret.status();
  static constexpr struct {
    const char* type;
    const char* key;
  } kNeeded[] = {{"kubernetes.io/dockerconfigjson", ".dockerconfigjson"},
                 {"kubernetes.io/dockercfg", ".dockercfg"},
                 {"kubernetes.io/ssh-auth", "ssh-privatekey"},
                 {"kubernetes.io/tls", "tls.crt"},
                 {"kubernetes.io/tls", "tls.key"}};
  for (const auto& [type, key] : kNeeded) {
    if (secret->type() == type && !secret->data().contains(key)) {
      return absl::InvalidArgumentError(absl::StrCat("data[", key, "]: Required value"));
    }
  }
  return CheckSize(SizeOf(secret->data()));
}

absl::Status ValidateNode(const Json& object) {
  absl::Status status;
  ObjectReader reader(object, "", &status);
  reader.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(reader, &meta);
  reader.Object("spec", [](ObjectReader& spec) {
    bool unschedulable = false;
    spec.Read("unschedulable", &unschedulable);
  });
  reader.Finish();
  return status;
}

absl::Status ValidateController(const std::string& kind, const Json& object,
                                std::vector<std::string>* warnings) {
  absl::Status status;
  ObjectReader reader(object, "", &status, warnings);
  reader.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(reader, &meta);
  if (!reader.Has("spec")) reader.Fail("spec", "Required value");
  reader.Object("spec", [&](ObjectReader& spec) { ValidateControllerSpec(kind, spec); });
  reader.Finish();
  return status;
}

// The error of a reader as Kubernetes prints it for the object.
absl::Status Named(const Json& object, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string kind = TextAt(object, "kind");
  if (absl::StartsWith(status.message(), kDecodingError)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kind, " in version \"", TextAt(object, "apiVersion"),
                     "\" cannot be handled as a ", kind, ": ", status.message()));
  }
  absl::string_view why = status.message();
  std::string text(why);
  if (absl::IsUnimplemented(status) && absl::ConsumeSuffix(&why, ": not supported yet")) {
    text = absl::StrCat(why, ": Forbidden: not supported yet");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("The ", kind, " \"", TextAt(object, "metadata.name"), "\" is invalid: ", text));
}

absl::Status Immutable(absl::string_view path, const Json& value) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": Invalid value: ", ToText(value), ": field is immutable"));
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

absl::Status CheckPodUpdate(const Json& old, const Json& object) {
  const Json before = WithoutMutable(old["spec"]);
  const Json after = WithoutMutable(object["spec"]);
  if (before == after) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.activeDeadlineSeconds` and `spec.tolerations`: ",
      FirstDifference(before, after, "spec"), " differs; delete the pod and create it anew"));
}

absl::Status CheckDataUpdate(const Json& old, const Json& object) {
  if (At(old, "kind") == "Secret" && At(old, "type") != At(object, "type")) {
    return Immutable("type", At(object, "type"));
  }
  if (!TruthAt(old, "immutable")) return absl::OkStatus();
  if (!TruthAt(object, "immutable")) {
    return absl::InvalidArgumentError(
        "immutable: Forbidden: field is immutable when `immutable` is set");
  }
  for (const char* field : {"data", "binaryData"}) {
    if (At(old, field) != At(object, field)) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": Forbidden: field is immutable when `immutable` is set"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckImmutable(const std::string& kind, const Json& old, const Json& object) {
  if (kind == "Pod") return CheckPodUpdate(old, object);
  if (kind == "ConfigMap" || kind == "Secret") return CheckDataUpdate(old, object);
  std::vector<std::string> fields;
  if (kind == "Deployment" || kind == "ReplicaSet" || kind == "DaemonSet") {
    fields = {"spec.selector"};
  } else if (kind == "Job") {
    fields = {"spec.selector", "spec.completions", "spec.completionMode", "spec.template"};
  }
  for (const std::string& field : fields) {
    if (At(old, field) != At(object, field)) return Immutable(field, At(object, field));
  }
  return absl::OkStatus();
}

absl::Status Check(const std::string& kind, const Json& object,
                   std::vector<std::string>* warnings) {
  if (kind == "Pod") return ReadPod(object, warnings).status();
  if (kind == "ConfigMap") return ValidateConfigMap(object);
  if (kind == "Secret") return ValidateSecret(object);
  if (kind == "Node") return ValidateNode(object);
  return ValidateController(kind, object, warnings);
}

}  // namespace

absl::Status ValidateObject(const Json& object, std::vector<std::string>* warnings) {
  const std::string kind = TextAt(object, "kind");
  const absl::StatusOr<const KindInfo*> info = FindKind(kind);
  if (!info.ok()) return info.status();
  return Named(object, Check(kind, object, warnings));
}

absl::Status ValidateUpdate(const Json& old, const Json& object,
                            std::vector<std::string>* warnings) {
  const absl::Status valid = ValidateObject(object, warnings);
  if (!valid.ok()) return valid;
  return Named(object, CheckImmutable(TextAt(object, "kind"), old, object));
}

}  // namespace crisp::agent
