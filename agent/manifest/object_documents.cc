#include "agent/manifest/object_documents.h"

#include <map>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

// `decode` unfolds base64. Secret text never goes into a message.
template <typename Map>
void ReadData(ObjectReader& document, const char* field, bool decode, Map* out) {
  std::map<std::string, std::string> data;
  document.Read(field, &data);
  for (const auto& [key, text] : data) {
    if (!document.ok()) return;
    absl::Status inner;
    ObjectReader at(nlohmann::json::object(), document.PathOf(field), &inner);
    std::string bytes = text;
    if (const absl::Status valid = CheckDataKey(key); !valid.ok()) {
      at.Fail(key, absl::StrCat("Invalid value: ", valid.message()));
    } else if (decode && !absl::Base64Unescape(text, &bytes)) {
      at.Fail(key, "Invalid value: must be base64");
    }
    if (!inner.ok()) {
      *document.status() = inner;
      return;
    }
    (*out)[key] = bytes;
  }
}

}  // namespace

absl::Status CheckDataKey(absl::string_view key) {
  const std::string shown = absl::StrCat("the key \"", absl::Utf8SafeCEscape(key), "\" ");
  if (key.empty()) return absl::InvalidArgumentError("a key is empty");
  if (key.size() > 253) {
    return absl::InvalidArgumentError(absl::StrCat(shown, "is longer than 253 bytes"));
  }
  for (const char c : key) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') {
      return absl::InvalidArgumentError(
          absl::StrCat(shown, "is not letters, digits, '-', '_' and '.'"));
    }
  }
  if (key == "." || absl::StartsWith(key, "..")) {
    return absl::InvalidArgumentError(
        absl::StrCat(shown, "must not be \".\" or begin with \"..\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<ConfigMap> ReadConfigMap(const nlohmann::json& json) {
  absl::Status status;
  ConfigMap out;
  ObjectReader document(json, "", &status);
  ReadHead(document, &out);
  ReadData(document, "data", false, out.mutable_data());
  ReadData(document, "binaryData", true, out.mutable_binary_data());
  for (const auto& [key, bytes] : out.binary_data()) {
    if (out.data().contains(key)) {
      document.Invalid("binaryData", key, "the key stands in data too");
    }
  }
  document.Finish();
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<Secret> ReadSecret(const nlohmann::json& json) {
  absl::Status status;
  Secret out;
  ObjectReader document(json, "", &status);
  ReadHead(document, &out);
  document.Read("type", out.mutable_type());
  ReadData(document, "data", true, out.mutable_data());
  ReadData(document, "stringData", false, out.mutable_data());  // Wins over data.
  document.Finish();
  if (!status.ok()) return status;
  return out;
}

}  // namespace crisp::agent
