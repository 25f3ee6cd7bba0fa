#include "cri/spec/mounts.h"

#include <limits.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "cri/spec/field_text.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

// Files of /proc that a container may see replaced, as lxcfs does. A mount on any
// other would let it redirect what the runtime itself writes there.
constexpr absl::string_view kProcFiles[] = {
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",      "/proc/uptime",
    "/proc/loadavg", "/proc/swaps",   "/proc/diskstats", "/proc/slabinfo",
};

constexpr absl::string_view kMountOptions[] = {"noexec", "nodev", "nosuid"};

template <size_t n>
bool In(const absl::string_view (&list)[n], absl::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

absl::StatusOr<std::string> RealPath(const std::string& path) {
  std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (real == nullptr) return ErrnoStatus(errno, absl::StrCat("resolve ", path));
  return std::string(real.get());
}

absl::StatusOr<std::string> ResolveSource(const std::string& field, const std::string& path,
                                          bool create) {
  CRISP_ASSIGN_OR_RETURN(const std::string clean, CheckHostPath(field, path));
  absl::StatusOr<std::string> real = RealPath(clean);
  if (!real.ok() && ErrnoOf(real.status()) == ENOENT && create) {
    const absl::Status made = MakeDirs(clean, 0755);
    if (!made.ok()) return BadField(field, made.message());
    real = RealPath(clean);
  }
  if (!real.ok()) return BadField(field, real.status().message());
  if (!IsUtf8(*real) || HasControl(*real)) {
    return BadField(field,
                    absl::StrCat("resolves to ", Quoted(*real), ", which is not UTF-8 text"));
  }
  return real;
}

absl::Status CheckProc(const std::string& field, const SpecMount& mount,
                       const std::vector<MountInfo>& host_mounts) {
  if (mount.container_path == "/proc") {
    const MountInfo* source = MountOf(host_mounts, mount.host_path);
    if (source != nullptr && source->fs_type == "proc" && source->mount_point == mount.host_path) {
      return absl::OkStatus();
    }
    return BadField(field, "only a proc filesystem may be mounted at /proc");
  }
  if (absl::StartsWith(mount.container_path, "/proc/") && !In(kProcFiles, mount.container_path)) {
    return BadField(field, absl::StrCat(Quoted(mount.container_path), " is inside /proc"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Propagation> PropagationOf(const std::string& field,
                                          runtime::v1::MountPropagation propagation) {
  switch (propagation) {
    case runtime::v1::PROPAGATION_PRIVATE:
      return Propagation::kPrivate;
    case runtime::v1::PROPAGATION_HOST_TO_CONTAINER:
      return Propagation::kSlave;
    case runtime::v1::PROPAGATION_BIDIRECTIONAL:
      return Propagation::kShared;
    default:
      return BadField(field, absl::StrCat(static_cast<int>(propagation), " is not a known mode"));
  }
}

absl::Status CheckRecursiveReadOnly(const std::string& field, const runtime::v1::Mount& mount,
                                    bool supported) {
  if (!mount.recursive_read_only()) return absl::OkStatus();
  if (!mount.readonly()) return BadField(field, "needs readonly as well");
  if (mount.propagation() != runtime::v1::PROPAGATION_PRIVATE) {
    return BadField(field, "needs private propagation");
  }
  if (supported) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("RROUnsupported: ", field, ": the kernel or the runtime handler cannot do it"));
}

absl::StatusOr<SpecMount> ResolveMount(const std::string& field, const runtime::v1::Mount& mount,
                                       int index, const MountContext& context) {
  SpecMount out;
  CRISP_ASSIGN_OR_RETURN(out.container_path,
                         CheckContainerPath(field + ".container_path", mount.container_path()));
  CRISP_ASSIGN_OR_RETURN(out.propagation,
                         PropagationOf(field + ".propagation", mount.propagation()));
  CRISP_RETURN_IF_ERROR(
      CheckRecursiveReadOnly(field + ".recursive_read_only", mount, context.recursive_read_only));
  for (const std::string& option : mount.mount_options()) {
    if (!In(kMountOptions, option)) {
      return BadField(field + ".mount_options",
                      absl::StrCat(Quoted(option), " is not noexec, nodev or nosuid"));
    }
  }
  if (mount.image().image().empty()) {
    // Only now, when nothing else is wrong with it, may a missing source be made.
    CRISP_ASSIGN_OR_RETURN(out.host_path, ResolveSource(field + ".host_path", mount.host_path(),
                                                        context.create_missing));
  } else {
    UseImage(context.image_volumes.at(index), &out);
  }
  out.read_only = mount.readonly();
  out.recursive_read_only = mount.recursive_read_only();
  out.options.assign(mount.mount_options().begin(), mount.mount_options().end());
  if (!mount.image().image().empty()) {
    out.uid_mappings = context.uid_mappings;
    out.gid_mappings = context.gid_mappings;
  }
  if (mount.uidmappings_size() > 0) {
    out.uid_mappings = MappingsToOci(mount.uidmappings());
    out.gid_mappings = MappingsToOci(mount.gidmappings());
  }
  CRISP_RETURN_IF_ERROR(CheckProc(field + ".container_path", out, context.host_mounts));
  CRISP_RETURN_IF_ERROR(CheckPropagation(field + ".propagation", out, context.host_mounts));
  return out;
}

std::string MapOption(const nlohmann::json& mappings) {
  return absl::StrJoin(mappings, ",", [](std::string* out, const nlohmann::json& each) {
    absl::StrAppend(out, each["containerID"].get<uint32_t>(), ":", each["hostID"].get<uint32_t>(),
                    ":", each["size"].get<uint32_t>());
  });
}

// Nothing of an image gives rights on this host.
nlohmann::json ImageToOci(const SpecMount& mount) {
  std::vector<std::string> options = {"ro", "nosuid", "nodev"};
  options.insert(options.end(), mount.options.begin(), mount.options.end());
  if (!mount.sub_path.empty()) options.push_back(absl::StrCat("x-crisp.subpath=", mount.sub_path));
  nlohmann::json out = {{"destination", mount.container_path}};
  if (mount.layers.size() == 1) {
    // An overlay needs two.
    options.insert(options.begin(), "bind");
    out["type"] = "bind";
    out["source"] = mount.layers[0];
    if (!mount.uid_mappings.empty()) {
      out["uidMappings"] = mount.uid_mappings;
      out["gidMappings"] = mount.gid_mappings;
    }
  } else {
    options.push_back(absl::StrCat("lowerdir=", absl::StrJoin(mount.layers, ":")));
    if (!mount.uid_mappings.empty()) {
      options.push_back(absl::StrCat("uidmap=", MapOption(mount.uid_mappings)));
      options.push_back(absl::StrCat("gidmap=", MapOption(mount.gid_mappings)));
    }
    out["type"] = "overlay";
    out["source"] = "overlay";
  }
  out["options"] = options;
  return out;
}

}  // namespace

absl::StatusOr<std::vector<SpecMount>> ResolveCriMounts(const runtime::v1::ContainerConfig& config,
                                                        const MountContext& context) {
  std::vector<SpecMount> mounts;
  for (int i = 0; i < config.mounts_size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(SpecMount mount, ResolveMount(absl::StrCat("config.mounts[", i, "]"),
                                                         config.mounts(i), i, context));
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

absl::Status CheckPropagation(absl::string_view field, const SpecMount& mount,
                              const std::vector<MountInfo>& host_mounts) {
  if (mount.propagation == Propagation::kPrivate) return absl::OkStatus();
  const MountInfo* source = MountOf(host_mounts, mount.host_path);
  if (source == nullptr) return BadField(field, absl::StrCat("no mount holds ", mount.host_path));
  if (source->shared()) return absl::OkStatus();
  const bool slave_is_enough = mount.propagation == Propagation::kSlave;
  if (slave_is_enough && source->slave()) return absl::OkStatus();
  return BadField(field, absl::StrCat(Quoted(mount.host_path), " is on ",
                                      Quoted(source->mount_point), ", which is not a shared ",
                                      slave_is_enough ? "or slave mount" : "mount"));
}

bool MountsAt(const std::vector<SpecMount>& mounts, absl::string_view container_path) {
  return std::any_of(mounts.begin(), mounts.end(), [&](const SpecMount& mount) {
    return mount.container_path == container_path;
  });
}

void SortByDepth(std::vector<SpecMount>* mounts) {
  const auto depth = [](const SpecMount& mount) {
    return std::count(mount.container_path.begin(), mount.container_path.end(), '/');
  };
  std::stable_sort(mounts->begin(), mounts->end(),
                   [&](const SpecMount& a, const SpecMount& b) { return depth(a) < depth(b); });
}

void UseImage(const ImageMount& image, SpecMount* mount) {
  mount->host_path = image.host_path;
  mount->layers = image.layers;
  mount->sub_path = image.sub_path;
}

nlohmann::json MountToOci(const SpecMount& mount) {
  if (!mount.layers.empty()) return ImageToOci(mount);
  std::vector<std::string> options = {"rbind"};
  switch (mount.propagation) {
    case Propagation::kPrivate:
      options.push_back("rprivate");
      break;
    case Propagation::kSlave:
      options.push_back("rslave");
      break;
    case Propagation::kShared:
      options.push_back("rshared");
      break;
  }
  options.push_back(mount.recursive_read_only ? "rro" : mount.read_only ? "ro" : "rw");
  options.insert(options.end(), mount.options.begin(), mount.options.end());
  if (mount.from_pod) options.push_back("x-crisp.pod");
  if (!mount.sub_path.empty()) options.push_back(absl::StrCat("x-crisp.subpath=", mount.sub_path));
  nlohmann::json out = {{"destination", mount.container_path},
                        {"type", "bind"},
                        {"source", mount.host_path},
                        {"options", options}};
  if (!mount.uid_mappings.empty()) {
    out["uidMappings"] = mount.uid_mappings;
    out["gidMappings"] = mount.gid_mappings;
  }
  return out;
}

std::string RootfsPropagation(const std::vector<SpecMount>& mounts) {
  std::string needed;
  for (const SpecMount& mount : mounts) {
    if (mount.propagation == Propagation::kShared) return "rshared";
    if (mount.propagation == Propagation::kSlave) needed = "rslave";
  }
  return needed;
}

}  // namespace crisp::cri
