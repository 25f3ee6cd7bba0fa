// The metrics of ListMetricDescriptors and ListPodSandboxMetrics: the names, labels and
// units under which cAdvisor has always shown them, so that dashboards go on working.
//
// Threads: values and pure functions, but for statfs of the layers' filesystem.
#ifndef CRISP_CRI_STATS_METRICS_H_
#define CRISP_CRI_STATS_METRICS_H_

#include <google/protobuf/repeated_field.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"
#include "cgroup/stats.h"
#include "cri/stats/layer_usage.h"
#include "cri/stats/network_usage.h"
#include "cri/stats/process_usage.h"

namespace crisp::cri {

std::vector<runtime::v1::MetricDescriptor> MetricDescriptors();

// Values of the labels that every metric has.
struct MetricLabels {
  std::string id;  // The cgroup.
  std::string name;
  std::string image;
  std::string container;
  std::string ns;
  std::string pod;
};

class MetricWriter {
 public:
  MetricWriter(MetricLabels labels, int64_t now_ns) : labels_(std::move(labels)), now_ns_(now_ns) {}

  int64_t now_ns() const { return now_ns_; }

  // `name` is one of the descriptors'; `more` has a value for each label of its own.
  void Add(absl::string_view name, uint64_t value, const std::vector<std::string>& more = {});

  google::protobuf::RepeatedPtrField<runtime::v1::Metric> Take() { return std::move(metrics_); }

 private:
  const MetricLabels labels_;
  const int64_t now_ns_;
  google::protobuf::RepeatedPtrField<runtime::v1::Metric> metrics_;
};

struct ContainerFigures {
  cgroup::Stats stats;
  std::vector<pid_t> pids;
  ProcessUsage processes;
  runtime::v1::LinuxContainerResources resources;
  int64_t started_at = 0;  // Unix nanoseconds.
  LayerUsage layer;
};

void AddMetricsOfContainer(const ContainerFigures& figures, MetricWriter* out);
void AddMetricsOfPod(const cgroup::Stats& stats, const std::vector<InterfaceUsage>& interfaces,
                     MetricWriter* out);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_METRICS_H_
