// A pod sandbox as crispd remembers it.
//
//   (intents recorded) ──started──▶ READY ──exited_at──▶ NOTREADY ──▶ removed
//          │ failure: undone, never listed
//          ▼
//        gone
//
// The state is derived from recorded facts, so it cannot contradict them. A pod
// that never reached `started` is not listed: it is half made, and either its
// RunPodSandbox or the next recovery takes it apart.
//
// Ownership: shared by the store and the calls that work on the pod.
// Threads:   safe. Everything but the facts is constant after construction.
// Crash:     the facts are in <state>/pods/<id>/pod (cri/records).
#ifndef CRISP_CRI_PODS_POD_H_
#define CRISP_CRI_PODS_POD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "api/cri/v1/api.pb.h"
#include "api/state/v1/state.pb.h"
#include "base/claim.h"
#include "cri/records/kept_encoding.h"
#include "cri/records/recorded.h"

namespace crisp::cri {

class Pod {
 public:
  // `directory` is <state>/pods/<id>, which exists.
  Pod(std::string directory, const std::string& boot_id, state::v1::PodRecord record);

  const std::string& id() const { return id_; }
  const std::string& directory() const { return directory_; }
  const runtime::v1::PodSandboxConfig& config() const { return config_; }
  const std::string& runtime_handler() const { return runtime_handler_; }
  int64_t created_at() const { return created_at_; }  // Unix nanoseconds.
  const std::string& name_key() const { return name_key_; }
  const std::string& cgroup_path() const { return cgroup_path_; }

  // Facts that change. The record's config, id and other constants are in it.
  Recorded<state::v1::PodRecord>& facts() { return facts_; }
  const Recorded<state::v1::PodRecord>& facts() const { return facts_; }

  // Its PodSandboxStatus (cri/messages).
  KeptEncoding& encoded_status() const { return encoded_status_; }

  // Held by whoever stops or removes the pod.
  Claimable& claim() { return claim_; }

  bool listed() const;
  runtime::v1::PodSandboxState state() const;
  bool ready() const { return state() == runtime::v1::SANDBOX_READY; }

  // Files and mounts that the containers of the pod share.
  std::string RecordPath() const { return directory_ + "/pod"; }
  std::string ContainersDirectory() const { return directory_ + "/containers"; }
  std::string HostsPath() const { return directory_ + "/hosts"; }
  std::string HostnamePath() const { return directory_ + "/hostname"; }
  std::string ResolvConfPath() const { return directory_ + "/resolv.conf"; }
  std::string ShmPath() const;  // /dev/shm of the host when the pod shares its IPC namespace.

  bool host_network() const;
  bool host_ipc() const;

 private:
  const std::string id_;
  const std::string directory_;
  const runtime::v1::PodSandboxConfig config_;
  const std::string runtime_handler_;
  const int64_t created_at_;
  const std::string name_key_;
  const std::string cgroup_path_;
  Recorded<state::v1::PodRecord> facts_;
  mutable KeptEncoding encoded_status_;
  Claimable claim_;
};

// What makes two RunPodSandbox requests ask for the same pod: name, namespace,
// uid and attempt.
std::string PodNameKey(const runtime::v1::PodSandboxMetadata& metadata);

// "default/web", for messages.
std::string PodDisplayName(const runtime::v1::PodSandboxMetadata& metadata);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_H_
