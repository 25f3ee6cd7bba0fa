#include "shim/launch/mount_options.h"

#include <linux/mount.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/safe_path.h"

// glibc's sys/mount.h and the kernel's cannot both be had; of propagation these do.
#define CRISP_MS_UNBINDABLE (1UL << 17)
#define CRISP_MS_PRIVATE (1UL << 18)
#define CRISP_MS_SLAVE (1UL << 19)
#define CRISP_MS_SHARED (1UL << 20)

namespace crisp::shim {
namespace {

// A flag of a mount. Times are a field of their own: setting one clears the others.
struct Flag {
  const char* name;
  uint64_t set;
  uint64_t clear;
};

constexpr Flag kFlags[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    // What is left without them is the default, relatime.
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
};

constexpr struct {
  const char* name;
  unsigned long type;
} kPropagations[] = {{"private", CRISP_MS_PRIVATE},
                     {"shared", CRISP_MS_SHARED},
                     {"slave", CRISP_MS_SLAVE},
                     {"unbindable", CRISP_MS_UNBINDABLE}};

// Options of a filesystem that the kernel reads for all of them. They are passed on as any
// other of its options.
constexpr const char* kOfEveryFilesystem[] = {"async", "dirsync", "lazytime", "nolazytime", "sync"};

// The later of two that contradict each other wins.
void Apply(const Flag& flag, uint64_t* set, uint64_t* clear) {
  *set &= ~flag.clear;
  *clear &= ~flag.set;
  *set |= flag.set;
  *clear |= flag.clear;
}

bool ReadFlag(absl::string_view option, MountOptions* out) {
  for (const Flag& flag : kFlags) {
    if (option == flag.name) {
      Apply(flag, &out->attr_set, &out->attr_clear);
      return true;
    }
    if (absl::StartsWith(option, "r") && option.substr(1) == flag.name) {
      Apply(flag, &out->recursive_set, &out->recursive_clear);
      return true;
    }
  }
  return false;
}

bool ReadPropagation(absl::string_view option, MountOptions* out) {
  for (const auto& known : kPropagations) {
    const bool recursive = absl::StartsWith(option, "r") && option.substr(1) == known.name;
    if (option != known.name && !recursive) continue;
    out->propagation = known.type;
    out->propagation_recursive = recursive;
    return true;
  }
  return false;
}

absl::Status Bad(absl::string_view option, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("option \"", option, "\" ", reason));
}

absl::Status ReadOne(absl::string_view option, bool crisp_options, MountOptions* out) {
  if (ReadFlag(option, out) || ReadPropagation(option, out)) return absl::OkStatus();
  if (option == "bind" || option == "rbind") {
    out->bind = true;
    out->recursive_bind = out->recursive_bind || option == "rbind";
  } else if (option == "idmap" || option == "ridmap") {
    out->idmap = true;
    out->recursive_idmap = option == "ridmap";
  } else if (option == "defaults" || option.empty()) {
    // Says nothing.
  } else if (absl::StartsWith(option, "x-crisp.")) {
    if (!crisp_options) return Bad(option, "is crisp's own and not honoured here");
    if (option == "x-crisp.pod") {
      out->from_pod = true;
    } else if (absl::ConsumePrefix(&option, "x-crisp.subpath=")) {
      if (!IsCleanRelative(option)) return Bad(option, "is not a clean relative path");
      out->subpath = std::string(option);
    } else {
      return Bad(option, "is not known");
    }
  } else if (option == "remount" || option == "tmpcopyup" || option == "copy-symlink" ||
             option == "src-nofollow" || option == "dest-nofollow" || option == "mand" ||
             option == "silent" || option == "loud") {
    return Bad(option, "is not supported");
  } else {
    out->data.emplace_back(option);
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> MountOptionNames() {
  std::vector<std::string> names = {"bind", "rbind", "idmap", "ridmap", "defaults"};
  for (const Flag& flag : kFlags) {
    names.emplace_back(flag.name);
    names.push_back(absl::StrCat("r", flag.name));
  }
  for (const auto& propagation : kPropagations) {
    names.emplace_back(propagation.name);
    names.push_back(absl::StrCat("r", propagation.name));
  }
  names.insert(names.end(), std::begin(kOfEveryFilesystem), std::end(kOfEveryFilesystem));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<MountOptions> ParseMountOptions(const std::vector<std::string>& options,
                                               bool crisp_options) {
  MountOptions out;
  for (const std::string& option : options) {
    if (absl::Status status = ReadOne(option, crisp_options, &out); !status.ok()) return status;
  }
  if (out.from_pod && !out.bind) {
    return absl::InvalidArgumentError("x-crisp.pod is for bind mounts");
  }
  return out;
}

}  // namespace crisp::shim
