// What the agent itself keeps on the host for a pod: the directory of its logs, and a
// directory with what is mounted into its containers (/etc/hosts, termination messages).
//
//   <pod_root>/<uid>/etc-hosts
//   <pod_root>/<uid>/userns                                see user_namespaces.h
//   <pod_root>/<uid>/containers/<name>/<restart count>     termination message
//   <pod_root>/<uid>/volumes/<name>                        emptyDir, where the runtime has none
//   <log_root>/<namespace>_<name>_<uid>/<container>/<restart count>.log
//
// Threads: safe; one pod's calls from one thread.
// Errors:  errno kept.
#ifndef CRISP_AGENT_PODS_POD_FILES_H_
#define CRISP_AGENT_PODS_POD_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

class PodFiles {
 public:
  PodFiles(std::string pod_root, std::string log_root, const std::string& ns,
           const std::string& name, const std::string& uid);

  const std::string& log_directory() const { return log_directory_; }
  std::string LogPath(const std::string& container, int restart_count) const;

  // The pod's directories, and one for the logs of each container.
  absl::Status MakeDirectories(const Pod& pod) const;
  // Of one container, made anew.
  absl::StatusOr<std::string> MakeTerminationMessage(const std::string& container,
                                                     int restart_count) const;
  // Writes the hosts file with the pod's addresses and aliases; returns where.
  absl::StatusOr<std::string> WriteHosts(const Pod& pod, const std::vector<std::string>& ips) const;
  std::string VolumeDirectory(const std::string& volume) const;

  // The words that a container left: its file (4 KiB), or, if the policy says so and it
  // failed without any, the end of its log (2 KiB, 80 lines).
  std::string ReadLastWords(const Container& container, int restart_count, bool failed,
                            const std::string& log_path) const;
  // What one container leaves that was replaced twice.
  void RemoveContainer(const std::string& container, int restart_count) const;
  absl::Status RemoveAll() const;

 private:
  std::string MessagePath(const std::string& container, int restart_count) const;

  std::string directory_, log_directory_;
};

// As kubelet writes it, for a pod of its own network or of the host's (`host_file`: the
// host's /etc/hosts).
std::string HostsFile(const Pod& pod, const std::vector<std::string>& ips,
                      const std::string& host_file);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_FILES_H_
