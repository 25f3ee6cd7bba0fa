#include "agent/commands/node_checks.h"

#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace crisp::cli {
namespace {

namespace fs = std::filesystem;
using Level = Check::Level;

constexpr int kMajor = 5, kMinor = 14;
constexpr int64_t kGibi = int64_t{1} << 30;
// Anything before crisp was written is a clock that was never set.
constexpr time_t kEarliest = 1735689600;  // 2025-01-01

std::string Contents(const std::string& path) {
  return std::string(absl::StripAsciiWhitespace(ReadFile(path).value_or("")));
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Check CheckRoot() {
  if (::geteuid() == 0) return {Level::kOk, "user", "root", ""};
  return {Level::kWarn, "user", absl::StrCat("uid ", ::geteuid()),
          "run crisp as root (sudo): its sockets are root's alone"};
}

Check CheckKernel() {
  utsname name = {};
  ::uname(&name);
  const std::string found = absl::StrCat("Linux ", name.release);
  if (KernelIsNewEnough(name.release)) return {Level::kOk, "kernel", found, ""};
  return {Level::kFail, "kernel", found, "crispd needs 5.14 or newer: use a newer kernel"};
}

Check CheckFeatures(const NodePaths& paths) {
  std::vector<std::string> missing;
  if (!absl::StrContains(Contents(paths.proc + "/filesystems"), "overlay")) {
    missing.push_back("overlay (modprobe overlay)");
  }
  if (!Exists(paths.proc + "/sys/kernel/seccomp/actions_avail")) missing.push_back("seccomp");
  for (const char* kind : {"net", "mnt", "pid", "ipc", "uts", "cgroup"}) {
    if (!Exists(absl::StrCat(paths.proc, "/self/ns/", kind))) {
      missing.push_back(absl::StrCat(kind, " namespaces"));
    }
  }
  if (missing.empty()) {
    return {Level::kOk, "kernel features", "overlay, seccomp and namespaces", ""};
  }
  const std::string all = absl::StrJoin(missing, ", ");
  return {Level::kFail, "kernel features", absl::StrCat("missing: ", all),
          "load the modules, or use a kernel that has them"};
}

Check CheckCgroups(const NodePaths& paths) {
  std::vector<std::string> missing;
  if (Exists(paths.cgroup + "/cgroup.controllers")) {
    const std::vector<std::string> there =
        absl::StrSplit(Contents(paths.cgroup + "/cgroup.controllers"), ' ');
    for (const char* wanted : {"cpu", "memory", "pids"}) {
      if (std::find(there.begin(), there.end(), wanted) == there.end()) missing.push_back(wanted);
    }
    if (missing.empty()) return {Level::kOk, "cgroups", "version 2 with cpu, memory and pids", ""};
    return {Level::kWarn, "cgroups",
            absl::StrCat("version 2 without ", absl::StrJoin(missing, ", ")),
            "limits of that kind will fail: enable the controllers at boot"};
  }
  for (const char* wanted : {"cpu", "memory", "pids"}) {
    if (!Exists(absl::StrCat(paths.cgroup, "/", wanted))) missing.push_back(wanted);
  }
  if (missing.empty()) return {Level::kOk, "cgroups", "version 1 with cpu, memory and pids", ""};
  return {missing.size() == 3 ? Level::kFail : Level::kWarn, "cgroups",
          absl::StrCat("nothing mounted for ", absl::StrJoin(missing, ", ")),
          "mount the cgroup file systems (systemd does it at boot)"};
}

Check CheckContainerd(const NodePaths& paths) {
  for (const std::string& directory : paths.path) {
    const std::string file = directory + "/containerd";
    if (::access(file.c_str(), X_OK) == 0) return {Level::kOk, "containerd", file, ""};
  }
  return {Level::kFail, "containerd", "no program of that name",
          "install it (apt install containerd): crispd starts one of its own"};
}

// Every plugin of a configuration must be a program.
std::vector<std::string> MissingPlugins(const NodePaths& paths, const nlohmann::json& config) {
  std::vector<std::string> missing;
  const auto look_for = [&](const nlohmann::json& plugin) {
    if (!plugin.is_object() || !plugin.contains("type") || !plugin["type"].is_string()) return;
    const std::string type = plugin["type"];
    const bool found =
        std::any_of(paths.cni_bin.begin(), paths.cni_bin.end(),
                    [&](const std::string& bin) { return Exists(absl::StrCat(bin, "/", type)); });
    if (!found && !absl::StrContains(type, '/')) missing.push_back(type);
  };
  look_for(config);
  if (config.contains("plugins") && config["plugins"].is_array()) {
    for (const auto& plugin : config["plugins"]) look_for(plugin);
  }
  return missing;
}

Check CheckCni(const NodePaths& paths) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(paths.cni_conf, error), end; !error && it != end;
       it.increment(error)) {
    const std::string extension = it->path().extension();
    if (extension == ".conflist" || extension == ".conf" || extension == ".json") {
      files.push_back(it->path());
    }
  }
  if (files.empty()) {
    return {Level::kOk, "network",
            absl::StrCat("no CNI configuration in ", paths.cni_conf, ": crispd's own bridge"), ""};
  }
  const std::string file = *std::min_element(files.begin(), files.end());
  const auto config = nlohmann::json::parse(Contents(file), nullptr, false);
  if (!config.is_object()) {
    return {Level::kFail, "network", absl::StrCat(file, " is not JSON"), "mend or remove the file"};
  }
  const std::vector<std::string> missing = MissingPlugins(paths, config);
  if (!missing.empty()) {
    return {Level::kFail, "network",
            absl::StrCat(file, " needs plugins that are missing: ", absl::StrJoin(missing, ", ")),
            absl::StrCat("install them in ", paths.cni_bin[0],
                         " (apt install containernetworking-plugins)")};
  }
  return {Level::kOk, "network", absl::StrCat("CNI by ", file), ""};
}

Check CheckDisk(const NodePaths& paths) {
  std::string path = paths.data;
  while (!Exists(path) && path.size() > 1) path = fs::path(path).parent_path();
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0 || info.f_blocks == 0) {
    return {Level::kWarn, "disk", absl::StrCat(path, " cannot be looked at"), "check its mount"};
  }
  const int64_t free = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  const int64_t percent = static_cast<int64_t>(info.f_bavail * 100 / info.f_blocks);
  const int64_t inodes =
      info.f_files == 0 ? 100 : static_cast<int64_t>(info.f_favail * 100 / info.f_files);
  char size[32];
  std::snprintf(size, sizeof(size), "%.1f GiB",
                static_cast<double>(free) / static_cast<double>(kGibi));
  const std::string found = absl::StrCat(size, " (", percent, "%) free for ", paths.data);
  if (free < kGibi / 4 || inodes < 1) {
    return {Level::kFail, "disk", found, "make room: images and writable layers go there"};
  }
  if (percent < 10 || inodes < 5) {
    return {Level::kWarn, "disk", found, "make room before images no longer fit"};
  }
  return {Level::kOk, "disk", found, ""};
}

Check CheckTime() {
  const time_t now = ::time(nullptr);
  char text[32];
  tm parts = {};
  ::gmtime_r(&now, &parts);
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  if (now < kEarliest) {
    return {Level::kFail, "time", text, "set the clock: certificates and ages depend on it"};
  }
  timex state = {};
  const int answer = ::adjtimex(&state);
  if (answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
    return {Level::kWarn, "time", absl::StrCat(text, ", not synchronised"),
            "run a time service (systemd-timesyncd, chrony)"};
  }
  return {Level::kOk, "time", absl::StrCat(text, ", synchronised"), ""};
}

Check CheckWatches(const NodePaths& paths) {
  int64_t instances = 0;
  const std::string text = Contents(paths.proc + "/sys/fs/inotify/max_user_instances");
  if (!absl::SimpleAtoi(text, &instances) || instances >= 128) {
    return {Level::kOk, "limits", absl::StrCat("fs.inotify.max_user_instances ", text), ""};
  }
  return {Level::kWarn, "limits", absl::StrCat("fs.inotify.max_user_instances is ", instances),
          "raise it: sysctl fs.inotify.max_user_instances=512"};
}

}  // namespace

bool KernelIsNewEnough(const std::string& release) {
  int major = 0, minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) return false;
  return major > kMajor || (major == kMajor && minor >= kMinor);
}

std::vector<Check> CheckNode(const NodePaths& paths) {
  return {CheckRoot(),
          CheckKernel(),
          CheckFeatures(paths),
          CheckCgroups(paths),
          CheckContainerd(paths),
          CheckCni(paths),
          CheckDisk(paths),
          CheckTime(),
          CheckWatches(paths)};
}

}  // namespace crisp::cli
