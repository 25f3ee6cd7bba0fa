#include "volumes/object_rules.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace crisp::volumes {
namespace {

using BytesMap = google::protobuf::Map<std::string, std::string>;
using StringMap = google::protobuf::Map<std::string, std::string>;

constexpr size_t kMaxKey = 253;

bool Same(const BytesMap& a, const BytesMap& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&b](const auto& entry) {
    const auto found = b.find(entry.first);
    return found != b.end() && found->second == entry.second;
  });
}

// The keys in order, so that the first error does not depend on a hash.
std::vector<std::string> SortedKeys(const BytesMap& map) {
  std::vector<std::string> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  return keys;
}

absl::Status CheckKeyOf(const v1::ObjectKey& key, const char* kind) {
  if (!IsDnsLabel(key.namespace_())) {
    return absl::InvalidArgumentError(
        absl::StrCat(kind, ": namespace '", absl::CEscape(key.namespace_()),
                     "' is not a DNS label (lower-case letters, digits and '-', at most 63)"));
  }
  if (!IsDnsSubdomain(key.name())) {
    return absl::InvalidArgumentError(absl::StrCat(
        kind, ": name '", absl::CEscape(key.name().substr(0, 300)),
        "' is not a DNS subdomain (lower-case letters, digits, '-' and '.', at most 253)"));
  }
  return absl::OkStatus();
}

absl::Status CheckMetadata(const StringMap& labels, const StringMap& annotations) {
  for (const std::string& key : SortedKeys(labels)) {
    const std::string& value = labels.at(key);
    if (key.empty() || key.size() > 317) {
      return absl::InvalidArgumentError("a label's name is empty or longer than 317 characters");
    }
    const bool edges =
        value.empty() || (absl::ascii_isalnum(static_cast<unsigned char>(value.front())) &&
                          absl::ascii_isalnum(static_cast<unsigned char>(value.back())));
    const bool inside = std::all_of(value.begin(), value.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
    });
    if (value.size() > 63 || !edges || !inside) {
      return absl::InvalidArgumentError(
          absl::StrCat("label '", absl::CEscape(key),
                       "': the value is not at most 63 letters, digits, '-', '_' and '.', with a "
                       "letter or digit at both ends"));
    }
  }
  size_t bytes = 0;
  for (const auto& entry : annotations) {
    if (entry.first.empty()) return absl::InvalidArgumentError("an annotation's name is empty");
    bytes += entry.first.size() + entry.second.size();
  }
  if (bytes > kMaxAnnotationBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("annotations are ", bytes, " bytes in all, more than ", kMaxAnnotationBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckData(const char* field, const BytesMap& data, size_t& bytes) {
  for (const std::string& key : SortedKeys(data)) {
    CRISP_RETURN_IF_ERROR(
        Annotate(CheckDataKey(key), field, " key '", absl::CEscape(key.substr(0, 300)), "'"));
    bytes += data.at(key).size();
  }
  return absl::OkStatus();
}

absl::Status CheckSize(size_t bytes) {
  if (bytes <= kMaxObjectBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the values are ", bytes, " bytes in all, more than ", kMaxObjectBytes));
}

// Keys that kubelet and image pulls rely on for the secret types of Kubernetes.
std::vector<const char*> RequiredKeys(const std::string& type) {
  if (type == "kubernetes.io/tls") return {"tls.crt", "tls.key"};
  if (type == "kubernetes.io/dockerconfigjson") return {".dockerconfigjson"};
  if (type == "kubernetes.io/dockercfg") return {".dockercfg"};
  if (type == "kubernetes.io/ssh-auth") return {"ssh-privatekey"};
  return {};
}

absl::Status Immutable(const std::string& object, const char* field) {
  return absl::FailedPreconditionError(absl::StrCat(
      object, " is immutable: ", field, " may not change; delete the object and make it anew"));
}

}  // namespace

const char* KindWord(ObjectKind kind) {
  return kind == ObjectKind::kConfigMap ? "configMap" : "secret";
}

std::string ObjectName(ObjectKind kind, absl::string_view ns, absl::string_view name) {
  return absl::StrCat(KindWord(kind), " ", ns, "/", name);
}

absl::Status CheckDataKey(absl::string_view key) {
  if (key.empty()) return absl::InvalidArgumentError("is empty");
  if (key.size() > kMaxKey) {
    return absl::InvalidArgumentError(absl::StrCat("is longer than ", kMaxKey, " characters"));
  }
  for (const char c : key) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') {
      return absl::InvalidArgumentError(
          "has a character other than letters, digits, '-', '_', '.'");
    }
  }
  if (key == ".") return absl::InvalidArgumentError("is '.'");
  if (key.substr(0, 2) == "..") return absl::InvalidArgumentError("begins with '..'");
  return absl::OkStatus();
}

void SetDefaults(v1::ConfigMap& object) {
  if (object.key().namespace_().empty()) object.mutable_key()->set_namespace_("default");
}

void SetDefaults(v1::Secret& object) {
  if (object.key().namespace_().empty()) object.mutable_key()->set_namespace_("default");
  if (object.type().empty()) object.set_type("Opaque");
}

absl::Status Validate(const v1::ConfigMap& object) {
  CRISP_RETURN_IF_ERROR(CheckKeyOf(object.key(), KindWord(ObjectKind::kConfigMap)));
  const std::string name =
      ObjectName(ObjectKind::kConfigMap, object.key().namespace_(), object.key().name());
  size_t bytes = 0;
  CRISP_RETURN_IF_ERROR(Annotate(CheckData("data", object.data(), bytes), name));
  CRISP_RETURN_IF_ERROR(Annotate(CheckData("binaryData", object.binary_data(), bytes), name));
  for (const std::string& key : SortedKeys(object.data())) {
    if (object.binary_data().contains(key)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": key '", key, "' is in both data and binaryData"));
    }
    if (!IsUtf8(object.data().at(key))) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": data key '", key, "' has a value that is not UTF-8; put it in binaryData"));
    }
  }
  CRISP_RETURN_IF_ERROR(Annotate(CheckSize(bytes), name));
  return Annotate(CheckMetadata(object.labels(), object.annotations()), name);
}

absl::Status Validate(const v1::Secret& object) {
  CRISP_RETURN_IF_ERROR(CheckKeyOf(object.key(), KindWord(ObjectKind::kSecret)));
  const std::string name =
      ObjectName(ObjectKind::kSecret, object.key().namespace_(), object.key().name());
  size_t bytes = 0;
  CRISP_RETURN_IF_ERROR(Annotate(CheckData("data", object.data(), bytes), name));
  CRISP_RETURN_IF_ERROR(Annotate(CheckSize(bytes), name));
  if (object.type().size() > 253) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": type is longer than 253 characters"));
  }
  for (const char* key : RequiredKeys(object.type())) {
    if (!object.data().contains(key)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": type ", object.type(), " needs the key '", key, "'"));
    }
  }
  return Annotate(CheckMetadata(object.labels(), object.annotations()), name);
}

absl::Status ValidateUpdate(const v1::ConfigMap& before, const v1::ConfigMap& now) {
  if (!before.immutable()) return absl::OkStatus();
  const std::string name =
      ObjectName(ObjectKind::kConfigMap, now.key().namespace_(), now.key().name());
  if (!now.immutable()) return Immutable(name, "immutable");
  if (!Same(before.data(), now.data())) return Immutable(name, "data");
  if (!Same(before.binary_data(), now.binary_data())) return Immutable(name, "binaryData");
  return absl::OkStatus();
}

absl::Status ValidateUpdate(const v1::Secret& before, const v1::Secret& now) {
  const std::string name =
      ObjectName(ObjectKind::kSecret, now.key().namespace_(), now.key().name());
  if (before.type() != now.type()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, ": type may not change from '", before.type(), "'"));
  }
  if (!before.immutable()) return absl::OkStatus();
  if (!now.immutable()) return Immutable(name, "immutable");
  if (!Same(before.data(), now.data())) return Immutable(name, "data");
  return absl::OkStatus();
}

bool SameContent(const v1::ConfigMap& a, const v1::ConfigMap& b) {
  return a.immutable() == b.immutable() && Same(a.data(), b.data()) &&
         Same(a.binary_data(), b.binary_data()) && Same(a.labels(), b.labels()) &&
         Same(a.annotations(), b.annotations());
}

bool SameContent(const v1::Secret& a, const v1::Secret& b) {
  return a.immutable() == b.immutable() && a.type() == b.type() && Same(a.data(), b.data()) &&
         Same(a.labels(), b.labels()) && Same(a.annotations(), b.annotations());
}

}  // namespace crisp::volumes
