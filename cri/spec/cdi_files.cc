#include "cri/spec/cdi_files.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

constexpr size_t kMaxFileBytes = 4 << 20;
constexpr int kMaxDepth = 32;
constexpr size_t kMaxValues = 200'000;

constexpr absl::string_view kEdits[] = {"env", "deviceNodes", "hooks", "mounts", "additionalGids"};

bool IsWord(const std::string& text, absl::string_view extra) {
  if (text.empty() || !absl::ascii_isalnum(text.front()) || !absl::ascii_isalnum(text.back())) {
    return false;
  }
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return absl::ascii_isalnum(c) || absl::StrContains(extra, c); });
}

// What an unquoted YAML scalar means, as far as these files use it.
json PlainScalar(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (text.empty() || text == "null" || text == "~") return nullptr;
  const size_t sign = text[0] == '-' ? 1 : 0;
  // A leading zero is YAML 1.1's octal: a file's mode.
  if (text.size() > sign + 1 && text[sign] == '0') {
    uint64_t octal = 0;
    for (const char c : text.substr(sign + 1)) {
      if (c < '0' || c > '7' || octal > UINT32_MAX) return text;
      octal = octal * 8 + (c - '0');
    }
    return sign == 1 ? json(-static_cast<int64_t>(octal)) : json(octal);
  }
  int64_t number = 0;
  if (absl::ascii_isdigit(text[sign]) && absl::SimpleAtoi(text, &number)) return number;
  return text;
}

// yaml-cpp lets other bytes through, and makes some of escapes, which the container's spec
// could not hold.
absl::Status CheckText(const std::string& scalar) {
  return IsUtf8(scalar) ? absl::OkStatus() : absl::InvalidArgumentError("not UTF-8");
}

absl::StatusOr<json> FromYaml(const YAML::Node& node, int depth, size_t* values) {
  if (depth > kMaxDepth || ++*values > kMaxValues) {
    return absl::InvalidArgumentError("too deep or too large");
  }
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      CRISP_RETURN_IF_ERROR(CheckText(node.Scalar()));
      return node.Tag() == "!" ? json(node.Scalar()) : PlainScalar(node.Scalar());
    case YAML::NodeType::Sequence: {
      json list = json::array();
      for (const YAML::Node& child : node) {
        CRISP_ASSIGN_OR_RETURN(json value, FromYaml(child, depth + 1, values));
        list.push_back(std::move(value));
      }
      return list;
    }
    case YAML::NodeType::Map: {
      json map = json::object();
      for (const auto& child : node) {
        CRISP_ASSIGN_OR_RETURN(json value, FromYaml(child.second, depth + 1, values));
        CRISP_RETURN_IF_ERROR(CheckText(child.first.Scalar()));
        map[child.first.Scalar()] = std::move(value);
      }
      return map;
    }
    default:
      return json();
  }
}

absl::StatusOr<json> Parse(const std::string& path, const std::string& text) {
  if (absl::EndsWith(path, ".json")) {
    json parsed = ParseShallowJson(text);
    if (parsed.is_discarded()) return absl::InvalidArgumentError("not JSON, or nested too deep");
    return parsed;
  }
  try {
    size_t values = 0;
    return FromYaml(YAML::Load(text), 0, &values);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(e.what());
  }
}

std::string TextOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// An edit that is not known would silently give a container less than its device needs.
absl::Status CheckEdits(const json& edits) {
  if (!edits.is_object()) return absl::InvalidArgumentError("containerEdits: not an object");
  for (const auto& [key, value] : edits.items()) {
    if (std::find(std::begin(kEdits), std::end(kEdits), key) == std::end(kEdits)) {
      return absl::InvalidArgumentError(absl::StrCat("containerEdits.", key, ": not supported"));
    }
    if (!value.is_array() && !value.is_null()) {
      return absl::InvalidArgumentError(absl::StrCat("containerEdits.", key, ": not a list"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<json> EditsOf(const json& object) {
  json edits = object.value("containerEdits", json::object());
  if (edits.is_null()) edits = json::object();
  CRISP_RETURN_IF_ERROR(CheckEdits(edits));
  return edits;
}

absl::StatusOr<std::map<std::string, CdiDevice>> ReadOne(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  CRISP_ASSIGN_OR_RETURN(const json file, Parse(path, text));
  if (!file.is_object()) return absl::InvalidArgumentError("not an object");
  const std::string version = TextOf(file, "cdiVersion"), kind = TextOf(file, "kind");
  if (!absl::StartsWith(version, "0.") && !absl::StartsWith(version, "1.")) {
    return absl::InvalidArgumentError(absl::StrCat("cdiVersion: ", Quoted(version)));
  }
  if (!IsCdiKind(kind)) return absl::InvalidArgumentError(absl::StrCat("kind: ", Quoted(kind)));
  CRISP_ASSIGN_OR_RETURN(json common, EditsOf(file));
  const auto shared = std::make_shared<const json>(std::move(common));
  const auto listed = file.find("devices");
  if (listed == file.end() || !listed->is_array()) {
    return absl::InvalidArgumentError("devices: not a list");
  }
  std::map<std::string, CdiDevice> devices;
  for (const json& device : *listed) {
    const std::string name = device.is_object() ? TextOf(device, "name") : "";
    if (!IsCdiDeviceName(name)) {
      return absl::InvalidArgumentError(absl::StrCat("devices: name ", Quoted(name)));
    }
    CRISP_ASSIGN_OR_RETURN(json edits, EditsOf(device));
    if (!devices.emplace(absl::StrCat(kind, "=", name), CdiDevice{shared, std::move(edits)})
             .second) {
      return absl::InvalidArgumentError(absl::StrCat("devices: ", Quoted(name), " stands twice"));
    }
  }
  return devices;
}

std::vector<std::string> FilesOf(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string extension = entry.path().extension();
    if ((extension == ".json" || extension == ".yaml") && entry.is_regular_file(error)) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

bool IsCdiKind(const std::string& text) {
  const size_t slash = text.find('/');
  return slash != text.npos && IsWord(text.substr(0, slash), "_-.") &&
         IsWord(text.substr(slash + 1), "_-");
}

bool IsCdiDeviceName(const std::string& text) { return IsWord(text, "_-.:"); }

CdiFiles ReadCdiFiles(const std::vector<std::string>& directories) {
  CdiFiles out;
  for (const std::string& directory : directories) {
    std::set<std::string> here;
    for (const std::string& path : FilesOf(directory)) {
      auto devices = ReadOne(path);
      if (!devices.ok()) {
        out.problems.push_back(absl::StrCat(path, ": ", devices.status().message()));
        continue;
      }
      for (auto& [name, device] : *devices) {
        if (here.insert(name).second) {
          out.devices.insert_or_assign(name, std::move(device));
        } else {
          out.devices.erase(name);
          out.problems.push_back(absl::StrCat(path, ": ", name, " is in another file too"));
        }
      }
    }
  }
  return out;
}

}  // namespace crisp::cri
