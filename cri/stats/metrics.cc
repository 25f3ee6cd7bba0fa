#include "cri/stats/metrics.h"

#include <limits.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cassert>

#include "absl/strings/str_cat.h"

namespace crisp::cri {
namespace {

using runtime::v1::COUNTER;
using runtime::v1::GAUGE;

constexpr const char* kBaseLabels[] = {"id", "name", "image", "container", "namespace", "pod"};

struct Kind {
  const char* name;
  runtime::v1::MetricType type;
  std::vector<const char*> labels;  // Besides the base labels.
  const char* help;
};

const std::vector<Kind>& Kinds() {
  static const auto* const kinds = new std::vector<Kind>{
      {"container_blkio_device_usage_total",
       COUNTER,
       {"device", "major", "minor", "operation"},
       "Bytes moved to and from a block device."},
      {"container_cpu_cfs_periods_total", COUNTER, {}, "Enforcement periods that have elapsed."},
      {"container_cpu_cfs_throttled_periods_total", COUNTER, {}, "Periods that were throttled."},
      {"container_cpu_cfs_throttled_seconds_total", COUNTER, {}, "Seconds spent throttled."},
      {"container_cpu_system_seconds_total", COUNTER, {}, "CPU seconds in the kernel."},
      {"container_cpu_usage_seconds_total", COUNTER, {"cpu"}, "CPU seconds in all."},
      {"container_cpu_user_seconds_total", COUNTER, {}, "CPU seconds outside the kernel."},
      {"container_file_descriptors", GAUGE, {}, "Open file descriptors."},
      {"container_fs_inodes_free", GAUGE, {"device"}, "Free inodes of the layers' filesystem."},
      {"container_fs_inodes_total", GAUGE, {"device"}, "Inodes of the layers' filesystem."},
      {"container_fs_limit_bytes", GAUGE, {"device"}, "Size of the layers' filesystem."},
      {"container_fs_reads_bytes_total", COUNTER, {"device"}, "Bytes read from a block device."},
      {"container_fs_reads_total", COUNTER, {"device"}, "Reads from a block device."},
      {"container_fs_usage_bytes", GAUGE, {"device"}, "Bytes in the writable layer."},
      {"container_fs_writes_bytes_total", COUNTER, {"device"}, "Bytes written to a block device."},
      {"container_fs_writes_total", COUNTER, {"device"}, "Writes to a block device."},
      {"container_hugetlb_max_usage_bytes", GAUGE, {"pagesize"}, "Most huge pages ever in use."},
      {"container_hugetlb_usage_bytes", GAUGE, {"pagesize"}, "Huge pages in use."},
      {"container_last_seen", GAUGE, {}, "When the container was last looked at, Unix seconds."},
      {"container_memory_cache", GAUGE, {}, "Bytes of page cache."},
      {"container_memory_failcnt", COUNTER, {}, "Times the memory limit was run against."},
      {"container_memory_failures_total",
       COUNTER,
       {"failure_type", "scope"},
       "Page faults by kind and by whose they are."},
      {"container_memory_kernel_usage", GAUGE, {}, "Bytes of kernel memory."},
      {"container_memory_mapped_file", GAUGE, {}, "Bytes of mapped files."},
      {"container_memory_max_usage_bytes", GAUGE, {}, "Most memory ever in use."},
      {"container_memory_rss", GAUGE, {}, "Bytes of anonymous memory."},
      {"container_memory_swap", GAUGE, {}, "Bytes of swap in use."},
      {"container_memory_usage_bytes", GAUGE, {}, "Bytes of memory in use, with all caches."},
      {"container_memory_working_set_bytes",
       GAUGE,
       {},
       "Bytes of memory in use, less what is reclaimed first."},
      {"container_network_receive_bytes_total", COUNTER, {"interface"}, "Bytes received."},
      {"container_network_receive_errors_total", COUNTER, {"interface"}, "Receive errors."},
      {"container_network_receive_packets_dropped_total",
       COUNTER,
       {"interface"},
       "Packets dropped while receiving."},
      {"container_network_receive_packets_total", COUNTER, {"interface"}, "Packets received."},
      {"container_network_transmit_bytes_total", COUNTER, {"interface"}, "Bytes sent."},
      {"container_network_transmit_errors_total", COUNTER, {"interface"}, "Send errors."},
      {"container_network_transmit_packets_dropped_total",
       COUNTER,
       {"interface"},
       "Packets dropped while sending."},
      {"container_network_transmit_packets_total", COUNTER, {"interface"}, "Packets sent."},
      {"container_oom_events_total", COUNTER, {}, "Processes killed for memory."},
      {"container_pressure_cpu_stalled_seconds_total",
       COUNTER,
       {},
       "Seconds in which every process waited for a CPU."},
      {"container_pressure_cpu_waiting_seconds_total",
       COUNTER,
       {},
       "Seconds in which some process waited for a CPU."},
      {"container_pressure_io_stalled_seconds_total",
       COUNTER,
       {},
       "Seconds in which every process waited for a device."},
      {"container_pressure_io_waiting_seconds_total",
       COUNTER,
       {},
       "Seconds in which some process waited for a device."},
      {"container_pressure_memory_stalled_seconds_total",
       COUNTER,
       {},
       "Seconds in which every process waited for memory."},
      {"container_pressure_memory_waiting_seconds_total",
       COUNTER,
       {},
       "Seconds in which some process waited for memory."},
      {"container_processes", GAUGE, {}, "Processes."},
      {"container_sockets", GAUGE, {}, "Open sockets."},
      {"container_spec_cpu_period", GAUGE, {}, "CPU period, microseconds."},
      {"container_spec_cpu_quota", GAUGE, {}, "CPU quota, microseconds; 0: none."},
      {"container_spec_cpu_shares", GAUGE, {}, "CPU shares."},
      {"container_spec_memory_limit_bytes", GAUGE, {}, "Memory limit; 0: none."},
      {"container_spec_memory_reservation_limit_bytes", GAUGE, {}, "Memory reservation; 0: none."},
      {"container_spec_memory_swap_limit_bytes",
       GAUGE,
       {},
       "Limit of memory and swap together; 0: none."},
      {"container_start_time_seconds", GAUGE, {}, "When the container started, Unix seconds."},
      {"container_threads", GAUGE, {}, "Threads."},
      {"container_threads_max", GAUGE, {}, "Most threads allowed; 0: any number."},
      {"container_ulimits_soft", GAUGE, {"ulimit"}, "Soft resource limits of the first process."},
  };
  return *kinds;
}

const Kind* Find(absl::string_view name) {
  for (const Kind& kind : Kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kSecondUs = 1'000'000;

uint64_t OrZero(uint64_t limit) { return limit == cgroup::kUnlimited ? 0 : limit; }
uint64_t OrZero(int64_t limit) { return limit > 0 ? static_cast<uint64_t>(limit) : 0; }

// "/dev/vda" for 254:0, or the numbers where the kernel has no name.
std::string DeviceName(uint64_t major, uint64_t minor) {
  char target[PATH_MAX];
  const std::string link = absl::StrCat("/sys/dev/block/", major, ":", minor);
  const ssize_t n = ::readlink(link.c_str(), target, sizeof(target));
  if (n <= 0) return absl::StrCat(major, ":", minor);
  const absl::string_view path(target, static_cast<size_t>(n));
  return absl::StrCat("/dev/", path.substr(path.rfind('/') + 1));
}

void AddCpu(const cgroup::CpuStats& cpu, MetricWriter* out) {
  out->Add("container_cpu_usage_seconds_total", cpu.usage_ns / kSecondNs, {"total"});
  out->Add("container_cpu_user_seconds_total", cpu.user_ns / kSecondNs);
  out->Add("container_cpu_system_seconds_total", cpu.system_ns / kSecondNs);
  out->Add("container_cpu_cfs_periods_total", cpu.periods);
  out->Add("container_cpu_cfs_throttled_periods_total", cpu.throttled_periods);
  out->Add("container_cpu_cfs_throttled_seconds_total", cpu.throttled_ns / kSecondNs);
}

void AddMemory(const cgroup::Stats& stats, MetricWriter* out) {
  const cgroup::MemoryStats& memory = stats.memory;
  out->Add("container_memory_cache", memory.cache);
  out->Add("container_memory_failcnt", memory.failcnt);
  for (const char* scope : {"container", "hierarchy"}) {
    out->Add("container_memory_failures_total", memory.page_faults, {"pgfault", scope});
    out->Add("container_memory_failures_total", memory.major_page_faults, {"pgmajfault", scope});
  }
  out->Add("container_memory_kernel_usage", memory.kernel_usage);
  out->Add("container_memory_mapped_file", memory.mapped_file);
  out->Add("container_memory_max_usage_bytes", memory.max_usage);
  out->Add("container_memory_rss", memory.rss);
  out->Add("container_memory_swap", memory.swap_usage);
  out->Add("container_memory_usage_bytes", memory.usage);
  out->Add("container_memory_working_set_bytes", memory.working_set());
  out->Add("container_oom_events_total", stats.oom_kills);
}

void AddPressure(const cgroup::Stats& stats, MetricWriter* out) {
  const auto add = [&](const char* what, const std::optional<cgroup::Pressure>& pressure) {
    if (!pressure) return;
    const std::string prefix = absl::StrCat("container_pressure_", what);
    out->Add(prefix + "_waiting_seconds_total", pressure->some.total_us / kSecondUs);
    out->Add(prefix + "_stalled_seconds_total", pressure->full.total_us / kSecondUs);
  };
  add("cpu", stats.cpu.pressure);
  add("memory", stats.memory.pressure);
  add("io", stats.io_pressure);
}

void AddIo(const std::vector<cgroup::BlockIo>& io, MetricWriter* out) {
  for (const cgroup::BlockIo& device : io) {
    const std::string name = DeviceName(device.major, device.minor);
    const std::string major = absl::StrCat(device.major), minor = absl::StrCat(device.minor);
    out->Add("container_blkio_device_usage_total", device.read_bytes, {name, major, minor, "Read"});
    out->Add("container_blkio_device_usage_total", device.write_bytes,
             {name, major, minor, "Write"});
    out->Add("container_fs_reads_bytes_total", device.read_bytes, {name});
    out->Add("container_fs_reads_total", device.reads, {name});
    out->Add("container_fs_writes_bytes_total", device.write_bytes, {name});
    out->Add("container_fs_writes_total", device.writes, {name});
  }
}

void AddLayer(const ContainerFigures& figures, MetricWriter* out) {
  const std::string& device = figures.layer.mountpoint;
  out->Add("container_fs_usage_bytes", figures.layer.bytes, {device});
  struct statvfs fs;
  if (::statvfs(device.c_str(), &fs) != 0) return;
  out->Add("container_fs_limit_bytes", fs.f_blocks * fs.f_frsize, {device});
  out->Add("container_fs_inodes_total", fs.f_files, {device});
  out->Add("container_fs_inodes_free", fs.f_ffree, {device});
}

void AddSpec(const runtime::v1::LinuxContainerResources& resources, MetricWriter* out) {
  out->Add("container_spec_cpu_period", OrZero(resources.cpu_period()));
  out->Add("container_spec_cpu_quota", OrZero(resources.cpu_quota()));
  out->Add("container_spec_cpu_shares", OrZero(resources.cpu_shares()));
  out->Add("container_spec_memory_limit_bytes", OrZero(resources.memory_limit_in_bytes()));
  // CRI has no such wish.
  out->Add("container_spec_memory_reservation_limit_bytes", 0);
  out->Add("container_spec_memory_swap_limit_bytes",
           OrZero(resources.memory_swap_limit_in_bytes()));
}

}  // namespace

std::vector<runtime::v1::MetricDescriptor> MetricDescriptors() {
  std::vector<runtime::v1::MetricDescriptor> descriptors;
  for (const Kind& kind : Kinds()) {
    runtime::v1::MetricDescriptor& descriptor = descriptors.emplace_back();
    descriptor.set_name(kind.name);
    descriptor.set_help(kind.help);
    for (const char* label : kBaseLabels) descriptor.add_label_keys(label);
    for (const char* label : kind.labels) descriptor.add_label_keys(label);
  }
  return descriptors;
}

void MetricWriter::Add(absl::string_view name, uint64_t value,
                       const std::vector<std::string>& more) {
  const Kind* const kind = Find(name);
  assert(kind != nullptr && kind->labels.size() == more.size());
  runtime::v1::Metric* metric = metrics_.Add();
  metric->set_name(kind->name);
  metric->set_timestamp(now_ns_);
  metric->set_metric_type(kind->type);
  for (const std::string* base : {&labels_.id, &labels_.name, &labels_.image, &labels_.container,
                                  &labels_.ns, &labels_.pod}) {
    metric->add_label_values(*base);
  }
  for (const std::string& label : more) metric->add_label_values(label);
  metric->mutable_value()->set_value(value);
}

void AddMetricsOfContainer(const ContainerFigures& figures, MetricWriter* out) {
  const cgroup::Stats& stats = figures.stats;
  AddCpu(stats.cpu, out);
  AddMemory(stats, out);
  AddPressure(stats, out);
  AddIo(stats.io, out);
  AddLayer(figures, out);
  AddSpec(figures.resources, out);
  for (const cgroup::HugetlbStats& pages : stats.hugetlb) {
    out->Add("container_hugetlb_usage_bytes", pages.usage, {pages.page_size});
    out->Add("container_hugetlb_max_usage_bytes", pages.max_usage, {pages.page_size});
  }
  out->Add("container_file_descriptors", figures.processes.descriptors);
  out->Add("container_sockets", figures.processes.sockets);
  out->Add("container_processes", figures.pids.size());
  out->Add("container_threads", stats.pids);
  out->Add("container_threads_max", OrZero(stats.pids_limit));
  if (figures.processes.max_open_files) {
    out->Add("container_ulimits_soft", *figures.processes.max_open_files, {"max_open_files"});
  }
  out->Add("container_start_time_seconds", static_cast<uint64_t>(figures.started_at) / kSecondNs);
  out->Add("container_last_seen", static_cast<uint64_t>(out->now_ns()) / kSecondNs);
}

void AddMetricsOfPod(const cgroup::Stats& stats, const std::vector<InterfaceUsage>& interfaces,
                     MetricWriter* out) {
  AddCpu(stats.cpu, out);
  AddMemory(stats, out);
  AddPressure(stats, out);
  out->Add("container_last_seen", static_cast<uint64_t>(out->now_ns()) / kSecondNs);
  for (const InterfaceUsage& interface : interfaces) {
    const std::vector<std::string> name = {interface.name};
    out->Add("container_network_receive_bytes_total", interface.rx_bytes, name);
    out->Add("container_network_receive_packets_total", interface.rx_packets, name);
    out->Add("container_network_receive_errors_total", interface.rx_errors, name);
    out->Add("container_network_receive_packets_dropped_total", interface.rx_dropped, name);
    out->Add("container_network_transmit_bytes_total", interface.tx_bytes, name);
    out->Add("container_network_transmit_packets_total", interface.tx_packets, name);
    out->Add("container_network_transmit_errors_total", interface.tx_errors, name);
    out->Add("container_network_transmit_packets_dropped_total", interface.tx_dropped, name);
  }
}

}  // namespace crisp::cri
