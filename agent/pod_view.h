// Pods as users see them, put together from CRI's sandboxes and containers.
//
// Values: a snapshot; nothing in it changes by itself.
#ifndef CRISP_AGENT_POD_VIEW_H_
#define CRISP_AGENT_POD_VIEW_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/cri_client.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::agent {

struct PodView {
  runtime::v1::PodSandbox sandbox;  // The newest of this name.
  std::vector<runtime::v1::PodSandbox> older;
  // Every container of `sandbox`, the newest attempt of a name first; names in
  // the order of the spec.
  std::vector<runtime::v1::ContainerStatus> containers;
  nlohmann::json spec;  // As applied by crisp; null for a pod made by others.
  std::vector<std::string> ips;

  const std::string& name() const { return sandbox.metadata().name(); }
  const std::string& ns() const { return sandbox.metadata().namespace_(); }
  bool ready() const { return sandbox.state() == runtime::v1::SANDBOX_READY; }
  // Names in spec.containers (or spec.initContainers), or those that exist.
  std::vector<std::string> ContainerNames() const;
  std::vector<std::string> InitContainerNames() const;
  // The newest attempt, or null.
  const runtime::v1::ContainerStatus* Find(const std::string& container) const;
};

// All pods, or those of `ns`, or the one called `name` there; by namespace and name.
absl::StatusOr<std::vector<PodView>> ListPods(CriClient& node, const std::string& ns,
                                              const std::string& name = "");
// NotFound if there is none.
absl::StatusOr<PodView> FindPod(CriClient& node, const std::string& ns, const std::string& name);

// kubectl's columns.
struct PodSummary {
  size_t ready = 0, total = 0;
  std::string status;  // Running, Completed, Error, ContainerCreating, OOMKilled, ...
  std::string phase;   // Pending, Running, Succeeded, Failed
  uint64_t restarts = 0;
};
PodSummary Summarise(const PodView& pod);

// The reason of an exited container: what CRI says, else Completed or Error.
std::string ExitReason(const runtime::v1::ContainerStatus& status);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_POD_VIEW_H_
