#include "cgroup/limits.h"

#include <unistd.h>

#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/cgroup.h"
#include "cgroup/conversions.h"
#include "cgroup/keyed_file.h"
#include "cgroup/stats.h"

namespace crisp::cgroup {
namespace {

constexpr uint64_t kMinShares = 2, kMaxShares = 262144;

// v1 says "no limit" with the largest number of whole pages.
constexpr uint64_t kV1Unlimited = 0x7000000000000000;

std::string Text(const std::string& directory, absl::string_view file) {
  const auto text = ReadFile(JoinPath(directory, file), 1 << 16);
  return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : "";
}

std::optional<int64_t> Limit(const std::string& directory, absl::string_view file) {
  const std::optional<uint64_t> count = ReadCount(JoinPath(directory, file));
  if (!count) return std::nullopt;
  return *count >= kV1Unlimited ? -1 : static_cast<int64_t>(*count);
}

template <typename Number>
std::optional<Number> Plain(const std::string& text) {
  Number number;
  if (absl::SimpleAtoi(text, &number)) return number;
  return std::nullopt;
}

// The fewest shares with that weight; WeightOfShares rises with its argument.
uint64_t SharesOfWeight(uint64_t weight) {
  uint64_t low = kMinShares, high = kMaxShares;
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (WeightOfShares(middle) < weight) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Resources ReadV1(const Hierarchies& hosts, const std::string& path, const Resources& wanted) {
  const auto directory = [&](const char* controller) {
    return JoinPath(hosts.MountPointOf(controller), path);
  };
  Resources now;
  const std::string memory = directory("memory"), cpu = directory("cpu"),
                    cpuset = directory("cpuset"), hugetlb = directory("hugetlb");
  now.memory_limit = Limit(memory, "memory.limit_in_bytes");
  now.memory_swap = Limit(memory, "memory.memsw.limit_in_bytes");
  now.cpu_shares = Plain<uint64_t>(Text(cpu, "cpu.shares"));
  now.cpu_quota = Plain<int64_t>(Text(cpu, "cpu.cfs_quota_us"));
  now.cpu_period = Plain<uint64_t>(Text(cpu, "cpu.cfs_period_us"));
  now.cpuset_cpus = Text(cpuset, "cpuset.cpus");
  now.cpuset_mems = Text(cpuset, "cpuset.mems");
  for (const auto& [size, limit] : wanted.hugepage_limits) {
    const auto held =
        ReadCount(JoinPath(hugetlb, absl::StrCat("hugetlb.", size, ".limit_in_bytes")));
    if (held) now.hugepage_limits[size] = *held;
  }
  return now;
}

Resources ReadV2(const std::string& directory, const Resources& wanted) {
  Resources now;
  now.memory_limit = Limit(directory, "memory.max");
  if (const auto swap = Limit(directory, "memory.swap.max"); swap && now.memory_limit) {
    const bool unlimited = *swap < 0 || *now.memory_limit < 0;
    now.memory_swap = unlimited ? -1 : *now.memory_limit + *swap;
  }
  // An idle group has no weight: zero.
  if (const auto weight = Plain<uint64_t>(Text(directory, "cpu.weight")); weight && *weight != 0) {
    const bool same = wanted.cpu_shares && (WeightOfShares(*wanted.cpu_shares) == *weight ||
                                            LinearWeightOfShares(*wanted.cpu_shares) == *weight);
    now.cpu_shares = same ? *wanted.cpu_shares : SharesOfWeight(*weight);
    // Whoever puts it back means this weight, whichever way the shares came to it.
    now.unified["cpu.weight"] = absl::StrCat(*weight);
  }
  const std::vector<std::string> max = absl::StrSplit(Text(directory, "cpu.max"), ' ');
  if (max.size() == 2) {
    now.cpu_quota = max[0] == "max" ? -1 : Plain<int64_t>(max[0]);
    now.cpu_period = Plain<uint64_t>(max[1]);
  }
  now.cpuset_cpus = Text(directory, "cpuset.cpus");
  now.cpuset_mems = Text(directory, "cpuset.mems");
  for (const auto& [size, limit] : wanted.hugepage_limits) {
    const auto held = ReadCount(JoinPath(directory, absl::StrCat("hugetlb.", size, ".max")));
    if (held) now.hugepage_limits[size] = *held;
  }
  for (const auto& [file, value] : wanted.unified) {
    if (::access(JoinPath(directory, file).c_str(), F_OK) == 0) {
      now.unified[file] = Text(directory, file);
    }
  }
  return now;
}

}  // namespace

absl::StatusOr<Resources> ReadLimits(const Hierarchies& hosts, const std::string& path,
                                     const Resources& wanted) {
  CRISP_RETURN_IF_ERROR(Cgroup::Open(hosts, path).status());
  return hosts.v2() ? ReadV2(JoinPath(hosts.unified, path), wanted) : ReadV1(hosts, path, wanted);
}

}  // namespace crisp::cgroup
