#include "cri/spec/default_mounts.h"

#include <string>
#include <vector>

namespace crisp::cri {
namespace {

nlohmann::json Mount(const char* destination, const char* type, const char* source,
                     const std::vector<std::string>& options) {
  return {{"destination", destination}, {"type", type}, {"source", source}, {"options", options}};
}

}  // namespace

nlohmann::json DefaultMounts(const DefaultMountOptions& options) {
  const char* const writable = options.privileged ? "rw" : "ro";
  nlohmann::json out = nlohmann::json::array({
      Mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      Mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      Mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      Mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      Mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", writable}),
  });
  if (!options.cgroup) return out;
  std::vector<std::string> cgroup = {"nosuid", "noexec", "nodev", "relatime", writable};
  if (options.cgroup_v2 && !options.private_cgroup) {
    // Without a namespace this is the host's one superblock, and mounting it with
    // fewer options would take them from the host.
    cgroup.insert(cgroup.end(), {"nsdelegate", "memory_recursiveprot"});
  }
  out.push_back(Mount("/sys/fs/cgroup", "cgroup", "cgroup", cgroup));
  return out;
}

nlohmann::json PrivateShm() {
  return Mount("/dev/shm", "tmpfs", "shm",
               {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"});
}

}  // namespace crisp::cri
