#include "agent/manifest/object_documents.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/names.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod_reader.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::ConfigMap;
using crisp::volumes::v1::Secret;

template <typename Object>
void ReadHead(ObjectReader& document, Object* out) {
  document.Ignore({"apiVersion", "kind"});
  ObjectMeta meta;
  ReadMetadata(document, &meta);
  out->mutable_key()->set_namespace_(meta.ns);
  out->mutable_key()->set_name(meta.name);
  out->mutable_labels()->insert(meta.labels.begin(), meta.labels.end());
  out->mutable_annotations()->insert(meta.annotations.begin(), meta.annotations.end());
  bool immutable = false;
  document.Read("immutable", &immutable);
  out->set_immutable(immutable);
}

// `decode` unfolds base64.
template <typename Map>
void ReadData(ObjectReader& document, const char* field, bool decode, Map* out) {
  std::map<std::string, std::string> data;
  document.Read(field, &data);
  for (const auto& [key, text] : data) {
    const std::string place = document.PathOf(field, key);
    std::string bytes = text;
    if (const std::string wrong = DataKeyError(key); !wrong.empty()) {
      document.FailPath(
          place, absl::StrCat("Invalid value: \"", absl::Utf8SafeCEscape(key), "\": ", wrong));
    } else if (decode && !absl::Base64Unescape(text, &bytes)) {
      document.FailPath(place, "Invalid value: must be base64");
    } else {
      (*out)[key] = std::move(bytes);
    }
  }
}

template <typename Object>
absl::StatusOr<Object> OrStatus(Object object, const FieldErrors& errors) {
  if (!errors.empty()) return errors.ToStatus();
  return object;
}

}  // namespace

ConfigMap ReadConfigMap(const nlohmann::json& json, FieldErrors* errors) {
  ConfigMap out;
  ObjectReader document(json, "", errors);
  ReadHead(document, &out);
  ReadData(document, "data", false, out.mutable_data());
  ReadData(document, "binaryData", true, out.mutable_binary_data());
  for (const auto& [key, bytes] : out.binary_data()) {
    if (out.data().contains(key)) {
      document.Invalid("binaryData", key, "the key stands in data too");
    }
  }
  document.Finish();
  return out;
}

// Text of a Secret never goes into a message.
Secret ReadSecret(const nlohmann::json& json, FieldErrors* errors) {
  Secret out;
  ObjectReader document(json, "", errors);
  document.HideValues();
  ReadHead(document, &out);
  document.Read("type", out.mutable_type());
  ReadData(document, "data", true, out.mutable_data());
  ReadData(document, "stringData", false, out.mutable_data());  // Wins over data.
  document.Finish();
  return out;
}

absl::StatusOr<ConfigMap> ReadConfigMap(const nlohmann::json& json) {
  FieldErrors errors;
  ConfigMap out = ReadConfigMap(json, &errors);
  return OrStatus(std::move(out), errors);
}

absl::StatusOr<Secret> ReadSecret(const nlohmann::json& json) {
  FieldErrors errors;
  Secret out = ReadSecret(json, &errors);
  return OrStatus(std::move(out), errors);
}

}  // namespace crisp::agent
