#include <unistd.h>

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "cgroup/keyed_file.h"
#include "cgroup/stats_reader.h"

namespace crisp::cgroup {
namespace {

// The directory of one controller; its files by name.
class Files {
 public:
  Files(const Hierarchies& hosts, absl::string_view controller, const std::string& path) {
    const std::string mount_point = hosts.MountPointOf(controller);
    if (!mount_point.empty()) directory_ = JoinPath(mount_point, path);
  }

  bool exist() const { return !directory_.empty(); }
  const std::string& directory() const { return directory_; }
  std::string Path(absl::string_view name) const { return JoinPath(directory_, name); }
  std::optional<uint64_t> Count(absl::string_view name) const { return ReadCount(Path(name)); }

 private:
  std::string directory_;
};

void ReadCpu(const Hierarchies& hosts, const std::string& path, CpuStats* out) {
  if (const Files files(hosts, "cpuacct", path); files.exist()) {
    out->usage_ns = files.Count("cpuacct.usage").value_or(0);
    const auto user = files.Count("cpuacct.usage_user");
    const auto system = files.Count("cpuacct.usage_sys");
    if (user && system) {
      out->user_ns = *user;
      out->system_ns = *system;
    } else {
      const uint64_t tick_ns = 1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
      const KeyedFile ticks(files.Path("cpuacct.stat"));
      out->user_ns = ticks.Value("user") * tick_ns;
      out->system_ns = ticks.Value("system") * tick_ns;
    }
    if (const auto each = ReadFile(files.Path("cpuacct.usage_percpu")); each.ok()) {
      for (absl::string_view word :
           absl::StrSplit(*each, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
        uint64_t ns = 0;
        if (absl::SimpleAtoi(word, &ns)) out->per_cpu_ns.push_back(ns);
      }
    }
  }
  if (const Files files(hosts, "cpu", path); files.exist()) {
    const KeyedFile stat(files.Path("cpu.stat"));
    out->periods = stat.Value("nr_periods");
    out->throttled_periods = stat.Value("nr_throttled");
    out->throttled_ns = stat.Value("throttled_time");
  }
}

void ReadMemory(const Hierarchies& hosts, const std::string& path, Stats* stats) {
  const Files files(hosts, "memory", path);
  if (!files.exist()) return;
  MemoryStats* out = &stats->memory;
  out->usage = files.Count("memory.usage_in_bytes").value_or(0);
  out->limit = files.Count("memory.limit_in_bytes").value_or(kUnlimited);
  out->max_usage = files.Count("memory.max_usage_in_bytes").value_or(0);
  // With no swap beside the limit it is the second counter that is run against.
  out->failcnt =
      files.Count("memory.failcnt").value_or(0) + files.Count("memory.memsw.failcnt").value_or(0);
  out->kernel_usage = files.Count("memory.kmem.usage_in_bytes").value_or(0);
  const uint64_t both = files.Count("memory.memsw.limit_in_bytes").value_or(kUnlimited);
  if (both != kUnlimited) out->swap_limit = both > out->limit ? both - out->limit : 0;
  // "total_": with the cgroups below, as all else is counted.
  const KeyedFile stat(files.Path("memory.stat"));
  out->swap_usage = stat.Value("total_swap");
  out->rss = stat.Value("total_rss");
  out->cache = stat.Value("total_cache");
  out->mapped_file = stat.Value("total_mapped_file");
  out->dirty = stat.Value("total_dirty");
  out->writeback = stat.Value("total_writeback");
  out->shmem = stat.Value("total_shmem");
  out->inactive_anon = stat.Value("total_inactive_anon");
  out->active_anon = stat.Value("total_active_anon");
  out->inactive_file = stat.Value("total_inactive_file");
  out->active_file = stat.Value("total_active_file");
  out->unevictable = stat.Value("total_unevictable");
  out->page_faults = stat.Value("total_pgfault");
  out->major_page_faults = stat.Value("total_pgmajfault");
  const KeyedFile oom(files.Path("memory.oom_control"));
  stats->oom_kills = oom.Value("oom_kill");
  stats->under_oom = oom.Value("under_oom") != 0;
}

// "8:0 Read 4096" lines, added up by device and direction.
void ReadBlkioFile(const std::string& file, uint64_t BlockIo::*reads, uint64_t BlockIo::*writes,
                   std::map<std::pair<uint64_t, uint64_t>, BlockIo>* out) {
  const auto text = ReadFile(file);
  if (!text.ok()) return;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" :"));
    uint64_t major, minor, value;
    if (words.size() != 4 || !absl::SimpleAtoi(words[0], &major) ||
        !absl::SimpleAtoi(words[1], &minor) || !absl::SimpleAtoi(words[3], &value)) {
      continue;  // The sum over all devices.
    }
    BlockIo& device = (*out)[{major, minor}];
    device.major = major;
    device.minor = minor;
    if (words[2] == "Read") device.*reads += value;
    if (words[2] == "Write") device.*writes += value;
  }
}

void ReadBlkio(const Hierarchies& hosts, const std::string& path, std::vector<BlockIo>* out) {
  const Files files(hosts, "blkio", path);
  if (!files.exist()) return;
  std::map<std::pair<uint64_t, uint64_t>, BlockIo> devices;
  // The throttling layer sees every request, whatever the scheduler.
  ReadBlkioFile(files.Path("blkio.throttle.io_service_bytes_recursive"), &BlockIo::read_bytes,
                &BlockIo::write_bytes, &devices);
  ReadBlkioFile(files.Path("blkio.throttle.io_serviced_recursive"), &BlockIo::reads,
                &BlockIo::writes, &devices);
  for (const auto& [number, device] : devices) out->push_back(device);
}

}  // namespace

Stats ReadStatsV1(const Hierarchies& hosts, const std::string& path) {
  Stats stats;
  ReadCpu(hosts, path, &stats.cpu);
  ReadMemory(hosts, path, &stats);
  if (const Files files(hosts, "pids", path); files.exist()) {
    stats.pids = files.Count("pids.current").value_or(0);
    stats.pids_limit = files.Count("pids.max").value_or(kUnlimited);
  }
  ReadBlkio(hosts, path, &stats.io);
  if (const Files files(hosts, "hugetlb", path); files.exist()) {
    for (const std::string& size : HugepageSizes(files.directory(), ".limit_in_bytes")) {
      const auto count = [&](absl::string_view what) {
        return files.Count(absl::StrCat("hugetlb.", size, what));
      };
      stats.hugetlb.push_back({.page_size = size,
                               .usage = count(".usage_in_bytes").value_or(0),
                               .limit = count(".limit_in_bytes").value_or(kUnlimited),
                               .max_usage = count(".max_usage_in_bytes").value_or(0),
                               .failcnt = count(".failcnt").value_or(0)});
    }
  }
  if (!hosts.unified.empty()) ReadPressure(JoinPath(hosts.unified, path), &stats);
  return stats;
}

}  // namespace crisp::cgroup
