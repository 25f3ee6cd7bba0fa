#include "shim/launch/mount_plan.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/safe_path.h"
#include "base/status_macros.h"

namespace crisp::shim {
namespace {

constexpr unsigned long kSlaveRecursive = 1UL << 19 | 1UL << 14;  // MS_SLAVE | MS_REC

// What may be put over files of the container's procfs: these only tell, and are what
// per-container views (lxcfs) replace. Anything else there could feign a kernel file.
constexpr const char* kProcFiles[] = {
    "/proc/cpuinfo", "/proc/diskstats",
    "/proc/meminfo", "/proc/stat",
    "/proc/swaps",   "/proc/uptime",
    "/proc/loadavg", "/proc/slabinfo",
    "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
};

const Device kDefaultDevices[] = {
    {"/dev/null", S_IFCHR, 1, 3},   {"/dev/zero", S_IFCHR, 1, 5},    {"/dev/full", S_IFCHR, 1, 7},
    {"/dev/random", S_IFCHR, 1, 8}, {"/dev/urandom", S_IFCHR, 1, 9}, {"/dev/tty", S_IFCHR, 5, 0},
};

absl::Status Bad(const PlannedMount& mount, absl::string_view member, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(mount.field, ".", member, ": ", reason));
}

absl::Status CheckDestination(const PlannedMount& mount) {
  if (mount.destination == "/") return Bad(mount, "destination", "is the root");
  if (!absl::StartsWith(mount.destination, "/proc/")) return absl::OkStatus();
  const bool known = std::any_of(std::begin(kProcFiles), std::end(kProcFiles),
                                 [&](const char* file) { return mount.destination == file; });
  if (known) return absl::OkStatus();
  return Bad(mount, "destination", absl::StrCat(mount.destination, " is inside /proc"));
}

absl::Status PlanBind(const Mount& mount, const PlanContext& context, PlannedMount* out) {
  out->kind = PlannedMount::Kind::kBind;
  if (mount.source.empty()) return Bad(*out, "source", "is missing");
  if (!out->options.data.empty()) {
    return Bad(*out, "options",
               absl::StrCat("\"", out->options.data[0], "\" is not an option of a bind mount"));
  }
  out->source =
      absl::StartsWith(mount.source, "/") ? mount.source : JoinPath(context.bundle, mount.source);
  return absl::OkStatus();
}

// A container sees its own cgroup and what is below, never more.
absl::Status PlanCgroup(const Spec& spec, const PlanContext& context, PlannedMount* out) {
  if (context.hosts.v2()) {
    if (spec.HasNamespace(CLONE_NEWCGROUP)) {
      out->kind = PlannedMount::Kind::kFilesystem;
      out->fs_type = "cgroup2";
      out->source = "cgroup";
    } else {
      // A new mount of the host's one superblock would take its options from the host.
      out->kind = PlannedMount::Kind::kBind;
      out->source = context.hosts.unified;
      out->options.data.clear();
    }
    return absl::OkStatus();
  }
  if (context.cgroup_path.empty()) return Bad(*out, "type", "there is no cgroup to show");
  out->kind = PlannedMount::Kind::kCgroup1;
  for (const cgroup::V1Hierarchy& hierarchy : context.hosts.v1) {
    const std::string name = hierarchy.mount_point.substr(hierarchy.mount_point.rfind('/') + 1);
    out->cgroup_binds.emplace_back(name, absl::StrCat(hierarchy.mount_point, context.cgroup_path));
    for (absl::string_view controller : hierarchy.controllers) {
      (void)absl::ConsumePrefix(&controller, "name=");
      if (controller != name) out->cgroup_links.emplace_back(controller, name);
    }
  }
  out->readonly_last = (out->options.attr_set & MOUNT_ATTR_RDONLY) != 0;
  return absl::OkStatus();
}

absl::Status PlanFilesystem(const Spec& spec, const Mount& mount, PlannedMount* out) {
  out->kind = PlannedMount::Kind::kFilesystem;
  out->fs_type = mount.type;
  out->source = mount.source.empty() ? mount.type : mount.source;
  if (mount.type == "tmpfs") {
    out->readonly_last = (out->options.attr_set & MOUNT_ATTR_RDONLY) != 0;
  }
  if (mount.type == "overlay") out->kind = PlannedMount::Kind::kOverlay;
  out->plain_directory = mount.type == "proc" || mount.type == "sysfs";
  const bool labelled = mount.type == "tmpfs" || mount.type == "devpts" || mount.type == "mqueue";
  if (labelled && !spec.mount_label.empty()) {
    out->options.data.push_back(absl::StrCat("context=", spec.mount_label));
  }
  return absl::OkStatus();
}

absl::Status PlanIdMaps(const Spec& spec, const Mount& mount, PlannedMount* out) {
  if (!mount.id_maps.empty()) {
    out->id_maps = mount.id_maps;
  } else if (out->options.idmap) {
    if (spec.id_maps.empty()) return Bad(*out, "options", "idmap without mappings");
    out->id_maps = spec.id_maps;
  }
  if (!out->id_maps.empty() && out->kind != PlannedMount::Kind::kBind) {
    return Bad(*out, "uidMappings", "is supported for bind mounts only");
  }
  if (!out->id_maps.empty() && out->options.from_pod) {
    return Bad(*out, "uidMappings", "is not supported for a mount of the pod's");
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedMount> PlanOne(const Spec& spec, const Mount& mount, size_t index,
                                     const PlanContext& context) {
  PlannedMount out;
  out.field = absl::StrCat("mounts[", index, "]");
  out.destination = CleanPath(absl::StrCat("/", mount.destination));
  CRISP_RETURN_IF_ERROR(CheckDestination(out));
  auto options = ParseMountOptions(mount.options, context.crisp_options);
  if (!options.ok()) return Bad(out, "options", options.status().message());
  out.options = *std::move(options);
  if (out.options.bind || mount.type == "bind") {
    CRISP_RETURN_IF_ERROR(PlanBind(mount, context, &out));
  } else if (mount.type == "cgroup") {
    CRISP_RETURN_IF_ERROR(PlanCgroup(spec, context, &out));
  } else if (mount.type.empty()) {
    return Bad(out, "type", "is missing");
  } else {
    CRISP_RETURN_IF_ERROR(PlanFilesystem(spec, mount, &out));
  }
  if (!out.options.subpath.empty() && out.kind != PlannedMount::Kind::kBind &&
      out.kind != PlannedMount::Kind::kOverlay) {
    return Bad(out, "options", "x-crisp.subpath is for binds and overlays");
  }
  CRISP_RETURN_IF_ERROR(PlanIdMaps(spec, mount, &out));
  return out;
}

bool IsBelow(absl::string_view path, absl::string_view parent) {
  return path == parent || (absl::ConsumePrefix(&path, parent) && absl::StartsWith(path, "/"));
}

void PlanDevices(const Spec& spec, MountPlan* plan) {
  const PlannedMount* dev = nullptr;
  for (const PlannedMount& mount : plan->mounts) {
    if (mount.destination == "/dev") dev = &mount;
  }
  plan->devices = spec.devices;
  // A root that stays as it is gets nothing but what was asked for.
  plan->populate_dev = dev != nullptr ? dev->kind == PlannedMount::Kind::kFilesystem
                                      : !spec.root_readonly || spec.process.terminal;
  if (!plan->populate_dev) return;
  for (const Device& device : kDefaultDevices) {
    const bool given = std::any_of(spec.devices.begin(), spec.devices.end(),
                                   [&](const Device& own) { return own.path == device.path; });
    if (!given) plan->devices.push_back(device);
  }
}

}  // namespace

absl::StatusOr<MountPlan> PlanMounts(const Spec& spec, const PlanContext& context) {
  MountPlan plan;
  plan.rootfs_propagation = spec.rootfs_propagation.value_or(kSlaveRecursive);
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(PlannedMount mount, PlanOne(spec, spec.mounts[i], i, context));
    plan.mounts.push_back(std::move(mount));
  }
  PlanDevices(spec, &plan);
  for (const Device& device : plan.devices) {
    if (device.path != CleanPath(device.path) || IsBelow(device.path, "/proc")) {
      return absl::InvalidArgumentError(
          absl::StrCat("linux.devices: \"", device.path, "\" is no place for a device"));
    }
  }
  plan.masked_paths = spec.masked_paths;
  plan.readonly_paths = spec.readonly_paths;
  plan.root_readonly = spec.root_readonly;
  return plan;
}

}  // namespace crisp::shim
