#include "agent/pods/pod_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/log_reader.h"
#include "agent/pod_config.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {
namespace {

// kubelet's bounds of a termination message.
constexpr size_t kMaxMessage = 4096;
constexpr size_t kMaxLogTail = 2048;
constexpr int64_t kMaxLogLines = 80;

// The first bytes of a file that a container could write, which may be anything by now.
std::string ReadHead(const std::string& path, size_t most) {
  const auto fd = SysFd(
      "open", [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); });
  struct stat info = {};
  if (!fd.ok() || ::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  std::string out(most, '\0');
  size_t size = 0;
  while (size < most) {
    const auto count =
        SysValue("read", [&] { return ::read(fd->get(), out.data() + size, most - size); });
    if (!count.ok() || *count <= 0) break;
    size += static_cast<size_t>(*count);
  }
  out.resize(size);
  return out;
}

std::string LogTail(const std::string& path) {
  std::ostringstream out;
  LogOptions options;
  options.tail = kMaxLogLines;
  if (!PrintLog(
           path, options, [] { return true; }, out)
           .ok())
    return "";
  std::string text = out.str();
  if (text.size() > kMaxLogTail) text.erase(0, text.size() - kMaxLogTail);
  return text;
}

}  // namespace

PodFiles::PodFiles(std::string pod_root, std::string log_root, const std::string& ns,
                   const std::string& name, const std::string& uid)
    : directory_(JoinPath(pod_root, uid)),
      log_directory_(JoinPath(log_root, absl::StrCat(ns, "_", name, "_", uid))) {}

std::string PodFiles::LogPath(const std::string& container, int restart_count) const {
  return JoinPath(log_directory_, absl::StrCat(container, "/", restart_count, ".log"));
}

std::string PodFiles::MessagePath(const std::string& container, int restart_count) const {
  return JoinPath(directory_, absl::StrCat("containers/", container, "/", restart_count));
}

std::string PodFiles::VolumeDirectory(const std::string& volume) const {
  return JoinPath(directory_, absl::StrCat("volumes/", volume));
}

absl::Status PodFiles::MakeDirectories(const Pod& pod) const {
  CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(directory_, 0700), "make the pod's directory"));
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(JoinPath(log_directory_, container.name), 0755),
                                     "make the log directory"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PodFiles::MakeTerminationMessage(const std::string& container,
                                                             int restart_count) const {
  const std::string path = MessagePath(container, restart_count);
  CRISP_RETURN_IF_ERROR(MakeDirs(path.substr(0, path.rfind('/')), 0700));
  // Whoever the container runs as may write it; the directories keep others out.
  CRISP_RETURN_IF_ERROR(
      Annotate(WriteFileAtomic(path, "", 0666), "make the termination message file"));
  return path;
}

absl::StatusOr<std::string> PodFiles::WriteHosts(const Pod& pod,
                                                 const std::vector<std::string>& ips) const {
  std::string host_file;
  if (pod.host_network) {
    if (auto text = ReadFile("/etc/hosts", 1 << 20); text.ok()) host_file = *std::move(text);
  }
  CRISP_RETURN_IF_ERROR(MakeDirs(directory_, 0700));
  const std::string path = JoinPath(directory_, "etc-hosts");
  CRISP_RETURN_IF_ERROR(Annotate(WriteFileAtomic(path, HostsFile(pod, ips, host_file), 0644),
                                 "write the hosts file"));
  return path;
}

std::string PodFiles::ReadLastWords(const Container& container, int restart_count, bool failed,
                                    const std::string& log_path) const {
  std::string words = ReadHead(MessagePath(container.name, restart_count), kMaxMessage);
  if (words.empty() && failed && container.termination_message_policy == "FallbackToLogsOnError") {
    words = LogTail(log_path.empty() ? LogPath(container.name, restart_count) : log_path);
  }
  return words;
}

void PodFiles::RemoveContainer(const std::string& container, int restart_count) const {
  // What cannot be removed goes with the pod.
  (void)::unlink(MessagePath(container, restart_count).c_str());
  (void)::unlink(LogPath(container, restart_count).c_str());
}

absl::Status PodFiles::RemoveAll() const {
  CRISP_RETURN_IF_ERROR(RemoveTree(log_directory_));
  return RemoveTree(directory_);
}

std::string HostsFile(const Pod& pod, const std::vector<std::string>& ips,
                      const std::string& host_file) {
  std::string out;
  if (pod.host_network) {
    out = absl::StrCat("# Kubernetes-managed hosts file (host network).\n", host_file);
    if (!host_file.empty() && !absl::EndsWith(host_file, "\n")) out += '\n';
  } else {
    out =
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n";
    for (const std::string& ip : ips) absl::StrAppend(&out, ip, "\t", HostnameOf(pod), "\n");
  }
  if (pod.host_aliases.empty()) return out;
  out += "\n# Entries added by HostAliases.\n";
  for (const HostAlias& alias : pod.host_aliases) {
    absl::StrAppend(&out, alias.ip, "\t", absl::StrJoin(alias.hostnames, "\t"), "\n");
  }
  return out;
}

}  // namespace crisp::agent
