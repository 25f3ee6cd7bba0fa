#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "cgroup/keyed_file.h"
#include "cgroup/stats_reader.h"

namespace crisp::cgroup {
namespace {

void ReadMemory(const std::string& directory, Stats* stats) {
  const auto count = [&](absl::string_view name) { return ReadCount(JoinPath(directory, name)); };
  MemoryStats* out = &stats->memory;
  out->usage = count("memory.current").value_or(0);
  out->limit = count("memory.max").value_or(kUnlimited);
  out->max_usage = count("memory.peak").value_or(0);
  out->swap_usage = count("memory.swap.current").value_or(0);
  out->swap_limit = count("memory.swap.max").value_or(kUnlimited);
  const KeyedFile stat(JoinPath(directory, "memory.stat"));
  // Kernels before 5.18 name the parts only.
  const uint64_t kernel = stat.Value("kernel");
  out->kernel_usage = kernel != 0 ? kernel
                                  : stat.Value("slab") + stat.Value("kernel_stack") +
                                        stat.Value("pagetables") + stat.Value("percpu");
  out->rss = stat.Value("anon");
  out->cache = stat.Value("file");
  out->mapped_file = stat.Value("file_mapped");
  out->dirty = stat.Value("file_dirty");
  out->writeback = stat.Value("file_writeback");
  out->shmem = stat.Value("shmem");
  out->inactive_anon = stat.Value("inactive_anon");
  out->active_anon = stat.Value("active_anon");
  out->inactive_file = stat.Value("inactive_file");
  out->active_file = stat.Value("active_file");
  out->unevictable = stat.Value("unevictable");
  out->page_faults = stat.Value("pgfault");
  out->major_page_faults = stat.Value("pgmajfault");
  const KeyedFile events(JoinPath(directory, "memory.events"));
  out->failcnt = events.Value("max");  // Times the limit was run against.
  stats->events_low = events.Value("low");
  stats->events_high = events.Value("high");
  stats->events_max = events.Value("max");
  stats->oom_events = events.Value("oom");
  stats->oom_kills = events.Value("oom_kill");
  stats->oom_group_kills = events.Value("oom_group_kill");
}

// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0"
void ReadIo(const std::string& file, std::vector<BlockIo>* out) {
  const auto text = ReadFile(file);
  if (!text.ok()) return;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::pair<absl::string_view, absl::string_view> numbers = absl::StrSplit(words[0], ':');
    BlockIo device;
    if (!absl::SimpleAtoi(numbers.first, &device.major) ||
        !absl::SimpleAtoi(numbers.second, &device.minor)) {
      continue;
    }
    for (absl::string_view word : words) {
      const auto number = [&](absl::string_view key, uint64_t* to) {
        if (absl::ConsumePrefix(&word, key)) (void)absl::SimpleAtoi(word, to);
      };
      number("rbytes=", &device.read_bytes);
      number("wbytes=", &device.write_bytes);
      number("rios=", &device.reads);
      number("wios=", &device.writes);
    }
    out->push_back(device);
  }
}

}  // namespace

Stats ReadStatsV2(const std::string& directory) {
  Stats stats;
  stats.v2 = true;
  const KeyedFile cpu(JoinPath(directory, "cpu.stat"));
  stats.cpu.usage_ns = cpu.Value("usage_usec") * 1000;
  stats.cpu.user_ns = cpu.Value("user_usec") * 1000;
  stats.cpu.system_ns = cpu.Value("system_usec") * 1000;
  stats.cpu.periods = cpu.Value("nr_periods");
  stats.cpu.throttled_periods = cpu.Value("nr_throttled");
  stats.cpu.throttled_ns = cpu.Value("throttled_usec") * 1000;
  ReadMemory(directory, &stats);
  stats.pids = ReadCount(JoinPath(directory, "pids.current")).value_or(0);
  stats.pids_limit = ReadCount(JoinPath(directory, "pids.max")).value_or(kUnlimited);
  ReadIo(JoinPath(directory, "io.stat"), &stats.io);
  for (const std::string& size : HugepageSizes(directory, ".max")) {
    const std::string prefix = JoinPath(directory, absl::StrCat("hugetlb.", size));
    stats.hugetlb.push_back({.page_size = size,
                             .usage = ReadCount(prefix + ".current").value_or(0),
                             .limit = ReadCount(prefix + ".max").value_or(kUnlimited),
                             .max_usage = 0,  // Not kept by v2.
                             .failcnt = KeyedFile(prefix + ".events").Value("max")});
  }
  ReadPressure(directory, &stats);
  return stats;
}

}  // namespace crisp::cgroup
