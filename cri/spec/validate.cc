#include "cri/spec/validate.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "cri/spec/dns_config.h"
#include "cri/spec/field_text.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

using runtime::v1::ContainerConfig;
using runtime::v1::NamespaceMode;
using runtime::v1::NamespaceOption;
using runtime::v1::PodSandboxConfig;

constexpr size_t kMaxName = 253;
constexpr size_t kMaxMapBytes = 1 << 20;
constexpr size_t kMaxLogPath = 1024;
constexpr int kMaxEntries = 8192;  // Of mounts, variables and devices each.

using StringMap = google::protobuf::Map<std::string, std::string>;

// Names of pods and containers become elements of paths, of CNI_ARGS (which ';'
// and '=' would split) and of log lines.
absl::Status CheckName(absl::string_view field, const std::string& name) {
  if (name.empty()) return BadField(field, "is empty");
  if (name.size() > kMaxName) return BadField(field, "is longer than 253 characters");
  const bool word = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
  });
  if (!word || !absl::ascii_isalnum(name.front())) {
    return BadField(field, absl::StrCat(Quoted(name),
                                        " is not letters, digits, '-', '_', '.' and ':' that "
                                        "begin with a letter or digit"));
  }
  return absl::OkStatus();
}

absl::Status CheckMap(absl::string_view field, const StringMap& map) {
  size_t bytes = 0;
  for (const auto& [key, value] : map) {
    if (key.empty()) return BadField(field, "has an empty key");
    if (!IsUtf8(key) || !IsUtf8(value) || HasControl(key)) {
      return BadField(absl::StrCat(field, "[", Quoted(key), "]"), "is not UTF-8 text");
    }
    bytes += key.size() + value.size();
  }
  if (bytes > kMaxMapBytes) return BadField(field, "is larger than 1 MiB");
  return absl::OkStatus();
}

absl::Status CheckPorts(const PodSandboxConfig& config) {
  std::set<std::tuple<int, int, std::string>> taken;
  for (int i = 0; i < config.port_mappings_size(); ++i) {
    const auto& port = config.port_mappings(i);
    const std::string field = absl::StrCat("config.port_mappings[", i, "].");
    if (!runtime::v1::Protocol_IsValid(port.protocol())) {
      return BadField(field + "protocol", "is not TCP, UDP or SCTP");
    }
    if (port.container_port() < 1 || port.container_port() > 65535) {
      return BadField(field + "container_port",
                      absl::StrCat(port.container_port(), " is not between 1 and 65535"));
    }
    if (port.host_port() < 0 || port.host_port() > 65535) {
      return BadField(field + "host_port",
                      absl::StrCat(port.host_port(), " is not between 0 and 65535"));
    }
    if (!port.host_ip().empty() && !IsIpAddress(port.host_ip())) {
      return BadField(field + "host_ip",
                      absl::StrCat(Quoted(port.host_ip()), " is not an address"));
    }
    const auto key =
        std::make_tuple(static_cast<int>(port.protocol()), port.host_port(), port.host_ip());
    if (port.host_port() != 0 && !taken.insert(key).second) {
      return BadField(field + "host_port", absl::StrCat(port.host_port(), " is mapped twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCgroupParent(const std::string& parent) {
  constexpr char kField[] = "config.linux.cgroup_parent";
  if (parent.empty()) return absl::OkStatus();
  if (parent.size() > kMaxLogPath) return BadField(kField, "is longer than 1024 bytes");
  if (HasControl(parent) || !IsUtf8(parent)) return BadField(kField, "is not plain text");
  // A slice of systemd's ("kubepods-pod1.slice") or a path in the hierarchy.
  const std::vector<absl::string_view> parts = absl::StrSplit(parent, '/');
  for (absl::string_view part : parts) {
    if (part == "..") return BadField(kField, absl::StrCat(Quoted(parent), " contains '..'"));
  }
  return absl::OkStatus();
}

absl::Status CheckNamespaces(const std::string& prefix, const NamespaceOption& options,
                             bool sandbox) {
  if (!runtime::v1::NamespaceMode_IsValid(options.network()) ||
      options.network() == NamespaceMode::TARGET || options.network() == NamespaceMode::CONTAINER) {
    return BadField(prefix + "network", "is not POD or NODE");
  }
  const bool ipc_container = options.ipc() == NamespaceMode::CONTAINER && !sandbox;
  if (options.ipc() != NamespaceMode::POD && options.ipc() != NamespaceMode::NODE &&
      !ipc_container) {
    return BadField(prefix + "ipc",
                    sandbox ? "is not POD or NODE" : "is not POD, CONTAINER or NODE");
  }
  if (!runtime::v1::NamespaceMode_IsValid(options.pid())) {
    return BadField(prefix + "pid", "is not POD, CONTAINER, NODE or TARGET");
  }
  if (options.pid() == NamespaceMode::TARGET) {
    if (sandbox) return BadField(prefix + "pid", "a sandbox has no target container");
    if (options.target_id().empty()) {
      return BadField(prefix + "target_id", "is empty but pid is TARGET");
    }
  }
  return sandbox ? ValidateUserNamespace(prefix, options) : absl::OkStatus();
}

absl::Status CheckEnvs(const ContainerConfig& config) {
  if (config.envs_size() > kMaxEntries) return BadField("config.envs", "more than 8192 variables");
  for (int i = 0; i < config.envs_size(); ++i) {
    const auto& env = config.envs(i);
    const std::string field = absl::StrCat("config.envs[", i, "].");
    if (env.key().empty()) return BadField(field + "key", "is empty");
    if (env.key().find_first_of(std::string("=\0", 2)) != std::string::npos || !IsUtf8(env.key())) {
      return BadField(field + "key",
                      absl::StrCat(Quoted(env.key()), " contains '=' or NUL or is not UTF-8"));
    }
    if (env.value().find('\0') != std::string::npos || !IsUtf8(env.value())) {
      return BadField(field + "value", absl::StrCat("the value of ", Quoted(env.key()),
                                                    " contains NUL or is not UTF-8"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckWords(const char* field,
                        const google::protobuf::RepeatedPtrField<std::string>& words) {
  for (int i = 0; i < words.size(); ++i) {
    if (words[i].find('\0') != std::string::npos || !IsUtf8(words[i])) {
      return BadField(absl::StrCat(field, "[", i, "]"), "contains NUL or is not UTF-8");
    }
  }
  return absl::OkStatus();
}

// A directory inside a process's own /proc entries may be an open descriptor of
// the runtime, and with it the host (CVE-2024-21626).
bool IsProcessDir(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return parts.size() > 3 && parts[1] == "proc" &&
         (parts[2] == "self" || parts[2] == "thread-self" ||
          std::all_of(parts[2].begin(), parts[2].end(), absl::ascii_isdigit));
}

absl::Status CheckWorkingDir(const std::string& dir) {
  if (dir.empty() || dir == "/") return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const std::string clean, CheckHostPath("config.working_dir", dir));
  if (IsProcessDir(clean)) {
    return BadField("config.working_dir", absl::StrCat(Quoted(dir), " is a process's own"));
  }
  return absl::OkStatus();
}

// kubelet shows the first word of a refusal as the pod's reason.
absl::Status CheckImageMount(const std::string& mount_field, const runtime::v1::Mount& mount) {
  const std::string field = absl::StrCat("ImageVolumeMountFailed: ", mount_field);
  if (!mount.host_path().empty()) return BadField(field + "host_path", "is set beside image");
  if (!mount.readonly()) return BadField(field + "readonly", "an image can only be mounted so");
  if (mount.propagation() != runtime::v1::PROPAGATION_PRIVATE) {
    return BadField(field + "propagation", "an image needs a private one");
  }
  const std::string& sub_path = mount.image_sub_path();
  if (sub_path.empty() || (IsCleanRelative(sub_path) && !HasControl(sub_path))) {
    return absl::OkStatus();
  }
  return BadField(field + "image_sub_path",
                  absl::StrCat(Quoted(sub_path), " is not a relative path without '.' and '..'"));
}

absl::Status CheckMountPaths(const ContainerConfig& config, const PodSandboxConfig& pod) {
  if (config.mounts_size() > kMaxEntries) return BadField("config.mounts", "more than 8192 mounts");
  for (int i = 0; i < config.mounts_size(); ++i) {
    const auto& mount = config.mounts(i);
    const std::string field = absl::StrCat("config.mounts[", i, "].");
    CRISP_RETURN_IF_ERROR(
        CheckContainerPath(field + "container_path", mount.container_path()).status());
    CRISP_RETURN_IF_ERROR(
        ValidateMountMappings(absl::StrCat("config.mounts[", i, "]"), mount, pod));
    if (!mount.image().image().empty()) {
      CRISP_RETURN_IF_ERROR(CheckImageMount(field, mount));
      continue;
    }
    CRISP_RETURN_IF_ERROR(CheckHostPath(field + "host_path", mount.host_path()).status());
    if (!mount.image_sub_path().empty()) {
      return BadField(field + "image_sub_path", "is set without image");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePodSandboxConfig(const PodSandboxConfig& config) {
  if (!config.has_metadata()) return BadField("config.metadata", "is missing");
  CRISP_RETURN_IF_ERROR(CheckName("config.metadata.name", config.metadata().name()));
  CRISP_RETURN_IF_ERROR(CheckName("config.metadata.namespace", config.metadata().namespace_()));
  CRISP_RETURN_IF_ERROR(CheckName("config.metadata.uid", config.metadata().uid()));
  if (!config.hostname().empty()) {
    CRISP_RETURN_IF_ERROR(ValidateHostname("config.hostname", config.hostname()));
  }
  if (!config.log_directory().empty()) {
    CRISP_RETURN_IF_ERROR(
        CheckContainerPath("config.log_directory", config.log_directory()).status());
  }
  CRISP_RETURN_IF_ERROR(ValidateDnsConfig("config.dns_config", config.dns_config()));
  CRISP_RETURN_IF_ERROR(CheckPorts(config));
  CRISP_RETURN_IF_ERROR(CheckMap("config.labels", config.labels()));
  CRISP_RETURN_IF_ERROR(CheckMap("config.annotations", config.annotations()));
  CRISP_RETURN_IF_ERROR(CheckCgroupParent(config.linux().cgroup_parent()));
  const auto& security = config.linux().security_context();
  if (security.has_run_as_group() && !security.has_run_as_user()) {
    return BadField("config.linux.security_context.run_as_group", "is set without run_as_user");
  }
  return CheckNamespaces("config.linux.security_context.namespace_options.",
                         security.namespace_options(), true);
}

absl::Status ValidateContainerConfig(const ContainerConfig& config, const PodSandboxConfig& pod) {
  if (!config.has_metadata()) return BadField("config.metadata", "is missing");
  CRISP_RETURN_IF_ERROR(CheckName("config.metadata.name", config.metadata().name()));
  if (config.image().image().empty()) return BadField("config.image.image", "is empty");
  CRISP_RETURN_IF_ERROR(CheckWords("config.command", config.command()));
  CRISP_RETURN_IF_ERROR(CheckWords("config.args", config.args()));
  CRISP_RETURN_IF_ERROR(CheckWorkingDir(config.working_dir()));
  CRISP_RETURN_IF_ERROR(CheckEnvs(config));
  CRISP_RETURN_IF_ERROR(CheckMountPaths(config, pod));
  if (config.devices_size() > kMaxEntries) return BadField("config.devices", "more than 8192");
  if (config.cdi_devices_size() > kMaxEntries) {
    return BadField("config.CDI_devices", "more than 8192");
  }
  const std::string& log = config.log_path();
  if (!log.empty() && (!IsCleanRelative(log) || HasControl(log) || log.size() > kMaxLogPath)) {
    return BadField("config.log_path",
                    absl::StrCat(Quoted(log), " is not a relative path without '.' and '..'"));
  }
  CRISP_RETURN_IF_ERROR(CheckMap("config.labels", config.labels()));
  CRISP_RETURN_IF_ERROR(CheckMap("config.annotations", config.annotations()));
  const auto& security = config.linux().security_context();
  if (security.privileged() && !pod.linux().security_context().privileged()) {
    return BadField("config.linux.security_context.privileged", "the sandbox is not privileged");
  }
  constexpr char kOptions[] = "config.linux.security_context.namespace_options.";
  CRISP_RETURN_IF_ERROR(CheckNamespaces(kOptions, security.namespace_options(), false));
  return CheckSameUserNamespace(kOptions, security.namespace_options(), pod);
}

}  // namespace crisp::cri
