#include "cri/stats/node_stats.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "cri/stats/metrics.h"
#include "cri/stats/process_usage.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

// Above the containers' and pause's own.
std::string CgroupOfPod(const Pod& pod) {
  return pod.cgroup_path().substr(0, pod.cgroup_path().rfind('/'));
}

// Whether nothing but this pod is in that cgroup: crispd has made it for the pod, or whoever
// named it did and gave it the pod's uid, as kubelet does.
bool HasOwnCgroup(const Pod& pod) {
  if (pod.config().linux().cgroup_parent().empty()) return true;
  const std::string path = CgroupOfPod(pod);
  const absl::string_view name = absl::string_view(path).substr(path.rfind('/') + 1);
  const std::string& uid = pod.config().metadata().uid();
  return absl::StrContains(name, uid) ||
         absl::StrContains(name, absl::StrReplaceAll(uid, {{"-", "_"}}));
}

void Add(const cgroup::Stats& more, cgroup::Stats* sum) {
  sum->v2 = more.v2;
  sum->cpu.usage_ns += more.cpu.usage_ns;
  sum->cpu.user_ns += more.cpu.user_ns;
  sum->cpu.system_ns += more.cpu.system_ns;
  sum->memory.usage += more.memory.usage;
  sum->memory.swap_usage += more.memory.swap_usage;
  sum->memory.kernel_usage += more.memory.kernel_usage;
  sum->memory.rss += more.memory.rss;
  sum->memory.cache += more.memory.cache;
  sum->memory.mapped_file += more.memory.mapped_file;
  sum->memory.inactive_file += more.memory.inactive_file;
  sum->memory.active_file += more.memory.active_file;
  sum->memory.page_faults += more.memory.page_faults;
  sum->memory.major_page_faults += more.memory.major_page_faults;
  sum->pids += more.pids;
}

template <typename Config>
void FillAttributes(const std::string& id, const Config& config, auto* out) {
  out->set_id(id);
  *out->mutable_metadata() = config.metadata();
  *out->mutable_labels() = config.labels();
  *out->mutable_annotations() = config.annotations();
}

void FillPsi(const cgroup::Pressure& pressure, runtime::v1::PsiStats* out) {
  const auto fill = [](const cgroup::Pressure::Line& line, runtime::v1::PsiData* to) {
    to->set_total(line.total_us * 1000);  // CRI counts nanoseconds.
    to->set_avg10(line.avg10);
    to->set_avg60(line.avg60);
    to->set_avg300(line.avg300);
  };
  fill(pressure.full, out->mutable_full());
  fill(pressure.some, out->mutable_some());
}

void FillCpu(const cgroup::CpuStats& cpu, int64_t now, std::optional<uint64_t> rate,
             runtime::v1::CpuUsage* out) {
  out->set_timestamp(now);
  out->mutable_usage_core_nano_seconds()->set_value(cpu.usage_ns);
  if (rate) out->mutable_usage_nano_cores()->set_value(*rate);
  if (cpu.pressure) FillPsi(*cpu.pressure, out->mutable_psi());
}

void FillMemory(const cgroup::MemoryStats& memory, int64_t now, runtime::v1::MemoryUsage* out) {
  out->set_timestamp(now);
  out->mutable_working_set_bytes()->set_value(memory.working_set());
  if (memory.limit != cgroup::kUnlimited) {
    const uint64_t used = memory.working_set();
    out->mutable_available_bytes()->set_value(memory.limit > used ? memory.limit - used : 0);
  }
  out->mutable_usage_bytes()->set_value(memory.usage);
  out->mutable_rss_bytes()->set_value(memory.rss);
  out->mutable_page_faults()->set_value(memory.page_faults);
  out->mutable_major_page_faults()->set_value(memory.major_page_faults);
  if (memory.pressure) FillPsi(*memory.pressure, out->mutable_psi());
}

void FillSwap(const cgroup::MemoryStats& memory, int64_t now, runtime::v1::SwapUsage* out) {
  out->set_timestamp(now);
  out->mutable_swap_usage_bytes()->set_value(memory.swap_usage);
  if (memory.swap_limit != cgroup::kUnlimited) {
    const uint64_t used = memory.swap_usage;
    out->mutable_swap_available_bytes()->set_value(
        memory.swap_limit > used ? memory.swap_limit - used : 0);
  }
}

template <typename Usage>
void FillIo(const std::optional<cgroup::Pressure>& pressure, int64_t now, Usage* out) {
  if (!pressure) return;
  out->mutable_io()->set_timestamp(now);
  FillPsi(*pressure, out->mutable_io()->mutable_psi());
}

void FillInterface(const InterfaceUsage& usage, runtime::v1::NetworkInterfaceUsage* out) {
  out->set_name(usage.name);
  out->mutable_rx_bytes()->set_value(usage.rx_bytes);
  out->mutable_rx_errors()->set_value(usage.rx_errors);
  out->mutable_tx_bytes()->set_value(usage.tx_bytes);
  out->mutable_tx_errors()->set_value(usage.tx_errors);
}

void FillNetwork(const std::vector<InterfaceUsage>& interfaces, int64_t now,
                 runtime::v1::NetworkUsage* out) {
  out->set_timestamp(now);
  const InterfaceUsage* main = &interfaces.front();
  for (const InterfaceUsage& interface : interfaces) {
    FillInterface(interface, out->add_interfaces());
    if (interface.name == "eth0") main = &interface;
  }
  FillInterface(*main, out->mutable_default_interface());
}

bool Runs(const Container& container) {
  return container.listed() && container.state() == runtime::v1::CONTAINER_RUNNING;
}

std::string CgroupOf(const Container& container) {
  return container.facts().Read([](const ContainerRecord& facts) { return facts.cgroup_path(); });
}

}  // namespace

NodeStats::NodeStats(Options options)
    : options_(std::move(options)),
      layers_(options_.measure_layer, options_.clock, options_.background) {}

absl::StatusOr<cgroup::Stats> NodeStats::Read(const std::string& cgroup_path) const {
  CRISP_ASSIGN_OR_RETURN(const cgroup::Cgroup group,
                         cgroup::Cgroup::Open(options_.hierarchies, cgroup_path));
  return group.ReadStats();
}

absl::StatusOr<cgroup::Stats> NodeStats::ReadPod(const Pod& pod) const {
  if (HasOwnCgroup(pod)) return Read(CgroupOfPod(pod));
  CRISP_ASSIGN_OR_RETURN(cgroup::Stats sum, Read(pod.cgroup_path()));
  // Bounds and pressure are each cgroup's own.
  sum.memory.limit = sum.memory.swap_limit = cgroup::kUnlimited;
  sum.cpu.pressure = sum.memory.pressure = sum.io_pressure = std::nullopt;
  for (const auto& container : options_.containers->OfPod(pod.id())) {
    if (!Runs(*container)) continue;
    // It may end while it is looked at.
    if (const auto one = Read(CgroupOf(*container)); one.ok()) Add(*one, &sum);
  }
  return sum;
}

std::vector<LayerUsage> NodeStats::WritableLayers(const std::string& first) {
  std::vector<LayerUsage> out;
  const auto entry = [&out](const std::string& mountpoint) -> LayerUsage& {
    for (LayerUsage& known : out) {
      if (known.mountpoint == mountpoint) return known;
    }
    LayerUsage& made = out.emplace_back();
    made.mountpoint = mountpoint;
    return made;
  };
  entry(first).at_ns = options_.clock->NowNs();
  for (const auto& container : options_.containers->All()) {
    const auto usage = layers_.Of(
        container->id(),
        container->facts().Read([](const ContainerRecord& facts) { return facts.snapshot_key(); }));
    if (!usage.ok()) continue;
    LayerUsage& sum = entry(usage->mountpoint);
    sum.bytes += usage->bytes;
    sum.inodes += usage->inodes;
    sum.at_ns = std::max(sum.at_ns, usage->at_ns);
  }
  return out;
}

std::vector<InterfaceUsage> NodeStats::NetworkOf(const Pod& pod) const {
  // A pod on the host's network has no counters of its own.
  if (pod.host_network()) return {};
  const auto [pid, netns] = pod.facts().Read([](const PodRecord& facts) {
    return std::make_pair(static_cast<pid_t>(facts.pause_pid()), facts.netns_path());
  });
  if (pid == 0 || netns.empty()) return {};
  return ReadNetworkUsage(pid, netns).value_or(std::vector<InterfaceUsage>());
}

void NodeStats::FillLayer(const Container& container, runtime::v1::FilesystemUsage* out) {
  const std::string key =
      container.facts().Read([](const ContainerRecord& facts) { return facts.snapshot_key(); });
  const auto usage = layers_.Of(container.id(), key);
  if (!usage.ok()) return;
  out->set_timestamp(usage->at_ns);
  out->mutable_fs_id()->set_mountpoint(usage->mountpoint);
  out->mutable_used_bytes()->set_value(usage->bytes);
  out->mutable_inodes_used()->set_value(usage->inodes);
}

absl::StatusOr<runtime::v1::ContainerStats> NodeStats::OfContainer(const Container& container) {
  runtime::v1::ContainerStats out;
  FillAttributes(container.id(), container.config(), out.mutable_attributes());
  runtime::v1::FilesystemUsage layer;
  FillLayer(container, &layer);
  // Without a mount point kubelet would look for the filesystem in vain.
  if (layer.has_fs_id()) *out.mutable_writable_layer() = std::move(layer);
  if (!Runs(container)) return out;
  CRISP_ASSIGN_OR_RETURN(const cgroup::Stats stats, Read(CgroupOf(container)));
  const int64_t now = options_.clock->NowNs();
  FillCpu(stats.cpu, now, rates_.Sample(container.id(), now, stats.cpu.usage_ns),
          out.mutable_cpu());
  FillMemory(stats.memory, now, out.mutable_memory());
  FillSwap(stats.memory, now, out.mutable_swap());
  FillIo(stats.io_pressure, now, &out);
  return out;
}

absl::StatusOr<runtime::v1::PodSandboxStats> NodeStats::OfPod(const Pod& pod) {
  if (!pod.ready()) return absl::NotFoundError("the pod sandbox is not ready");
  runtime::v1::PodSandboxStats out;
  FillAttributes(pod.id(), pod.config(), out.mutable_attributes());
  CRISP_ASSIGN_OR_RETURN(const cgroup::Stats stats, ReadPod(pod));
  const int64_t now = options_.clock->NowNs();
  runtime::v1::LinuxPodSandboxStats* usage = out.mutable_linux();
  FillCpu(stats.cpu, now, rates_.Sample(pod.id(), now, stats.cpu.usage_ns), usage->mutable_cpu());
  FillMemory(stats.memory, now, usage->mutable_memory());
  FillIo(stats.io_pressure, now, usage);
  usage->mutable_process()->set_timestamp(now);
  usage->mutable_process()->mutable_process_count()->set_value(stats.pids);
  if (const auto interfaces = NetworkOf(pod); !interfaces.empty()) {
    FillNetwork(interfaces, now, usage->mutable_network());
  }
  for (const auto& container : options_.containers->OfPod(pod.id())) {
    if (!Runs(*container)) continue;
    auto one = OfContainer(*container);
    // It may end while it is looked at.
    if (one.ok()) *usage->add_containers() = *std::move(one);
  }
  return out;
}

void NodeStats::AddContainerMetrics(const Container& container,
                                    runtime::v1::PodSandboxMetrics* out) {
  const std::string path = CgroupOf(container);
  const auto group = cgroup::Cgroup::Open(options_.hierarchies, path);
  if (!group.ok()) return;
  const auto stats = group->ReadStats();
  if (!stats.ok()) return;
  const ContainerRecord facts = container.facts().Get();
  ContainerFigures figures{.stats = *stats};
  figures.pids = group->Pids().value_or(std::vector<pid_t>());
  figures.processes = ReadProcessUsage(figures.pids);
  figures.resources = facts.resources().linux();
  figures.started_at = facts.started_at();
  if (auto layer = layers_.Of(container.id(), facts.snapshot_key()); layer.ok()) {
    figures.layer = *layer;
  }
  const runtime::v1::PodSandboxMetadata& pod = container.pod()->config().metadata();
  MetricWriter writer({.id = path,
                       .name = container.id(),
                       .image = container.config().image().image(),
                       .container = container.config().metadata().name(),
                       .ns = pod.namespace_(),
                       .pod = pod.name()},
                      options_.clock->NowNs());
  AddMetricsOfContainer(figures, &writer);
  runtime::v1::ContainerMetrics* metrics = out->add_container_metrics();
  metrics->set_container_id(container.id());
  *metrics->mutable_metrics() = writer.Take();
}

absl::StatusOr<runtime::v1::PodSandboxMetrics> NodeStats::MetricsOf(const Pod& pod) {
  if (!pod.ready()) return absl::NotFoundError("the pod sandbox is not ready");
  runtime::v1::PodSandboxMetrics out;
  out.set_pod_sandbox_id(pod.id());
  const std::string path = CgroupOfPod(pod);
  CRISP_ASSIGN_OR_RETURN(const cgroup::Stats stats, ReadPod(pod));
  const runtime::v1::PodSandboxMetadata& metadata = pod.config().metadata();
  MetricWriter writer(
      {.id = path, .name = pod.id(), .ns = metadata.namespace_(), .pod = metadata.name()},
      options_.clock->NowNs());
  AddMetricsOfPod(stats, NetworkOf(pod), &writer);
  *out.mutable_metrics() = writer.Take();
  for (const auto& container : options_.containers->OfPod(pod.id())) {
    if (Runs(*container)) AddContainerMetrics(*container, &out);
  }
  return out;
}

void NodeStats::Tidy() {
  std::set<std::string> ids;
  for (const auto& container : options_.containers->All()) ids.insert(container->id());
  layers_.Keep(ids);
  for (const auto& pod : options_.pods->All()) ids.insert(pod->id());
  rates_.Keep(ids);
}

}  // namespace crisp::cri
