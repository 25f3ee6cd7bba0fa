#include "cri/spec/sysctls.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "cri/spec/field_text.h"
#include "cri/spec/namespaces.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxName = 253;
constexpr size_t kMaxValue = 4096;

constexpr absl::string_view kIpcSysctls[] = {
    "kernel.msgmax",      "kernel.msgmnb",      "kernel.msgmni",          "kernel.sem",
    "kernel.shmall",      "kernel.shmmax",      "kernel.shm_rmid_forced", "kernel.shmmni",
    "kernel.msg_next_id", "kernel.sem_next_id", "kernel.shm_next_id",
};

absl::StatusOr<std::string> CheckName(const std::string& field, absl::string_view name) {
  if (name.empty() || name.size() > kMaxName) return BadField(field, "is not a sysctl name");
  // Slashes are the other spelling of dots. Both in one name would be an interface
  // whose name has a dot, which the OCI spec has no way to say.
  std::string dotted(name);
  if (dotted.find('.') == dotted.npos) std::replace(dotted.begin(), dotted.end(), '/', '.');
  char before = '.';
  for (const char c : dotted) {
    const bool word = absl::ascii_isalnum(c) || c == '_' || c == '-' || c == ':' || c == '@';
    const bool separator = c == '.' && before != '.';
    if (!word && !separator) return BadField(field, "is not a sysctl name");
    before = c;
  }
  if (before == '.') return BadField(field, "is not a sysctl name");
  return dotted;
}

// Numbers separated by single blanks, or one word: no sysctl of a namespace needs
// more, and what could be read as a second setting is refused.
absl::Status CheckValue(const std::string& field, absl::string_view value) {
  if (value.empty()) return BadField(field, "has an empty value");
  if (value.size() > kMaxValue) return BadField(field, "has a value longer than 4096 bytes");
  if (absl::ascii_isspace(value.front()) || absl::ascii_isspace(value.back())) {
    return BadField(field, absl::StrCat("value ", Quoted(value), " begins or ends with a space"));
  }
  for (const char c : value) {
    if (!absl::ascii_isprint(c) && c != '\t') {
      return BadField(field, absl::StrCat("value ", Quoted(value), " has a control character"));
    }
    if (c == '=' || c == '+') {
      return BadField(field,
                      absl::StrCat("value ", Quoted(value), " contains '", std::string(1, c), "'"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNamespace(const std::string& field, const std::string& name,
                            const runtime::v1::PodSandboxConfig& config) {
  if (name.rfind("net.", 0) == 0) {
    if (!HostNetwork(config)) return absl::OkStatus();
    return BadField(field, "the pod has the host's network");
  }
  const bool ipc =
      name.rfind("fs.mqueue.", 0) == 0 ||
      std::find(std::begin(kIpcSysctls), std::end(kIpcSysctls), name) != std::end(kIpcSysctls);
  if (ipc) {
    if (!HostIpc(config)) return absl::OkStatus();
    return BadField(field, "the pod has the host's IPC");
  }
  if (name == "kernel.domainname") {
    if (!HostNetwork(config)) return absl::OkStatus();
    return BadField(field, "the pod has the host's UTS namespace");
  }
  return BadField(field, "does not belong to a namespace of the pod");
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ResolveSysctls(
    const runtime::v1::PodSandboxConfig& config) {
  std::map<std::string, std::string> sysctls;
  for (const auto& [name, value] : config.linux().sysctls()) {
    const std::string field = absl::StrCat("config.linux.sysctls[", Quoted(name), "]");
    const absl::StatusOr<std::string> dotted = CheckName(field, name);
    if (!dotted.ok()) return dotted.status();
    CRISP_RETURN_IF_ERROR(CheckNamespace(field, *dotted, config));
    CRISP_RETURN_IF_ERROR(CheckValue(field, value));
    if (!sysctls.emplace(*dotted, value).second) return BadField(field, "is set twice");
  }
  if (!HostNetwork(config)) {
    sysctls.emplace("net.ipv4.ip_unprivileged_port_start", "0");
    // The groups have to be mapped, in a user namespace.
    const runtime::v1::UserNamespace* const users = UserNamespaceOf(config);
    const uint64_t last = users == nullptr ? 2147483647 : users->gids(0).length() - 1;
    sysctls.emplace("net.ipv4.ping_group_range",
                    absl::StrCat("0 ", std::min<uint64_t>(last, 2147483647)));
  }
  return sysctls;
}

}  // namespace crisp::cri
