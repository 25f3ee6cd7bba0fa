#include "agent/security_config.h"

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"

namespace crisp::agent {
namespace {

// What Kubernetes hides from an unprivileged container.
constexpr const char* kMaskedPaths[] = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
constexpr const char* kReadOnlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                          "/proc/sysrq-trigger"};

void FillUserNamespace(const PodInstance& instance, runtime::v1::UserNamespace* out) {
  // Without ids it is refused, and never the host's by mistake.
  out->set_mode(runtime::v1::NamespaceMode::POD);
  if (!instance.first_host_id.has_value()) return;
  AddIds(*instance.first_host_id, out->mutable_uids());
  AddIds(*instance.first_host_id, out->mutable_gids());
}

void FillNamespaces(const Pod& pod, const PodInstance& instance,
                    runtime::v1::NamespaceOption* out) {
  using runtime::v1::NamespaceMode;
  out->set_network(pod.host_network ? NamespaceMode::NODE : NamespaceMode::POD);
  out->set_ipc(pod.host_ipc ? NamespaceMode::NODE : NamespaceMode::POD);
  out->set_pid(pod.host_pid                  ? NamespaceMode::NODE
               : pod.share_process_namespace ? NamespaceMode::POD
                                             : NamespaceMode::CONTAINER);
  if (!pod.host_users) FillUserNamespace(instance, out->mutable_userns_options());
}

void FillSeccomp(const SeccompProfile& profile, bool privileged,
                 runtime::v1::SecurityProfile* out) {
  using Profile = runtime::v1::SecurityProfile;
  if (profile.type == "Localhost") {
    out->set_profile_type(Profile::Localhost);
    out->set_localhost_ref(JoinPath(kSeccompRoot, profile.localhost_profile));
  } else if (profile.type == "Unconfined" || (profile.type.empty() && privileged)) {
    out->set_profile_type(Profile::Unconfined);
  } else {
    out->set_profile_type(Profile::RuntimeDefault);
  }
}

template <typename Context>
void FillGroups(const Pod& pod, Context* out) {
  // fsGroup is a group of every process, besides owning the volumes.
  if (pod.security.fs_group.has_value()) out->add_supplemental_groups(*pod.security.fs_group);
  for (const int64_t group : pod.security.supplemental_groups) {
    out->add_supplemental_groups(group);
  }
  if (pod.security.supplemental_groups_policy == "Strict") {
    out->set_supplemental_groups_policy(runtime::v1::Strict);
  }
}

bool AnyPrivileged(const Pod& pod) {
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      if (container.security.privileged.value_or(false)) return true;
    }
  }
  return false;
}

// CRI takes no group without a user: then the user is the image's.
absl::Status FillUser(const SecurityContext& own, const SecurityContext& pod,
                      const Container& container, const ImageFacts& image,
                      runtime::v1::LinuxContainerSecurityContext* out) {
  const auto user = own.run_as_user.has_value() ? own.run_as_user : pod.run_as_user;
  const auto group = own.run_as_group.has_value() ? own.run_as_group : pod.run_as_group;
  if (user.has_value()) {
    out->mutable_run_as_user()->set_value(*user);
  } else if (group.has_value() && !image.username.empty()) {
    out->set_run_as_username(image.username);
  } else if (group.has_value()) {
    out->mutable_run_as_user()->set_value(image.uid);
  }
  if (group.has_value()) out->mutable_run_as_group()->set_value(*group);

  const bool non_root =
      own.run_as_non_root.has_value() ? *own.run_as_non_root : pod.run_as_non_root.value_or(false);
  if (!non_root) return absl::OkStatus();
  if (user.has_value() ? *user == 0 : image.username.empty() && image.uid == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.name, ": runAsNonRoot, but ",
                     user.has_value() ? "runAsUser is 0" : "its image runs as root"));
  }
  if (!user.has_value() && !image.username.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "container ", container.name, ": runAsNonRoot, but its image names the user \"",
        image.username, "\" and not a number: set runAsUser"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddIds(uint32_t first_host_id,
            google::protobuf::RepeatedPtrField<runtime::v1::IDMapping>* out) {
  runtime::v1::IDMapping* mapping = out->Add();
  mapping->set_container_id(0);
  mapping->set_host_id(first_host_id);
  mapping->set_length(kIdsPerPod);
}

void FillSandboxSecurity(const Pod& pod, const PodInstance& instance,
                         runtime::v1::LinuxSandboxSecurityContext* out) {
  FillNamespaces(pod, instance, out->mutable_namespace_options());
  const SecurityContext& context = pod.security;
  if (context.run_as_user.has_value()) {
    out->mutable_run_as_user()->set_value(*context.run_as_user);
    if (context.run_as_group.has_value()) {
      out->mutable_run_as_group()->set_value(*context.run_as_group);
    }
  }
  FillGroups(pod, out);
  const bool privileged = AnyPrivileged(pod);
  out->set_privileged(privileged);
  FillSeccomp(context.seccomp, privileged, out->mutable_seccomp());
}

absl::Status FillContainerSecurity(const Pod& pod, const Container& container,
                                   const PodInstance& instance, const ImageFacts& image,
                                   runtime::v1::LinuxContainerSecurityContext* out) {
  const SecurityContext& own = container.security;
  const bool privileged = own.privileged.value_or(false);
  FillNamespaces(pod, instance, out->mutable_namespace_options());
  FillGroups(pod, out);
  out->set_privileged(privileged);
  out->set_readonly_rootfs(own.read_only_root_filesystem.value_or(false));
  out->set_no_new_privs(!own.allow_privilege_escalation.value_or(true));
  for (const std::string& name : own.add_capabilities) {
    out->mutable_capabilities()->add_add_capabilities(name);
  }
  for (const std::string& name : own.drop_capabilities) {
    out->mutable_capabilities()->add_drop_capabilities(name);
  }
  FillSeccomp(own.seccomp.type.empty() ? pod.security.seccomp : own.seccomp, privileged,
              out->mutable_seccomp());
  if (!privileged && !own.unmasked_proc) {
    for (const char* path : kMaskedPaths) out->add_masked_paths(path);
    for (const char* path : kReadOnlyPaths) out->add_readonly_paths(path);
  }
  return FillUser(own, pod.security, container, image, out);
}

}  // namespace crisp::agent
