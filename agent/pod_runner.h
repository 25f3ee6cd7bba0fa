// Brings a Pod to life through CRI, and ends it.
//
// Apply makes everything or nothing: what it needs (variables, images) is found
// before anything is made, and a failure after that stops and removes the
// sandbox. A pod that already runs as the manifest says is left alone.
//
// Ownership: borrows the client and the clock.
// Threads:   one Apply or Delete at a time per pod; others may run beside it.
// Errors:    NotFound for what the manifest names and the node lacks;
//            FailedPrecondition for a pod that would have to change;
//            DeadlineExceeded when the timeout passes; CRI's own otherwise.
#ifndef CRISP_AGENT_POD_RUNNER_H_
#define CRISP_AGENT_POD_RUNNER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/cri_client.h"
#include "agent/environment.h"
#include "agent/manifest/pod.h"
#include "agent/node_facts.h"
#include "agent/pod_config.h"
#include "agent/pod_view.h"
#include "base/clock.h"

namespace crisp::agent {

class PodRunner {
 public:
  static constexpr char kDefaultLogRoot[] = "/var/log/pods";

  struct Options {
    absl::Duration timeout = absl::Minutes(5);  // Of one Apply.
    std::string log_root = kDefaultLogRoot;
    NodeFacts node;
  };

  PodRunner(CriClient* node, Clock* clock, Options options)
      : node_(*node), clock_(*clock), options_(std::move(options)) {}

  enum class Outcome { kCreated, kUnchanged, kRecreated };
  // Returns when every container was started (init containers: have succeeded).
  absl::StatusOr<Outcome> Apply(const Pod& pod);

  // Waits until every container of the pod runs or has exited with 0.
  absl::Status WaitStarted(const std::string& ns, const std::string& name);

  // Stops and removes the pod, every sandbox of its name and its logs. `grace`
  // overrides the pod's own. NotFound if there is no such pod.
  absl::Status Delete(const std::string& ns, const std::string& name,
                      std::optional<int64_t> grace_seconds);

 private:
  struct Launch;  // One Apply under way.

  absl::Duration Left(absl::Duration deadline) const;
  absl::StatusOr<ImageFacts> EnsureImage(const Container& container,
                                         const runtime::v1::PodSandboxConfig& sandbox,
                                         absl::Duration deadline);
  absl::Status Run(Launch& launch);
  absl::Status StartContainer(Launch& launch, const Container& container, std::string* id);
  absl::Status AwaitInit(Launch& launch, const Container& container, const std::string& id);
  absl::Status Undo(const Launch& launch);
  absl::Status RemoveSandbox(const runtime::v1::PodSandbox& sandbox, int64_t grace_seconds);
  std::string LogDirectory(const std::string& ns, const std::string& name,
                           const std::string& uid) const;

  CriClient& node_;
  Clock& clock_;
  const Options options_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_POD_RUNNER_H_
