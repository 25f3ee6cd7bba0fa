#include "cri/spec/cdi.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "cri/spec/cdi_files.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

constexpr char kAnnotationPrefix[] = "cdi.k8s.io/";
constexpr absl::string_view kHooks[] = {"prestart",       "createRuntime", "createContainer",
                                        "startContainer", "poststart",     "poststop"};

absl::Status Bad(absl::string_view what, const json& value) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", Utf8Prefix(value.dump(), 200)));
}

absl::StatusOr<std::string> RequiredPath(absl::string_view what, const json& object,
                                         const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return Bad(what, object);
  return CheckHostPath(absl::StrCat(what, ".", key), found->get<std::string>());
}

std::string TextOr(const json& object, const char* key, const std::string& otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

const json& ListOf(const json& edits, const char* key) {
  static const json none = json::array();
  const auto found = edits.find(key);
  return found != edits.end() && found->is_array() ? *found : none;
}

absl::Status AddEnv(const json& edits, json* spec) {
  json& env = (*spec)["process"]["env"];
  for (const json& entry : ListOf(edits, "env")) {
    const std::string text = entry.is_string() ? entry.get<std::string>() : "";
    const size_t equals = text.find('=');
    if (equals == 0 || equals == text.npos) return Bad("env", entry);
    const std::string name = text.substr(0, equals + 1);
    const auto same = std::find_if(env.begin(), env.end(), [&](const json& have) {
      return absl::StartsWith(have.get_ref<const std::string&>(), name);
    });
    if (same != env.end()) {
      *same = text;
    } else {
      env.push_back(text);
    }
  }
  return absl::OkStatus();
}

// The node as the host has it, where the file does not say.
absl::Status CompleteNode(const std::string& host_path, json* node) {
  if (node->contains("type") && (*node)["type"] == "p") return absl::OkStatus();
  if (node->contains("type") && node->contains("major") && node->contains("minor")) {
    return absl::OkStatus();
  }
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", host_path), [&] { return ::stat(host_path.c_str(), &st); }));
  if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(host_path, " is not a device"));
  }
  const char* type = S_ISBLK(st.st_mode) ? "b" : "c";
  if (node->contains("type") && (*node)["type"] != type) return Bad("deviceNodes.type", *node);
  (*node)["type"] = type;
  (*node)["major"] = major(st.st_rdev);
  (*node)["minor"] = minor(st.st_rdev);
  return absl::OkStatus();
}

absl::Status AddNodes(const json& edits, json* spec) {
  for (const json& wanted : ListOf(edits, "deviceNodes")) {
    CRISP_ASSIGN_OR_RETURN(const std::string path, RequiredPath("deviceNodes", wanted, "path"));
    json node = {{"path", path}};
    for (const char* key : {"type", "major", "minor", "fileMode", "uid", "gid"}) {
      const auto found = wanted.find(key);
      if (found == wanted.end() || found->is_null()) continue;
      const bool fits =
          key == absl::string_view("type") ? found->is_string() : found->is_number_integer();
      if (!fits) return Bad(absl::StrCat("deviceNodes.", key), wanted);
      node[key] = *found;
    }
    CRISP_RETURN_IF_ERROR(CompleteNode(TextOr(wanted, "hostPath", path), &node));
    // The device is for the container's user.
    for (const char* key : {"uid", "gid"}) {
      const uint32_t id = (*spec)["process"]["user"].value(key, 0u);
      if (!node.contains(key) && id != 0) node[key] = id;
    }
    json& devices = (*spec)["linux"]["devices"];
    if (!devices.is_array()) devices = json::array();
    devices.erase(std::remove_if(devices.begin(), devices.end(),
                                 [&](const json& have) { return have["path"] == path; }),
                  devices.end());
    devices.push_back(node);
    if (node["type"] == "p") continue;
    (*spec)["linux"]["resources"]["devices"].push_back(
        {{"allow", true},
         {"type", node["type"]},
         {"major", node["major"]},
         {"minor", node["minor"]},
         {"access", TextOr(wanted, "permissions", "rwm")}});
  }
  return absl::OkStatus();
}

absl::Status AddMounts(const json& edits, json* spec) {
  json& mounts = (*spec)["mounts"];
  for (const json& wanted : ListOf(edits, "mounts")) {
    CRISP_ASSIGN_OR_RETURN(const std::string source, RequiredPath("mounts", wanted, "hostPath"));
    CRISP_ASSIGN_OR_RETURN(
        const std::string target,
        CheckContainerPath("mounts.containerPath", TextOr(wanted, "containerPath", "")));
    json mount = {{"destination", target},
                  {"source", source},
                  {"type", TextOr(wanted, "type", "bind")},
                  {"options", wanted.value("options", json::array({"rbind", "rprivate"}))}};
    mounts.erase(std::remove_if(mounts.begin(), mounts.end(),
                                [&](const json& have) { return have["destination"] == target; }),
                 mounts.end());
    mounts.push_back(std::move(mount));
  }
  // Parents before children, as everywhere in the list.
  const auto depth = [](const json& mount) {
    const std::string& path = mount["destination"].get_ref<const std::string&>();
    return path == "/" ? 0 : std::count(path.begin(), path.end(), '/');
  };
  std::stable_sort(mounts.begin(), mounts.end(),
                   [&](const json& a, const json& b) { return depth(a) < depth(b); });
  return absl::OkStatus();
}

absl::Status AddHooks(const json& edits, json* spec) {
  for (const json& wanted : ListOf(edits, "hooks")) {
    const std::string name = TextOr(wanted, "hookName", "");
    if (std::find(std::begin(kHooks), std::end(kHooks), name) == std::end(kHooks)) {
      return Bad("hooks.hookName", wanted);
    }
    CRISP_ASSIGN_OR_RETURN(const std::string path, RequiredPath("hooks", wanted, "path"));
    json hook = {{"path", path}};
    for (const char* key : {"args", "env", "timeout"}) {
      if (wanted.contains(key) && !wanted[key].is_null()) hook[key] = wanted[key];
    }
    (*spec)["hooks"][name].push_back(std::move(hook));
  }
  return absl::OkStatus();
}

absl::Status AddGroups(const json& edits, json* spec) {
  for (const json& gid : ListOf(edits, "additionalGids")) {
    if (!gid.is_number_unsigned()) return Bad("additionalGids", gid);
    json& groups = (*spec)["process"]["user"]["additionalGids"];
    if (gid != 0 && std::find(groups.begin(), groups.end(), gid) == groups.end()) {
      groups.push_back(gid);
    }
  }
  return absl::OkStatus();
}

absl::Status Apply(const json& edits, json* spec) {
  CRISP_RETURN_IF_ERROR(AddEnv(edits, spec));
  CRISP_RETURN_IF_ERROR(AddNodes(edits, spec));
  CRISP_RETURN_IF_ERROR(AddMounts(edits, spec));
  CRISP_RETURN_IF_ERROR(AddHooks(edits, spec));
  return AddGroups(edits, spec);
}

}  // namespace

std::vector<std::string> CdiDeviceNames(const runtime::v1::ContainerConfig& config) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& device : config.cdi_devices()) add(device.name());
  // Sorted: a map of annotations has no order.
  std::map<std::string, std::string> annotations(config.annotations().begin(),
                                                 config.annotations().end());
  for (const auto& [key, value] : annotations) {
    if (!absl::StartsWith(key, kAnnotationPrefix)) continue;
    for (const absl::string_view name : absl::StrSplit(value, ',')) add(std::string(name));
  }
  return names;
}

absl::Status CheckCdiName(const std::string& field, const std::string& name) {
  const size_t equals = name.find('=');
  if (equals != name.npos && IsCdiKind(name.substr(0, equals)) &&
      IsCdiDeviceName(name.substr(equals + 1))) {
    return absl::OkStatus();
  }
  return BadField(field, absl::StrCat(Quoted(name), " is not like \"vendor.example/class=name\""));
}

absl::Status InjectCdiDevices(const std::vector<std::string>& names,
                              const std::vector<std::string>& directories, json* spec) {
  if (names.empty()) return absl::OkStatus();
  const CdiFiles files = ReadCdiFiles(directories);
  json edited = *spec;
  std::set<const json*> applied;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string field = absl::StrCat("config.CDI_devices[", i, "]");
    CRISP_RETURN_IF_ERROR(CheckCdiName(field, names[i]));
    const auto found = files.devices.find(names[i]);
    if (found == files.devices.end()) {
      const std::string problems =
          files.problems.empty() ? "" : absl::StrCat("; ", absl::StrJoin(files.problems, "; "));
      return BadField(field, absl::StrCat("no spec file in ", absl::StrJoin(directories, ", "),
                                          " has ", Quoted(names[i]), problems));
    }
    absl::Status status;
    if (applied.insert(found->second.common.get()).second) {
      status = Apply(*found->second.common, &edited);
    }
    if (status.ok()) status = Apply(found->second.edits, &edited);
    if (!status.ok()) return BadField(field, absl::StrCat(names[i], ": ", status.message()));
  }
  *spec = std::move(edited);
  return absl::OkStatus();
}

}  // namespace crisp::cri
