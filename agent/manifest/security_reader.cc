#include "agent/manifest/security_reader.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"

namespace crisp::agent {
namespace {

constexpr int64_t kMaxId = 2147483647;  // Kubernetes' own bound for uids and gids.

void ReadSeccomp(ObjectReader& context, SeccompProfile* out) {
  context.Object("seccompProfile", [&](ObjectReader& profile) {
    profile.ReadChoice("type", {"RuntimeDefault", "Unconfined", "Localhost"}, &out->type);
    profile.Read("localhostProfile", &out->localhost_profile);
    if (!profile.Has("type")) profile.Fail("type", "Required value");
    if (!out->type.empty() && (out->type == "Localhost") != !out->localhost_profile.empty()) {
      profile.Fail("localhostProfile",
                   out->localhost_profile.empty()
                       ? "Required value: must be set when seccomp type is Localhost"
                       : "Forbidden: can only be set when seccomp type is Localhost");
    }
    if (!out->localhost_profile.empty() && !IsCleanRelative(out->localhost_profile)) {
      profile.Invalid("localhostProfile", out->localhost_profile,
                      "must be a relative path without '.' and '..'");
    }
  });
}

void ReadShared(ObjectReader& context, SecurityContext* out) {
  context.Read("runAsUser", &out->run_as_user, 0, kMaxId);
  context.Read("runAsGroup", &out->run_as_group, 0, kMaxId);
  context.Read("runAsNonRoot", &out->run_as_non_root);
  ReadSeccomp(context, &out->seccomp);
  context.NotYet({"appArmorProfile", "seLinuxOptions", "windowsOptions"});
}

void ReadGroups(ObjectReader& context, const nlohmann::json& groups, std::vector<int64_t>* out) {
  for (size_t i = 0; i < groups.size(); ++i) {
    const nlohmann::json& group = groups[i];
    if (group.is_number_integer() && group >= 0 && group <= kMaxId) {
      out->push_back(group.get<int64_t>());
      continue;
    }
    context.InvalidPath(absl::StrCat(context.PathOf("supplementalGroups"), "[", i, "]"), group,
                        absl::StrCat("must be between 0 and ", kMaxId, ", inclusive"));
  }
}

}  // namespace

void ReadPodSecurity(ObjectReader& context, SecurityContext* out) {
  ReadShared(context, out);
  context.Read("fsGroup", &out->fs_group, 0, kMaxId);
  if (const nlohmann::json* groups = context.Raw("supplementalGroups"); groups != nullptr) {
    if (!groups->is_array()) {
      context.Invalid("supplementalGroups", *groups, "must be a list");
    } else {
      ReadGroups(context, *groups, &out->supplemental_groups);
    }
  }
  context.Each("sysctls", [&](ObjectReader& sysctl) {
    std::string name, value;
    const bool named = sysctl.Require("name", &name);
    sysctl.Read("value", &value);
    if (!sysctl.Has("value")) sysctl.Fail("value", "Required value");
    if (named && !out->sysctls.emplace(name, value).second) {
      sysctl.Fail("name", absl::StrCat("Duplicate value: \"", name, "\""));
    }
  });
  context.ReadChoice("supplementalGroupsPolicy", {"Merge", "Strict"},
                     &out->supplemental_groups_policy);
  context.NoEffect({"fsGroupChangePolicy", "seLinuxChangePolicy"});
}

void ReadContainerSecurity(ObjectReader& context, SecurityContext* out) {
  ReadShared(context, out);
  context.Read("privileged", &out->privileged);
  context.Read("readOnlyRootFilesystem", &out->read_only_root_filesystem);
  context.Read("allowPrivilegeEscalation", &out->allow_privilege_escalation);
  context.Object("capabilities", [&](ObjectReader& capabilities) {
    capabilities.Read("add", &out->add_capabilities);
    capabilities.Read("drop", &out->drop_capabilities);
  });
  std::string proc_mount = "Default";
  context.ReadChoice("procMount", {"Default", "Unmasked"}, &proc_mount);
  out->unmasked_proc = proc_mount == "Unmasked";
  if (out->privileged.value_or(false) && !out->allow_privilege_escalation.value_or(true)) {
    context.Invalid("allowPrivilegeEscalation", false,
                    "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
}

}  // namespace crisp::agent
