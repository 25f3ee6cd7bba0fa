// The OCI runtime spec as values: all that this launcher carries out, nothing else.
//
// Ownership: plain values.
#ifndef CRISP_SHIM_LAUNCH_SPEC_H_
#define CRISP_SHIM_LAUNCH_SPEC_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/resources.h"

namespace crisp::shim {

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;
};

// Bit n is capability number n.
struct Capabilities {
  uint64_t bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
};

struct Rlimit {
  int resource = 0;  // RLIMIT_*.
  uint64_t soft = 0;
  uint64_t hard = 0;
};

struct Scheduler {
  uint32_t policy = 0;  // SCHED_*.
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t flags = 0;  // SCHED_FLAG_*.
  uint64_t runtime = 0, deadline = 0, period = 0;
};

struct Process {
  bool terminal = false;
  uint16_t console_height = 0;
  uint16_t console_width = 0;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  Capabilities capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<int> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::optional<int> io_priority;  // As ioprio_set(2) takes it.
  std::string initial_affinity;    // CPU lists, "0-3,7"; empty: as it is.
  std::string final_affinity;
};

struct IdMap {
  uint32_t inside = 0;
  uint32_t outside = 0;
  uint32_t count = 0;
  bool operator==(const IdMap&) const = default;
};

struct IdMaps {
  std::vector<IdMap> uids;
  std::vector<IdMap> gids;
  bool empty() const { return uids.empty() && gids.empty(); }
  bool operator==(const IdMaps&) const = default;
};

struct Namespace {
  int type = 0;      // CLONE_NEW*.
  std::string path;  // Empty: a new one.
};

struct Mount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
  IdMaps id_maps;
};

struct Device {
  std::string path;
  mode_t type = 0;  // S_IFCHR, S_IFBLK or S_IFIFO.
  uint32_t major = 0, minor = 0;
  mode_t mode = 0666;
  uint32_t uid = 0, gid = 0;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;  // Seconds.
};

struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
      poststop;
};

struct TimeOffset {
  std::string clock;  // "monotonic" or "boottime".
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

struct Spec {
  std::string version;
  Process process;
  std::string root_path;
  bool root_readonly = false;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  Hooks hooks;
  std::map<std::string, std::string> annotations;

  std::vector<Namespace> namespaces;
  IdMaps id_maps;
  std::vector<TimeOffset> time_offsets;
  std::vector<Device> devices;
  std::string cgroups_path;
  cgroup::Resources resources;
  std::optional<unsigned long> rootfs_propagation;  // MS_SHARED...; MS_REC beside it.
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;
  std::map<std::string, std::string> sysctls;
  std::optional<unsigned long> personality;
  nlohmann::json seccomp;  // Null: none. Checked when it is compiled.

  const Namespace* FindNamespace(int type) const {
    for (const Namespace& ns : namespaces) {
      if (ns.type == type) return &ns;
    }
    return nullptr;
  }
  bool HasNamespace(int type) const { return FindNamespace(type) != nullptr; }
  bool MakesNamespace(int type) const {
    const Namespace* ns = FindNamespace(type);
    return ns != nullptr && ns->path.empty();
  }
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SPEC_H_
