#include "shim/launch/spec_reader.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"
#include "shim/launch/json_fields.h"
#include "shim/launch/process_reader.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace crisp::shim {
namespace {

using Json = nlohmann::json;

// A spec comes from a daemon that trusts its user little: depth and size are bounded.
constexpr size_t kMaxSpec = 16 << 20;

absl::Status ReadIdMap(const Json& json, const std::string& path, std::vector<IdMap>* out) {
  JsonFields fields(json, path);
  IdMap map;
  fields.ReadNumber("containerID", &map.inside);
  fields.ReadNumber("hostID", &map.outside);
  fields.ReadNumber("size", &map.count);
  if (map.count == 0) fields.Fail("size", "is 0");
  out->push_back(map);
  return fields.Done();
}

void ReadIdMaps(JsonFields* fields, IdMaps* out) {
  fields->Each("uidMappings", [out](const Json& json, const std::string& path) {
    return ReadIdMap(json, path, &out->uids);
  });
  fields->Each("gidMappings", [out](const Json& json, const std::string& path) {
    return ReadIdMap(json, path, &out->gids);
  });
  if (out->uids.empty() != out->gids.empty()) {
    fields->Fail(out->uids.empty() ? "uidMappings" : "gidMappings", "is missing");
  }
}

absl::Status ReadMount(const Json& json, const std::string& path, std::vector<Mount>* out) {
  JsonFields fields(json, path);
  Mount mount;
  fields.Read("destination", &mount.destination);
  fields.Read("type", &mount.type);
  fields.Read("source", &mount.source);
  fields.Read("options", &mount.options);
  ReadIdMaps(&fields, &mount.id_maps);
  if (mount.destination.empty()) fields.Fail("destination", "is empty");
  out->push_back(std::move(mount));
  return fields.Done();
}

constexpr struct {
  const char* name;
  std::vector<Hook> Hooks::*hooks;
} kHooks[] = {
    {"prestart", &Hooks::prestart},
    {"createRuntime", &Hooks::create_runtime},
    {"createContainer", &Hooks::create_container},
    {"startContainer", &Hooks::start_container},
    {"poststart", &Hooks::poststart},
    {"poststop", &Hooks::poststop},
};

constexpr struct {
  const char* name;
  int type;
} kNamespaces[] = {
    {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mount", CLONE_NEWNS},
    {"network", CLONE_NEWNET},   {"pid", CLONE_NEWPID}, {"time", CLONE_NEWTIME},
    {"user", CLONE_NEWUSER},     {"uts", CLONE_NEWUTS},
};

absl::Status ReadHook(const Json& json, const std::string& path, std::vector<Hook>* out) {
  JsonFields fields(json, path);
  Hook hook;
  fields.Read("path", &hook.path);
  fields.Read("args", &hook.args);
  fields.Read("env", &hook.env);
  fields.ReadNumber("timeout", &hook.timeout);
  if (!absl::StartsWith(hook.path, "/")) fields.Fail("path", "is not an absolute path");
  if (hook.timeout.has_value() && *hook.timeout <= 0) fields.Fail("timeout", "is not above 0");
  out->push_back(std::move(hook));
  return fields.Done();
}

absl::Status ReadHooks(const Json& json, const std::string& path, Hooks* out) {
  JsonFields fields(json, path);
  for (const auto& known : kHooks) {
    fields.Each(known.name, [&](const Json& hook, const std::string& where) {
      return ReadHook(hook, where, &(out->*known.hooks));
    });
  }
  return fields.Done();
}

absl::Status ReadNamespace(const Json& json, const std::string& path, Spec* spec) {
  JsonFields fields(json, path);
  Namespace ns;
  std::string name;
  fields.Read("type", &name);
  fields.Read("path", &ns.path);
  for (const auto& known : kNamespaces) {
    if (name == known.name) ns.type = known.type;
  }
  if (ns.type == 0) fields.Fail("type", "is not a namespace");
  if (spec->HasNamespace(ns.type)) fields.Fail("type", "is there twice");
  if (!ns.path.empty() && ns.path.front() != '/') fields.Fail("path", "is not an absolute path");
  spec->namespaces.push_back(std::move(ns));
  return fields.Done();
}

absl::Status ReadDevice(const Json& json, const std::string& path, std::vector<Device>* out) {
  JsonFields fields(json, path);
  Device device;
  std::string type;
  std::optional<uint32_t> mode;
  fields.Read("path", &device.path);
  fields.Read("type", &type);
  fields.ReadNumber("major", &device.major);
  fields.ReadNumber("minor", &device.minor);
  fields.ReadNumber("fileMode", &mode);
  fields.ReadNumber("uid", &device.uid);
  fields.ReadNumber("gid", &device.gid);
  if (!absl::StartsWith(device.path, "/")) fields.Fail("path", "is not an absolute path");
  if (mode.has_value()) device.mode = *mode & 07777;
  if (type == "c" || type == "u") {
    device.type = S_IFCHR;
  } else if (type == "b") {
    device.type = S_IFBLK;
  } else if (type == "p") {
    device.type = S_IFIFO;
  } else {
    fields.Fail("type", "is not c, b, u or p");
  }
  out->push_back(std::move(device));
  return fields.Done();
}

void ReadPropagation(JsonFields* fields, Spec* spec) {
  constexpr struct {
    const char* name;
    unsigned long flags;
  } kKnown[] = {{"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
                {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
                {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
                {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC}};
  std::string name;
  fields->Read("rootfsPropagation", &name);
  if (name.empty()) return;
  for (const auto& known : kKnown) {
    if (name == known.name) spec->rootfs_propagation = known.flags;
  }
  if (!spec->rootfs_propagation.has_value()) {
    fields->Fail("rootfsPropagation", "is not a propagation");
  }
}

void ReadPersonality(JsonFields* fields, Spec* spec) {
  const Json* json = fields->Take("personality");
  if (json == nullptr) return;
  JsonFields inner(*json, fields->PathOf("personality"));
  std::string domain;
  inner.Read("domain", &domain);
  inner.Refuse("flags");
  if (domain == "LINUX") {
    spec->personality = PER_LINUX;
  } else if (domain == "LINUX32") {
    spec->personality = PER_LINUX32;
  } else {
    inner.Fail("domain", "is not LINUX or LINUX32");
  }
  fields->Check(inner.Done());
}

void ReadTimeOffsets(JsonFields* fields, Spec* spec) {
  const Json* json = fields->Take("timeOffsets");
  if (json == nullptr) return;
  JsonFields clocks(*json, fields->PathOf("timeOffsets"));
  for (const char* clock : {"monotonic", "boottime"}) {
    const Json* entry = clocks.Take(clock);
    if (entry == nullptr) continue;
    JsonFields inner(*entry, clocks.PathOf(clock));
    TimeOffset offset{clock};
    inner.ReadNumber("secs", &offset.seconds);
    inner.ReadNumber("nanosecs", &offset.nanoseconds);
    clocks.Check(inner.Done());
    spec->time_offsets.push_back(offset);
  }
  fields->Check(clocks.Done());
}

absl::Status ReadLinux(const Json& json, const std::string& path, Spec* spec) {
  JsonFields fields(json, path);
  ReadIdMaps(&fields, &spec->id_maps);
  fields.Read("sysctl", &spec->sysctls);
  if (const Json* resources = fields.Take("resources"); resources != nullptr) {
    auto parsed = cgroup::ParseResources(*resources, fields.PathOf("resources"));
    fields.Check(parsed.status());
    if (parsed.ok()) spec->resources = *std::move(parsed);
  }
  fields.Read("cgroupsPath", &spec->cgroups_path);
  fields.Each("namespaces", [spec](const Json& ns, const std::string& where) {
    return ReadNamespace(ns, where, spec);
  });
  fields.Each("devices", [spec](const Json& device, const std::string& where) {
    return ReadDevice(device, where, &spec->devices);
  });
  (void)fields.Take("seccomp");  // ParseSpec moves it: it is larger than all the rest.
  ReadPropagation(&fields, spec);
  fields.Read("maskedPaths", &spec->masked_paths);
  fields.Read("readonlyPaths", &spec->readonly_paths);
  fields.Read("mountLabel", &spec->mount_label);
  ReadPersonality(&fields, spec);
  ReadTimeOffsets(&fields, spec);
  fields.Refuse("intelRdt");
  fields.Refuse("memoryPolicy");
  fields.Refuse("netDevices");

  for (const std::string& masked : spec->masked_paths) {
    if (!absl::StartsWith(masked, "/")) fields.Fail("maskedPaths", "has a relative path");
  }
  for (const std::string& readonly : spec->readonly_paths) {
    if (!absl::StartsWith(readonly, "/")) fields.Fail("readonlyPaths", "has a relative path");
  }
  return fields.Done();
}

// What only makes sense together.
absl::Status CheckWhole(const Spec& spec) {
  const auto bad = [](absl::string_view field, absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", reason));
  };
  if (!absl::StartsWith(spec.version, "1.")) return bad("ociVersion", "is not 1.x");
  if (!spec.MakesNamespace(CLONE_NEWNS)) {
    return bad("linux.namespaces", "a container has a mount namespace of its own");
  }
  if (!spec.id_maps.empty() && !spec.HasNamespace(CLONE_NEWUSER)) {
    return bad("linux.uidMappings", "without a user namespace");
  }
  if (spec.MakesNamespace(CLONE_NEWUSER) && spec.id_maps.empty()) {
    return bad("linux.uidMappings", "is missing: a new user namespace needs it");
  }
  if (!spec.hostname.empty() && !spec.HasNamespace(CLONE_NEWUTS)) {
    return bad("hostname", "without a UTS namespace");
  }
  if (!spec.domainname.empty() && !spec.HasNamespace(CLONE_NEWUTS)) {
    return bad("domainname", "without a UTS namespace");
  }
  if (!spec.time_offsets.empty() && !spec.MakesNamespace(CLONE_NEWTIME)) {
    return bad("linux.timeOffsets", "without a time namespace of its own");
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> ParseJson(absl::string_view text, const char* what) {
  if (text.size() > kMaxSpec) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": is larger than 16 MiB"));
  }
  if (!IsShallowJson(text)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": nests too deep"));
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": is not JSON"));
  }
  return json;
}

}  // namespace

absl::StatusOr<Spec> ParseSpec(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(Json json, ParseJson(text, "spec"));
  Spec spec;
  JsonFields fields(json, "");
  fields.Read("ociVersion", &spec.version);
  if (const Json* process = fields.Take("process"); process != nullptr) {
    auto parsed = ReadProcess(*process, "process");
    fields.Check(parsed.status());
    if (parsed.ok()) spec.process = *std::move(parsed);
  } else {
    fields.Fail("process", "is missing");
  }
  if (const Json* root = fields.Take("root"); root != nullptr) {
    JsonFields inner(*root, "root");
    inner.Read("path", &spec.root_path);
    inner.Read("readonly", &spec.root_readonly);
    fields.Check(inner.Done());
  }
  fields.Read("hostname", &spec.hostname);
  fields.Read("domainname", &spec.domainname);
  fields.Each("mounts", [&spec](const Json& mount, const std::string& path) {
    return ReadMount(mount, path, &spec.mounts);
  });
  if (const Json* hooks = fields.Take("hooks"); hooks != nullptr) {
    fields.Check(ReadHooks(*hooks, "hooks", &spec.hooks));
  }
  fields.Read("annotations", &spec.annotations);
  if (const Json* linux_part = fields.Take("linux"); linux_part != nullptr) {
    fields.Check(ReadLinux(*linux_part, "linux", &spec));
  } else {
    fields.Fail("linux", "is missing");
  }
  for (const char* other : {"solaris", "windows", "vm", "zos", "freebsd"}) fields.Refuse(other);
  CRISP_RETURN_IF_ERROR(fields.Done());
  CRISP_RETURN_IF_ERROR(CheckWhole(spec));
  if (const auto it = json["linux"].find("seccomp"); it != json["linux"].end()) {
    spec.seccomp = std::move(*it);
  }
  return spec;
}

absl::StatusOr<Process> ParseProcess(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const Json json, ParseJson(text, "process"));
  return ReadProcess(json, "process");
}

absl::StatusOr<Hooks> ParseHooks(const Json& json) {
  Hooks hooks;
  CRISP_RETURN_IF_ERROR(ReadHooks(json, "hooks", &hooks));
  return hooks;
}

std::vector<std::string> HookNames() {
  std::vector<std::string> names;
  for (const auto& known : kHooks) names.emplace_back(known.name);
  return names;
}

std::vector<std::string> NamespaceNames() {
  std::vector<std::string> names;
  for (const auto& known : kNamespaces) names.emplace_back(known.name);
  return names;
}

}  // namespace crisp::shim
