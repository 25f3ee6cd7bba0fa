#include "cri/pods/pod_files.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/spec/text_files.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

constexpr char kShmSize[] = "67108864";  // 64 MiB, what Kubernetes' users have always had.
constexpr size_t kMaxHostFileBytes = 1 << 20;

absl::Status WriteShared(const Pod& pod, const std::string& path, absl::string_view content) {
  // Containers of any user read these, and their root may write them.
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(path, content, 0644));
  const auto* const users = UserNamespaceOf(pod.config());
  if (users == nullptr) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const uint32_t uid, OutsideId(users->uids(), 0));
  CRISP_ASSIGN_OR_RETURN(const uint32_t gid, OutsideId(users->gids(), 0));
  return Sys(absl::StrCat("chown ", path), [&] { return ::lchown(path.c_str(), uid, gid); });
}

absl::Status Configure(int fs, unsigned int command, const char* key, const char* value) {
  return Sys(absl::StrCat("configure tmpfs ", key == nullptr ? "" : key),
             [&] { return ::syscall(SYS_fsconfig, fs, command, key, value, 0); });
}

}  // namespace

std::string PodHostname(const Pod& pod, const std::string& node_name) {
  // A pod that names no host is one that does not care: it gets the node's name.
  if (pod.host_network() || pod.config().hostname().empty()) return node_name;
  return pod.config().hostname();
}

absl::Status WritePodFiles(const Pod& pod, const std::string& node_name) {
  CRISP_ASSIGN_OR_RETURN(const std::string hostname, RenderHostname(PodHostname(pod, node_name)));
  CRISP_RETURN_IF_ERROR(WriteShared(pod, pod.HostnamePath(), hostname));
  // A host without a resolver is no reason to refuse a pod.
  const auto host_file = ReadFile("/etc/resolv.conf", kMaxHostFileBytes);
  CRISP_ASSIGN_OR_RETURN(const std::string resolv_conf,
                         RenderResolvConf(pod.config(), host_file.ok() ? *host_file : ""));
  return WriteShared(pod, pod.ResolvConfPath(), resolv_conf);
}

absl::Status WriteHostsFile(const Pod& pod, const std::string& node_name,
                            const std::vector<std::string>& ips) {
  if (pod.host_network()) {
    const auto host_file = ReadFile("/etc/hosts", kMaxHostFileBytes);
    return WriteShared(pod, pod.HostsPath(),
                       host_file.ok() ? *host_file : "127.0.0.1\tlocalhost\n");
  }
  CRISP_ASSIGN_OR_RETURN(const std::string hosts, RenderHosts(PodHostname(pod, node_name), ips));
  return WriteShared(pod, pod.HostsPath(), hosts);
}

absl::Status MountShm(const Pod& pod) {
  if (pod.host_ipc()) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(MakeDirs(pod.ShmPath(), 0755));
  CRISP_ASSIGN_OR_RETURN(UniqueFd fs, SysFd("fsopen tmpfs", [] {
                           return ::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_SET_STRING, "source", "shm"));
  CRISP_RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_SET_STRING, "mode", "1777"));
  CRISP_RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_SET_STRING, "size", kShmSize));
  CRISP_RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr));
  CRISP_ASSIGN_OR_RETURN(UniqueFd mount, SysFd("fsmount shm", [&] {
                           return ::syscall(
                               SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
                         }));
  CRISP_ASSIGN_OR_RETURN(UniqueFd target, OpenDir(pod.ShmPath()));
  CRISP_RETURN_IF_ERROR(Sys("attach the pod's /dev/shm", [&] {
    return ::syscall(SYS_move_mount, mount.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  }));
  // Under a shared parent the new mount is shared too; containers must not see
  // each other's propagation.
  return Sys("make the pod's /dev/shm private",
             [&] { return ::mount(nullptr, pod.ShmPath().c_str(), nullptr, MS_PRIVATE, nullptr); });
}

absl::Status UnmountShm(const std::string& pod_directory) {
  const std::string path = pod_directory + "/shm";
  // A half-made pod may have been mounted over twice by an interrupted retry.
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("unmount ", path));
}

}  // namespace crisp::cri
