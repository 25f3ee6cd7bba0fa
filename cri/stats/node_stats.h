// What pods and containers use: CRI's stats and metrics, read from cgroups, the pods'
// network namespaces and /proc when they are asked for. No runtime is asked.
//
// Ownership: borrows the stores, clock and background threads.
// Threads:   safe.
// Errors:    NotFound for what has no cgroup, such as a container that has ended.
#ifndef CRISP_CRI_STATS_NODE_STATS_H_
#define CRISP_CRI_STATS_NODE_STATS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cgroup/cgroup.h"
#include "cri/containers/container_store.h"
#include "cri/pods/pod_store.h"
#include "cri/stats/cpu_rates.h"
#include "cri/stats/layer_usage.h"
#include "cri/stats/network_usage.h"

namespace crisp::cri {

class NodeStats {
 public:
  struct Options {
    cgroup::Hierarchies hierarchies;
    const PodStore* pods = nullptr;
    const ContainerStore* containers = nullptr;
    const Clock* clock = nullptr;
    Background* background = nullptr;
    LayerUsages::Measure measure_layer;
  };
  explicit NodeStats(Options options);

  // Of a container that does not run: its attributes and its writable layer alone.
  absl::StatusOr<runtime::v1::ContainerStats> OfContainer(const Container& container);

  // NotFound for a pod that is not ready.
  absl::StatusOr<runtime::v1::PodSandboxStats> OfPod(const Pod& pod);

  // What all containers have written, by the directory that it is in: one entry a
  // directory, `first` always and first.
  std::vector<LayerUsage> WritableLayers(const std::string& first);

  // The metrics of a ready pod and of its running containers.
  absl::StatusOr<runtime::v1::PodSandboxMetrics> MetricsOf(const Pod& pod);

  // Forgets the samples of what is gone.
  void Tidy();

 private:
  absl::StatusOr<cgroup::Stats> Read(const std::string& cgroup_path) const;
  absl::StatusOr<cgroup::Stats> ReadPod(const Pod& pod) const;
  std::vector<InterfaceUsage> NetworkOf(const Pod& pod) const;
  void FillLayer(const Container& container, runtime::v1::FilesystemUsage* out);
  void AddContainerMetrics(const Container& container, runtime::v1::PodSandboxMetrics* out);

  const Options options_;
  CpuRates rates_;
  LayerUsages layers_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_NODE_STATS_H_
