#include "cri/spec/lsm.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "cri/spec/deprecated_fields.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using runtime::v1::SecurityProfile;

constexpr char kField[] = "config.linux.security_context.apparmor";
constexpr char kProfiles[] = "/sys/kernel/security/apparmor/profiles";

// A line is "name (mode)"; names may contain blanks.
absl::StatusOr<bool> IsLoaded(const std::string& profile) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(kProfiles));
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (line.substr(0, line.rfind(" (")) == profile) return true;
  }
  return false;
}

// The new message, or the string of older kubelets, as one.
absl::StatusOr<SecurityProfile> Wanted(const runtime::v1::LinuxContainerSecurityContext& security) {
  if (security.has_apparmor()) return security.apparmor();
  const std::string& old = OldApparmorProfile(security);
  SecurityProfile wanted;
  if (old.empty() || old == "runtime/default") {
    wanted.set_profile_type(SecurityProfile::RuntimeDefault);
  } else if (old == "unconfined") {
    wanted.set_profile_type(SecurityProfile::Unconfined);
  } else if (absl::StartsWith(old, "localhost/")) {
    wanted.set_profile_type(SecurityProfile::Localhost);
    wanted.set_localhost_ref(std::string(absl::StripPrefix(old, "localhost/")));
  } else {
    return BadField("config.linux.security_context.apparmor_profile",
                    absl::StrCat(Quoted(old), " is not a profile"));
  }
  return wanted;
}

absl::Status CheckPart(const char* part, const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' ||
           (std::string(part) == "level" && (c == ':' || c == ','));
  });
  if (plain) return absl::OkStatus();
  return BadField(absl::StrCat("config.linux.security_context.selinux_options.", part),
                  absl::StrCat(Quoted(text), " is not a name"));
}

}  // namespace

absl::StatusOr<std::string> ApparmorProfile(
    const runtime::v1::LinuxContainerSecurityContext& security, const HostFacts& host,
    const std::string& runtime_default) {
  CRISP_ASSIGN_OR_RETURN(const SecurityProfile wanted, Wanted(security));
  const bool said = security.has_apparmor() || !OldApparmorProfile(security).empty();
  switch (wanted.profile_type()) {
    case SecurityProfile::Unconfined:
      return std::string();
    case SecurityProfile::RuntimeDefault:
      if (!host.apparmor || (security.privileged() && !said)) return std::string();
      if (said && runtime_default.empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat(kField, ": this host's default profile could not be loaded"));
      }
      return runtime_default;
    case SecurityProfile::Localhost:
      break;
    default:
      return BadField(absl::StrCat(kField, ".profile_type"), "is not a known type");
  }
  const std::string& name = wanted.localhost_ref();
  if (name.empty() || HasControl(name)) {
    return BadField(absl::StrCat(kField, ".localhost_ref"), "is not the name of a profile");
  }
  if (!host.apparmor) {
    return BadField(absl::StrCat(kField, ".localhost_ref"),
                    absl::StrCat("profile ", Quoted(name),
                                 " cannot be used: this host does not have AppArmor"));
  }
  CRISP_ASSIGN_OR_RETURN(const bool loaded, IsLoaded(name));
  if (!loaded) {
    return BadField(absl::StrCat(kField, ".localhost_ref"),
                    absl::StrCat("profile ", Quoted(name), " is not loaded"));
  }
  return name;
}

absl::StatusOr<SelinuxLabels> SelinuxLabelsOf(
    const runtime::v1::LinuxContainerSecurityContext& security,
    const runtime::v1::LinuxSandboxSecurityContext& pod, const HostFacts& host) {
  SelinuxLabels labels;
  if (!host.selinux) return labels;
  const runtime::v1::SELinuxOption& options =
      security.has_selinux_options() ? security.selinux_options() : pod.selinux_options();
  CRISP_RETURN_IF_ERROR(CheckPart("user", options.user()));
  CRISP_RETURN_IF_ERROR(CheckPart("role", options.role()));
  CRISP_RETURN_IF_ERROR(CheckPart("type", options.type()));
  CRISP_RETURN_IF_ERROR(CheckPart("level", options.level()));
  const auto or_default = [](const std::string& text, const char* otherwise) {
    return text.empty() ? std::string(otherwise) : text;
  };
  const std::string user = or_default(options.user(), "system_u");
  const std::string level = or_default(options.level(), "s0");
  labels.process = absl::StrCat(
      user, ":", or_default(options.role(), "system_r"), ":",
      or_default(options.type(), security.privileged() ? "spc_t" : "container_t"), ":", level);
  if (!security.privileged()) {
    labels.mount = absl::StrCat(user, ":object_r:container_file_t:", level);
  }
  return labels;
}

}  // namespace crisp::cri
