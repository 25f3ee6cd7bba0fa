#include "shim/service/metrics.h"

#include <cstdint>
#include <optional>

#include "api/shim/wire/metrics.pb.h"

namespace crisp::shim {
namespace {

constexpr uint64_t kNsPerUs = 1000;

void Set(const cgroup::Pressure::Line& line, wire::PSIData* out) {
  out->set_avg10(line.avg10);
  out->set_avg60(line.avg60);
  out->set_avg300(line.avg300);
  out->set_total(line.total_us);
}

void Set(const std::optional<cgroup::Pressure>& pressure, wire::PSIStats* out) {
  Set(pressure->some, out->mutable_some());
  Set(pressure->full, out->mutable_full());
}

wire::V2Metrics V2(const cgroup::Stats& stats) {
  wire::V2Metrics metrics;
  metrics.mutable_pids()->set_current(stats.pids);
  metrics.mutable_pids()->set_limit(stats.pids_limit);

  wire::V2CPUStat* const cpu = metrics.mutable_cpu();
  cpu->set_usage_usec(stats.cpu.usage_ns / kNsPerUs);
  cpu->set_user_usec(stats.cpu.user_ns / kNsPerUs);
  cpu->set_system_usec(stats.cpu.system_ns / kNsPerUs);
  cpu->set_nr_periods(stats.cpu.periods);
  cpu->set_nr_throttled(stats.cpu.throttled_periods);
  cpu->set_throttled_usec(stats.cpu.throttled_ns / kNsPerUs);
  if (stats.cpu.pressure.has_value()) Set(stats.cpu.pressure, cpu->mutable_psi());

  wire::V2MemoryStat* const memory = metrics.mutable_memory();
  memory->set_anon(stats.memory.rss);
  memory->set_file(stats.memory.cache);
  memory->set_shmem(stats.memory.shmem);
  memory->set_file_mapped(stats.memory.mapped_file);
  memory->set_file_dirty(stats.memory.dirty);
  memory->set_file_writeback(stats.memory.writeback);
  memory->set_inactive_anon(stats.memory.inactive_anon);
  memory->set_active_anon(stats.memory.active_anon);
  memory->set_inactive_file(stats.memory.inactive_file);
  memory->set_active_file(stats.memory.active_file);
  memory->set_unevictable(stats.memory.unevictable);
  memory->set_pgfault(stats.memory.page_faults);
  memory->set_pgmajfault(stats.memory.major_page_faults);
  memory->set_usage(stats.memory.usage);
  memory->set_usage_limit(stats.memory.limit);
  memory->set_swap_usage(stats.memory.swap_usage);
  memory->set_swap_limit(stats.memory.swap_limit);
  memory->set_max_usage(stats.memory.max_usage);
  if (stats.memory.pressure.has_value()) Set(stats.memory.pressure, memory->mutable_psi());

  for (const cgroup::BlockIo& io : stats.io) {
    wire::V2IOEntry* const entry = metrics.mutable_io()->add_usage();
    entry->set_major(io.major);
    entry->set_minor(io.minor);
    entry->set_rbytes(io.read_bytes);
    entry->set_wbytes(io.write_bytes);
    entry->set_rios(io.reads);
    entry->set_wios(io.writes);
  }
  if (stats.io_pressure.has_value()) Set(stats.io_pressure, metrics.mutable_io()->mutable_psi());

  for (const cgroup::HugetlbStats& pages : stats.hugetlb) {
    wire::V2HugeTlbStat* const entry = metrics.add_hugetlb();
    entry->set_current(pages.usage);
    entry->set_max(pages.limit);
    entry->set_pagesize(pages.page_size);
    entry->set_failcnt(pages.failcnt);
  }

  wire::V2MemoryEvents* const events = metrics.mutable_memory_events();
  events->set_low(stats.events_low);
  events->set_high(stats.events_high);
  events->set_max(stats.events_max);
  events->set_oom(stats.oom_events);
  events->set_oom_kill(stats.oom_kills);
  events->set_oom_group_kill(stats.oom_group_kills);
  return metrics;
}

void AddBlockIo(const cgroup::BlockIo& io, uint64_t read, uint64_t write,
                google::protobuf::RepeatedPtrField<wire::V1BlkIOEntry>* out) {
  const auto add = [&](const char* op, uint64_t value) {
    wire::V1BlkIOEntry* const entry = out->Add();
    entry->set_op(op);
    entry->set_major(io.major);
    entry->set_minor(io.minor);
    entry->set_value(value);
  };
  add("Read", read);
  add("Write", write);
  add("Total", read + write);
}

wire::V1Metrics V1(const cgroup::Stats& stats) {
  wire::V1Metrics metrics;
  metrics.mutable_pids()->set_current(stats.pids);
  // v1's way to say "no limit" is 0.
  metrics.mutable_pids()->set_limit(stats.pids_limit == cgroup::kUnlimited ? 0 : stats.pids_limit);

  wire::V1CPUUsage* const usage = metrics.mutable_cpu()->mutable_usage();
  usage->set_total(stats.cpu.usage_ns);
  usage->set_kernel(stats.cpu.system_ns);
  usage->set_user(stats.cpu.user_ns);
  for (const uint64_t ns : stats.cpu.per_cpu_ns) usage->add_per_cpu(ns);
  wire::V1Throttle* const throttling = metrics.mutable_cpu()->mutable_throttling();
  throttling->set_periods(stats.cpu.periods);
  throttling->set_throttled_periods(stats.cpu.throttled_periods);
  throttling->set_throttled_time(stats.cpu.throttled_ns);

  // The numbers of the cgroup with those below it, under both of v1's names.
  wire::V1MemoryStat* const memory = metrics.mutable_memory();
  memory->set_cache(stats.memory.cache);
  memory->set_total_cache(stats.memory.cache);
  memory->set_rss(stats.memory.rss);
  memory->set_total_rss(stats.memory.rss);
  memory->set_mapped_file(stats.memory.mapped_file);
  memory->set_total_mapped_file(stats.memory.mapped_file);
  memory->set_dirty(stats.memory.dirty);
  memory->set_total_dirty(stats.memory.dirty);
  memory->set_writeback(stats.memory.writeback);
  memory->set_total_writeback(stats.memory.writeback);
  memory->set_pg_fault(stats.memory.page_faults);
  memory->set_total_pg_fault(stats.memory.page_faults);
  memory->set_pg_maj_fault(stats.memory.major_page_faults);
  memory->set_total_pg_maj_fault(stats.memory.major_page_faults);
  memory->set_inactive_anon(stats.memory.inactive_anon);
  memory->set_total_inactive_anon(stats.memory.inactive_anon);
  memory->set_active_anon(stats.memory.active_anon);
  memory->set_total_active_anon(stats.memory.active_anon);
  memory->set_inactive_file(stats.memory.inactive_file);
  memory->set_total_inactive_file(stats.memory.inactive_file);
  memory->set_active_file(stats.memory.active_file);
  memory->set_total_active_file(stats.memory.active_file);
  memory->set_unevictable(stats.memory.unevictable);
  memory->set_total_unevictable(stats.memory.unevictable);
  memory->set_hierarchical_memory_limit(stats.memory.limit);
  wire::V1MemoryEntry* const entry = memory->mutable_usage();
  entry->set_usage(stats.memory.usage);
  entry->set_limit(stats.memory.limit);
  entry->set_max(stats.memory.max_usage);
  entry->set_failcnt(stats.memory.failcnt);
  // v1 counts swap together with memory.
  memory->mutable_swap()->set_usage(stats.memory.usage + stats.memory.swap_usage);
  const bool limited =
      stats.memory.swap_limit != cgroup::kUnlimited && stats.memory.limit != cgroup::kUnlimited;
  memory->mutable_swap()->set_limit(limited ? stats.memory.limit + stats.memory.swap_limit
                                            : cgroup::kUnlimited);
  memory->mutable_kernel()->set_usage(stats.memory.kernel_usage);

  for (const cgroup::BlockIo& io : stats.io) {
    AddBlockIo(io, io.read_bytes, io.write_bytes,
               metrics.mutable_blkio()->mutable_io_service_bytes_recursive());
    AddBlockIo(io, io.reads, io.writes, metrics.mutable_blkio()->mutable_io_serviced_recursive());
  }
  for (const cgroup::HugetlbStats& pages : stats.hugetlb) {
    wire::V1HugetlbStat* const hugetlb = metrics.add_hugetlb();
    hugetlb->set_usage(pages.usage);
    hugetlb->set_max(pages.max_usage);
    hugetlb->set_failcnt(pages.failcnt);
    hugetlb->set_pagesize(pages.page_size);
  }
  metrics.mutable_memory_oom_control()->set_under_oom(stats.under_oom ? 1 : 0);
  metrics.mutable_memory_oom_control()->set_oom_kill(stats.oom_kills);
  return metrics;
}

}  // namespace

wire::Any MetricsOf(const cgroup::Stats& stats) {
  wire::Any any;
  if (stats.v2) {
    any.set_type_url("io.containerd.cgroups.v2.Metrics");
    V2(stats).SerializeToString(any.mutable_value());
  } else {
    any.set_type_url("io.containerd.cgroups.v1.Metrics");
    V1(stats).SerializeToString(any.mutable_value());
  }
  return any;
}

}  // namespace crisp::shim
