#include "cri/spec/devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

constexpr int kMaxDepth = 16;
constexpr size_t kMaxDevices = 4096;

// Below a directory these are other mounts of the host, or links into them.
constexpr absl::string_view kSkippedDirs[] = {"pts",  "shm",         "fd",   "mqueue",
                                              ".lxc", ".lxd-mounts", ".udev"};
// The runtime makes these itself in the container's own devpts.
constexpr absl::string_view kSkippedNodes[] = {"console", "ptmx"};

template <size_t n>
bool In(const absl::string_view (&list)[n], absl::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool IsDevice(const struct stat& st) { return S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode); }

void AddDevice(const std::string& path, const struct stat& st, const std::string& access,
               OciDevices* out) {
  const char* type = S_ISBLK(st.st_mode) ? "b" : "c";
  out->nodes.push_back({{"path", path},
                        {"type", type},
                        {"major", major(st.st_rdev)},
                        {"minor", minor(st.st_rdev)},
                        {"fileMode", st.st_mode & 07777},
                        {"uid", st.st_uid},
                        {"gid", st.st_gid}});
  out->rules.push_back({{"allow", true},
                        {"type", type},
                        {"major", major(st.st_rdev)},
                        {"minor", minor(st.st_rdev)},
                        {"access", access}});
}

// Every device below the directory `fd`, which appears at `container_path`.
absl::Status AddDevicesBelow(UniqueFd fd, const std::string& container_path,
                             const std::string& access, int depth, OciDevices* out) {
  if (depth > kMaxDepth) return absl::InvalidArgumentError("directories nested too deep");
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), &::closedir);
  if (dir == nullptr) return ErrnoStatus(errno, absl::StrCat("list ", container_path));
  const int dirfd = fd.release();
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    struct stat st;
    if (name == "." || name == "..") continue;
    if (!IsUtf8(name)) continue;  // A spec cannot tell of it.
    // Devices come and go; one that has gone since readdir is not an error.
    if (::fstatat(dirfd, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == -1) continue;
    const std::string path = JoinPath(container_path, name);
    if (S_ISDIR(st.st_mode) && !In(kSkippedDirs, name)) {
      auto child =
          OpenBeneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
      if (!child.ok()) continue;
      CRISP_RETURN_IF_ERROR(AddDevicesBelow(*std::move(child), path, access, depth + 1, out));
    } else if (IsDevice(st) && !In(kSkippedNodes, name)) {
      if (out->nodes.size() == kMaxDevices) return absl::InvalidArgumentError("too many devices");
      AddDevice(path, st, access, out);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckAccess(const std::string& field, const std::string& access) {
  if (access.empty()) return std::string("rwm");
  for (size_t i = 0; i < access.size(); ++i) {
    if (!absl::StrContains("rwm", access[i]) || access.find(access[i], i + 1) != access.npos) {
      return BadField(field, absl::StrCat(Quoted(access), " is not made of 'r', 'w' and 'm'"));
    }
  }
  return access;
}

absl::Status AddRequested(const std::string& field, const runtime::v1::Device& device,
                          OciDevices* out) {
  CRISP_ASSIGN_OR_RETURN(const std::string host,
                         CheckHostPath(field + ".host_path", device.host_path()));
  CRISP_ASSIGN_OR_RETURN(
      const std::string path,
      CheckContainerPath(field + ".container_path",
                         device.container_path().empty() ? host : device.container_path()));
  CRISP_ASSIGN_OR_RETURN(const std::string access,
                         CheckAccess(field + ".permissions", device.permissions()));
  struct stat st;
  const absl::Status found =
      Sys(absl::StrCat("stat ", host), [&] { return ::stat(host.c_str(), &st); });
  if (!found.ok()) return BadField(field + ".host_path", found.message());
  if (IsDevice(st)) {
    AddDevice(path, st, access, out);
    return absl::OkStatus();
  }
  if (!S_ISDIR(st.st_mode)) {
    return BadField(field + ".host_path", absl::StrCat(Quoted(host), " is not a device"));
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, OpenDir(host));
  const size_t before = out->nodes.size();
  const absl::Status walked = AddDevicesBelow(std::move(dir), path, access, 0, out);
  if (!walked.ok()) return BadField(field + ".host_path", walked.message());
  if (out->nodes.size() == before) {
    return BadField(field + ".host_path", absl::StrCat("no device below ", Quoted(host)));
  }
  return absl::OkStatus();
}

nlohmann::json Allow(const char* type, int major_or_any, int minor_or_any, const char* access) {
  nlohmann::json rule = {{"allow", true}, {"type", type}, {"access", access}};
  if (major_or_any >= 0) rule["major"] = major_or_any;
  if (minor_or_any >= 0) rule["minor"] = minor_or_any;
  return rule;
}

}  // namespace

nlohmann::json DefaultDeviceRules() {
  return nlohmann::json::array({
      {{"allow", false}, {"access", "rwm"}},
      Allow("c", -1, -1, "m"),  // Making a node is harmless; using it is not.
      Allow("b", -1, -1, "m"),
      Allow("c", 1, 3, "rwm"),     // null
      Allow("c", 1, 5, "rwm"),     // zero
      Allow("c", 1, 7, "rwm"),     // full
      Allow("c", 1, 8, "rwm"),     // random
      Allow("c", 1, 9, "rwm"),     // urandom
      Allow("c", 5, 0, "rwm"),     // tty
      Allow("c", 5, 2, "rwm"),     // ptmx
      Allow("c", 136, -1, "rwm"),  // pts/*
      Allow("c", 10, 200, "rwm"),  // net/tun, which other runtimes allow as well
  });
}

absl::StatusOr<OciDevices> BuildDevices(const runtime::v1::ContainerConfig& config,
                                        bool privileged) {
  OciDevices out;
  if (privileged) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd dev, OpenDir("/dev"));
    CRISP_RETURN_IF_ERROR(
        Annotate(AddDevicesBelow(std::move(dev), "/dev", "rwm", 0, &out), "host /dev"));
  } else {
    out.rules = DefaultDeviceRules();
  }
  for (int i = 0; i < config.devices_size(); ++i) {
    CRISP_RETURN_IF_ERROR(
        AddRequested(absl::StrCat("config.devices[", i, "]"), config.devices(i), &out));
  }
  if (privileged) out.rules = {{{"allow", true}, {"access", "rwm"}}};
  return out;
}

}  // namespace crisp::cri
