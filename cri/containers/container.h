// A container as crispd remembers it.
//
//   ┌─────────┐ started_at  ┌─────────┐ finished_at ┌────────┐
//   │ CREATED │────────────▶│ RUNNING │────────────▶│ EXITED │──▶ removed
//   └─────────┘             └─────────┘             └────────┘
//        └────── start failed: finished_at, code 128 ────▲
//
// The state is derived from recorded facts; the first cause of an end wins. A
// container that never reached `created` is not listed.
//
// Ownership: shared by the store and the calls that work on the container.
// Threads:   safe. Everything but the facts is constant after construction,
//            and the claim.
// Crash:     the facts are in <state>/pods/<pod>/containers/<id> (cri/records).
#ifndef CRISP_CRI_CONTAINERS_CONTAINER_H_
#define CRISP_CRI_CONTAINERS_CONTAINER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/cri/v1/api.pb.h"
#include "api/state/v1/state.pb.h"
#include "base/claim.h"
#include "cri/pods/pod.h"
#include "cri/records/kept_encoding.h"
#include "cri/records/recorded.h"

namespace crisp::cri {

// The state that `facts` add up to.
runtime::v1::ContainerState ContainerStateOf(const state::v1::ContainerRecord& facts);

class Container {
 public:
  Container(std::shared_ptr<Pod> pod, const std::string& boot_id,
            state::v1::ContainerRecord record);

  const std::string& id() const { return id_; }
  const std::shared_ptr<Pod>& pod() const { return pod_; }
  const runtime::v1::ContainerConfig& config() const { return config_; }
  int64_t created_at() const { return created_at_; }  // Unix nanoseconds.
  const std::string& name_key() const { return name_key_; }

  Recorded<state::v1::ContainerRecord>& facts() { return facts_; }
  const Recorded<state::v1::ContainerRecord>& facts() const { return facts_; }

  bool listed() const;
  runtime::v1::ContainerState state() const;

  // Records the end of the container, unless an end is recorded already: then it
  // is false. A record that cannot be written is kept in memory.
  bool RecordExit(int exit_code, int64_t finished_at, bool oom_killed,
                  const std::string& reason = "", const std::string& message = "");

  // Word of the end waits for word of the start, which a short-lived container can
  // overtake. BeginStart is before the driver runs it. DeferStop then says whether
  // EndStart shall tell of the end; EndStart, once the start has been told or has failed,
  // whether it shall tell of it now.
  void BeginStart();
  bool DeferStop();
  bool EndStart();

  // True once the container is EXITED, or false when `timeout` passed first.
  bool AwaitExit(absl::Duration timeout) const;

  // Its ContainerStatus (cri/messages).
  KeptEncoding& encoded_status() const { return encoded_status_; }

  // Held by whoever makes, starts, tidies up after or removes the container.
  Claimable& claim() { return claim_; }

  // True for the first caller only: the stop signal is sent once, however many
  // StopContainer calls wait.
  bool FirstStop();

 private:
  const std::string id_;
  const std::shared_ptr<Pod> pod_;
  const runtime::v1::ContainerConfig config_;
  const int64_t created_at_;
  const std::string name_key_;
  Recorded<state::v1::ContainerRecord> facts_;
  mutable KeptEncoding encoded_status_;

  Claimable claim_;
  std::atomic<bool> stop_sent_{false};

  absl::Mutex start_mu_;
  bool starting_ ABSL_GUARDED_BY(start_mu_) = false;
  bool stop_deferred_ ABSL_GUARDED_BY(start_mu_) = false;
};

// What makes two CreateContainer requests ask for the same container: the pod,
// the name and the attempt.
std::string ContainerNameKey(const std::string& pod_id,
                             const runtime::v1::ContainerMetadata& metadata);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CONTAINER_H_
