// What a cgroup has used, in the units of cgroup v2 whatever the host has; v1 numbers
// are converted.
#ifndef CRISP_CGROUP_STATS_H_
#define CRISP_CGROUP_STATS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crisp::cgroup {

inline constexpr uint64_t kUnlimited = UINT64_MAX;

struct Pressure {
  struct Line {
    double avg10 = 0, avg60 = 0, avg300 = 0;  // Percent.
    uint64_t total_us = 0;
  };
  Line some, full;
};

struct CpuStats {
  uint64_t usage_ns = 0, user_ns = 0, system_ns = 0;
  uint64_t periods = 0, throttled_periods = 0, throttled_ns = 0;
  std::vector<uint64_t> per_cpu_ns;  // v1 only.
  std::optional<Pressure> pressure;
};

struct MemoryStats {
  uint64_t usage = 0, limit = kUnlimited, max_usage = 0, failcnt = 0;
  uint64_t swap_usage = 0, swap_limit = kUnlimited;  // Swap alone.
  uint64_t kernel_usage = 0;
  uint64_t rss = 0;  // Anonymous memory.
  uint64_t cache = 0, mapped_file = 0, dirty = 0, writeback = 0, shmem = 0;
  uint64_t inactive_anon = 0, active_anon = 0, inactive_file = 0, active_file = 0;
  uint64_t unevictable = 0;
  uint64_t page_faults = 0, major_page_faults = 0;
  std::optional<Pressure> pressure;
  // Usage less what the kernel can take back at once; never below 0.
  uint64_t working_set() const { return usage > inactive_file ? usage - inactive_file : 0; }
};

struct BlockIo {
  uint64_t major = 0, minor = 0;
  uint64_t read_bytes = 0, write_bytes = 0, reads = 0, writes = 0;
};

struct HugetlbStats {
  std::string page_size;  // "2MB"
  uint64_t usage = 0, limit = kUnlimited, max_usage = 0, failcnt = 0;
};

struct Stats {
  bool v2 = false;  // Whose numbers these are.
  CpuStats cpu;
  MemoryStats memory;
  uint64_t pids = 0, pids_limit = kUnlimited;
  std::vector<BlockIo> io;
  std::optional<Pressure> io_pressure;
  std::vector<HugetlbStats> hugetlb;
  uint64_t oom_kills = 0, oom_events = 0;
  bool under_oom = false;  // v1 only.
  // memory.events, v2 only.
  uint64_t events_low = 0, events_high = 0, events_max = 0, oom_group_kills = 0;
};

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_STATS_H_
