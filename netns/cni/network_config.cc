#include "netns/cni/network_config.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

// A network's name is part of a file name beside a sandbox id of up to 76.
constexpr size_t kMaxName = 128;
constexpr size_t kMaxPlugins = 32;
constexpr char kDefaultVersion[] = "0.1.0";

bool IsPlainName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxName || !absl::ascii_isalnum(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

absl::Status ValidatePlugin(const json& plugin) {
  if (!plugin.is_object()) return absl::InvalidArgumentError("not an object");
  CRISP_RETURN_IF_ERROR(ValidatePluginType(StringMember(plugin, "type")));
  const auto ipam = plugin.find("ipam");
  if (ipam == plugin.end()) return absl::OkStatus();
  if (!ipam->is_object()) return absl::InvalidArgumentError("ipam is not an object");
  // The plugin executes this one itself, out of the same directories.
  if (ipam->contains("type")) {
    CRISP_RETURN_IF_ERROR(Annotate(ValidatePluginType(StringMember(*ipam, "type")), "ipam"));
  }
  return absl::OkStatus();
}

absl::Status ReadVersions(const json& list, NetworkConfig* config) {
  if (const auto it = list.find("cniVersions"); it != list.end()) {
    if (!it->is_array()) return absl::InvalidArgumentError("cniVersions is not an array");
    for (const json& version : *it) {
      if (!version.is_string()) {
        return absl::InvalidArgumentError("cniVersions holds something that is not a string");
      }
      config->offered_versions.push_back(version.get<std::string>());
    }
  }
  if (const auto it = list.find("cniVersion"); it != list.end()) {
    if (!it->is_string()) return absl::InvalidArgumentError("cniVersion is not a string");
    const std::string version = it->get<std::string>();
    CRISP_RETURN_IF_ERROR(CniVersion::Parse(version).status());
    config->offered_versions.push_back(version);
  }
  if (config->offered_versions.empty()) config->offered_versions.push_back(kDefaultVersion);
  CRISP_ASSIGN_OR_RETURN(config->version, HighestCommonCniVersion(config->offered_versions));
  return absl::OkStatus();
}

absl::StatusOr<NetworkConfig> FromList(const json& list) {
  NetworkConfig config;
  config.name = StringMember(list, "name");
  if (!IsPlainName(config.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("name '", Excerpt(config.name, 40), "' is not 1 to ", kMaxName,
                     " letters, digits, '_', '.' or '-' after a letter or digit"));
  }
  CRISP_RETURN_IF_ERROR(ReadVersions(list, &config));
  CRISP_ASSIGN_OR_RETURN(config.disable_check, FlagMember(list, "disableCheck"));
  CRISP_ASSIGN_OR_RETURN(config.disable_gc, FlagMember(list, "disableGC"));
  const auto plugins = list.find("plugins");
  if (plugins == list.end() || !plugins->is_array() || plugins->empty()) {
    return absl::InvalidArgumentError("plugins is not an array with at least one plugin");
  }
  if (plugins->size() > kMaxPlugins) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxPlugins, " plugins"));
  }
  for (const json& plugin : *plugins) {
    CRISP_RETURN_IF_ERROR(Annotate(ValidatePlugin(plugin), "plugins[", config.plugins.size(), "]"));
    config.plugins.push_back(plugin);
  }
  config.bytes = JsonText(list);
  return config;
}

}  // namespace

absl::Status ValidatePluginType(absl::string_view type) {
  if (IsPlainName(type)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("type '", Excerpt(type, 40), "' is not the plain name of a plugin"));
}

bool NetworkConfig::IsLoopbackOnly() const {
  return std::all_of(plugins.begin(), plugins.end(),
                     [](const json& plugin) { return StringMember(plugin, "type") == "loopback"; });
}

absl::StatusOr<NetworkConfig> ParseNetworkList(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const json list, ParseJsonObject(text));
  return FromList(list);
}

absl::StatusOr<NetworkConfig> ParseSinglePlugin(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const json plugin, ParseJsonObject(text));
  if (plugin.contains("plugins")) {
    return absl::InvalidArgumentError(
        "this is a list of plugins; its file name must end in .conflist");
  }
  json list = {{"plugins", json::array({plugin})}};
  for (const char* key : {"name", "cniVersion"}) {
    if (plugin.contains(key)) list[key] = plugin[key];
  }
  return FromList(list);
}

absl::StatusOr<NetworkConfig> ParseNetworkFile(absl::string_view file_name,
                                               absl::string_view text) {
  return absl::EndsWith(file_name, ".conflist") ? ParseNetworkList(text) : ParseSinglePlugin(text);
}

}  // namespace crisp::netns
