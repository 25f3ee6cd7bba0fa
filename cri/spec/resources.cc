#include "cri/spec/resources.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerResources;

// The kernel's own bounds (kernel/sched/core.c).
constexpr int64_t kMinPeriodUs = 1000;
constexpr int64_t kMaxPeriodUs = 1'000'000;
constexpr int64_t kDefaultPeriodUs = 100'000;
constexpr int64_t kMinQuotaUs = 1000;
constexpr int64_t kMinShares = 2;
constexpr int64_t kMaxShares = 262144;
constexpr int kMaxCpu = 8192;  // NR_CPUS at its largest.
constexpr size_t kMaxUnified = 64;
constexpr size_t kMaxUnifiedValue = 4096;

absl::StatusOr<int> CpuNumber(absl::string_view text) {
  int number = 0;
  const bool digits = !text.empty() && text.size() <= 5 &&
                      std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(text, &number) || number >= kMaxCpu) {
    return absl::InvalidArgumentError("");
  }
  return number;
}

// "0-3,7": the kernel's list format without strides.
absl::Status CheckCpuset(absl::string_view field, const std::string& list) {
  if (list.empty()) return absl::OkStatus();
  for (absl::string_view part : absl::StrSplit(list, ',')) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, '-');
    const auto first = CpuNumber(ends.front());
    const auto last = CpuNumber(ends.back());
    if (ends.size() > 2 || !first.ok() || !last.ok() || *first > *last) {
      return BadField(field, absl::StrCat(Quoted(list), " is not a list like \"0-3,7\""));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCpu(const std::string& prefix, const LinuxContainerResources& r) {
  if (r.cpu_shares() < 0) return BadField(prefix + "cpu_shares", "is negative");
  if (r.cpu_period() != 0 && (r.cpu_period() < kMinPeriodUs || r.cpu_period() > kMaxPeriodUs)) {
    return BadField(prefix + "cpu_period",
                    absl::StrCat(r.cpu_period(), " is not between 1000 and 1000000 microseconds"));
  }
  if (r.cpu_quota() < -1 || (r.cpu_quota() > 0 && r.cpu_quota() < kMinQuotaUs)) {
    return BadField(prefix + "cpu_quota",
                    absl::StrCat(r.cpu_quota(), " is neither -1 nor at least 1000 microseconds"));
  }
  CRISP_RETURN_IF_ERROR(CheckCpuset(prefix + "cpuset_cpus", r.cpuset_cpus()));
  return CheckCpuset(prefix + "cpuset_mems", r.cpuset_mems());
}

absl::Status CheckMemory(const std::string& prefix, const LinuxContainerResources& r) {
  const int64_t limit = r.memory_limit_in_bytes();
  const int64_t swap = r.memory_swap_limit_in_bytes();
  if (limit < -1 || (limit > 0 && limit < kMinMemoryBytes)) {
    return BadField(prefix + "memory_limit_in_bytes",
                    absl::StrCat(limit, " is below the minimum of 6 MiB"));
  }
  if (swap < -1) return BadField(prefix + "memory_swap_limit_in_bytes", "is negative");
  if (swap > 0 && limit <= 0) {
    return BadField(prefix + "memory_swap_limit_in_bytes", "is set without memory_limit_in_bytes");
  }
  if (swap > 0 && swap < limit) {
    return BadField(
        prefix + "memory_swap_limit_in_bytes",
        absl::StrCat(swap, " is below the memory limit of ", limit, ", which it includes"));
  }
  return absl::OkStatus();
}

bool IsPageSize(const std::string& text) {
  if (text.size() < 3 || text.size() > 8 || text.back() != 'B') return false;
  const char unit = text[text.size() - 2];
  return (unit == 'K' || unit == 'M' || unit == 'G') && text[0] != '0' &&
         std::all_of(text.begin(), text.end() - 2, absl::ascii_isdigit);
}

absl::Status CheckHugepages(const std::string& prefix, const LinuxContainerResources& r,
                            const HostFacts& host) {
  for (int i = 0; i < r.hugepage_limits_size(); ++i) {
    const auto& limit = r.hugepage_limits(i);
    const std::string field = absl::StrCat(prefix, "hugepage_limits[", i, "].page_size");
    if (!IsPageSize(limit.page_size())) {
      return BadField(field, absl::StrCat(Quoted(limit.page_size()), " is not like \"2MB\""));
    }
    // Kubelet names every size that it knows, with zero; only a limit above zero
    // is a wish that a missing size would break.
    if (limit.limit() > 0 && host.has_controller("hugetlb") &&
        host.hugepage_sizes.count(limit.page_size()) == 0) {
      return BadField(field, absl::StrCat("this host has no pages of ", limit.page_size()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUnified(const std::string& prefix, const LinuxContainerResources& r,
                          const HostFacts& host) {
  if (r.unified().empty()) return absl::OkStatus();
  if (!host.cgroup_v2()) return BadField(prefix + "unified", "this host does not use cgroup v2");
  if (r.unified().size() > kMaxUnified) return BadField(prefix + "unified", "more than 64 entries");
  for (const auto& [name, value] : r.unified()) {
    const std::string field = absl::StrCat(prefix, "unified[", Quoted(name), "]");
    const size_t dot = name.find('.');
    const bool file = dot != name.npos && dot > 0 && dot + 1 < name.size() &&
                      std::all_of(name.begin(), name.end(), [](char c) {
                        return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                      });
    if (!file) return BadField(field, "is not the name of a cgroup file");
    // cgroup.procs and its kind move processes; they are no limits.
    if (name.compare(0, dot, "cgroup") == 0) return BadField(field, "is not a resource");
    if (!host.has_controller(name.substr(0, dot))) {
      return BadField(field, "this host does not have that controller");
    }
    if (value.size() > kMaxUnifiedValue || value.find('\0') != value.npos) {
      return BadField(field, "has a value that a cgroup file cannot take");
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(const std::string& prefix, const LinuxContainerResources& r,
                      const HostFacts& host) {
  CRISP_RETURN_IF_ERROR(CheckCpu(prefix, r));
  CRISP_RETURN_IF_ERROR(CheckMemory(prefix, r));
  CRISP_RETURN_IF_ERROR(CheckHugepages(prefix, r, host));
  CRISP_RETURN_IF_ERROR(CheckUnified(prefix, r, host));
  if (r.oom_score_adj() < -1000 || r.oom_score_adj() > 1000) {
    return BadField(prefix + "oom_score_adj",
                    absl::StrCat(r.oom_score_adj(), " is not between -1000 and 1000"));
  }
  return absl::OkStatus();
}

nlohmann::json CpuToOci(const LinuxContainerResources& r) {
  nlohmann::json cpu = nlohmann::json::object();
  // The kernel raises and lowers shares to its bounds; done here the number that
  // is reported is the one that counts, and the conversion to a v2 weight is safe.
  if (r.cpu_shares() != 0) cpu["shares"] = std::clamp(r.cpu_shares(), kMinShares, kMaxShares);
  if (r.cpu_quota() != 0) cpu["quota"] = r.cpu_quota();
  if (r.cpu_period() != 0) cpu["period"] = r.cpu_period();
  if (!r.cpuset_cpus().empty()) cpu["cpus"] = r.cpuset_cpus();
  if (!r.cpuset_mems().empty()) cpu["mems"] = r.cpuset_mems();
  return cpu;
}

nlohmann::json MemoryToOci(const LinuxContainerResources& r, const HostFacts& host) {
  nlohmann::json memory = nlohmann::json::object();
  const int64_t limit = r.memory_limit_in_bytes();
  if (limit != 0) memory["limit"] = limit;
  if (!host.swap_accounting) return memory;
  // "Swap" counts memory and swap together; not said means no swap at all.
  const int64_t swap = r.memory_swap_limit_in_bytes();
  if (swap != 0) {
    memory["swap"] = swap;
  } else if (limit != 0) {
    memory["swap"] = limit;
  }
  return memory;
}

int64_t Number(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

std::string Text(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

absl::Status ValidateResources(absl::string_view field, const LinuxContainerResources& resources,
                               const HostFacts& host) {
  return Validate(absl::StrCat(field, "."), resources, host);
}

absl::StatusOr<nlohmann::json> BuildResources(const LinuxContainerResources& resources,
                                              const HostFacts& host) {
  CRISP_RETURN_IF_ERROR(ValidateResources("config.linux.resources", resources, host));
  nlohmann::json out = nlohmann::json::object();
  if (nlohmann::json cpu = CpuToOci(resources); !cpu.empty()) out["cpu"] = std::move(cpu);
  if (nlohmann::json memory = MemoryToOci(resources, host); !memory.empty()) {
    out["memory"] = std::move(memory);
  }
  if (host.has_controller("hugetlb")) {
    nlohmann::json limits = nlohmann::json::array();
    for (const auto& limit : resources.hugepage_limits()) {
      if (host.hugepage_sizes.count(limit.page_size()) == 0) continue;
      limits.push_back({{"pageSize", limit.page_size()}, {"limit", limit.limit()}});
    }
    if (!limits.empty()) out["hugepageLimits"] = std::move(limits);
  }
  for (const auto& [name, value] : resources.unified()) out["unified"][name] = value;
  return out;
}

absl::StatusOr<LinuxContainerResources> MergeResources(const LinuxContainerResources& current,
                                                       const LinuxContainerResources& update,
                                                       const HostFacts& host) {
  LinuxContainerResources merged = current;
  if (update.cpu_period() != 0) merged.set_cpu_period(update.cpu_period());
  if (update.cpu_quota() != 0) merged.set_cpu_quota(update.cpu_quota());
  if (update.cpu_shares() != 0) merged.set_cpu_shares(update.cpu_shares());
  if (!update.cpuset_cpus().empty()) merged.set_cpuset_cpus(update.cpuset_cpus());
  if (!update.cpuset_mems().empty()) merged.set_cpuset_mems(update.cpuset_mems());
  if (update.memory_limit_in_bytes() != 0) {
    // A container that may not swap stays one when only its memory limit moves.
    const bool no_swap = current.memory_swap_limit_in_bytes() == current.memory_limit_in_bytes();
    merged.set_memory_limit_in_bytes(update.memory_limit_in_bytes());
    if (no_swap) merged.set_memory_swap_limit_in_bytes(0);
  }
  if (update.memory_swap_limit_in_bytes() != 0) {
    merged.set_memory_swap_limit_in_bytes(update.memory_swap_limit_in_bytes());
  }
  if (update.oom_score_adj() != 0) merged.set_oom_score_adj(update.oom_score_adj());
  for (const auto& limit : update.hugepage_limits()) {
    auto* limits = merged.mutable_hugepage_limits();
    const auto same = std::find_if(limits->begin(), limits->end(), [&](const auto& have) {
      return have.page_size() == limit.page_size();
    });
    *(same != limits->end() ? &*same : limits->Add()) = limit;
  }
  for (const auto& [name, value] : update.unified()) (*merged.mutable_unified())[name] = value;
  CRISP_RETURN_IF_ERROR(ValidateResources("linux", merged, host));
  return merged;
}

LinuxContainerResources WithOverhead(const LinuxContainerResources& resources,
                                     const LinuxContainerResources& overhead) {
  LinuxContainerResources total = resources;
  const auto both = [](int64_t a, int64_t b) { return a > 0 && b > 0; };
  if (both(resources.cpu_shares(), overhead.cpu_shares())) {
    total.set_cpu_shares(resources.cpu_shares() + overhead.cpu_shares());
  }
  if (both(resources.cpu_quota(), overhead.cpu_quota())) {
    const auto period = [](const LinuxContainerResources& r) {
      return r.cpu_period() > 0 ? r.cpu_period() : kDefaultPeriodUs;
    };
    total.set_cpu_quota(resources.cpu_quota() +
                        overhead.cpu_quota() * period(resources) / period(overhead));
  }
  const int64_t memory = overhead.memory_limit_in_bytes();
  if (both(resources.memory_limit_in_bytes(), memory)) {
    total.set_memory_limit_in_bytes(resources.memory_limit_in_bytes() + memory);
    if (resources.memory_swap_limit_in_bytes() > 0) {
      total.set_memory_swap_limit_in_bytes(resources.memory_swap_limit_in_bytes() + memory);
    }
  }
  return total;
}

LinuxContainerResources HeldResources(const LinuxContainerResources& resources) {
  LinuxContainerResources held = resources;
  if (held.cpu_shares() != 0) {
    held.set_cpu_shares(std::clamp(held.cpu_shares(), kMinShares, kMaxShares));
  }
  const auto pages = [page = ::sysconf(_SC_PAGESIZE)](int64_t bytes) {
    return bytes > 0 ? bytes / page * page : bytes;
  };
  held.set_memory_limit_in_bytes(pages(held.memory_limit_in_bytes()));
  held.set_memory_swap_limit_in_bytes(pages(held.memory_swap_limit_in_bytes()));
  return held;
}

LinuxContainerResources ResourcesFromOci(const nlohmann::json& resources) {
  LinuxContainerResources out;
  const nlohmann::json none = nlohmann::json::object();
  const auto part = [&](const char* key) -> const nlohmann::json& {
    const auto it = resources.find(key);
    return it != resources.end() && it->is_object() ? *it : none;
  };
  const nlohmann::json& cpu = part("cpu");
  out.set_cpu_shares(Number(cpu, "shares"));
  out.set_cpu_quota(Number(cpu, "quota"));
  out.set_cpu_period(Number(cpu, "period"));
  out.set_cpuset_cpus(Text(cpu, "cpus"));
  out.set_cpuset_mems(Text(cpu, "mems"));
  const nlohmann::json& memory = part("memory");
  out.set_memory_limit_in_bytes(Number(memory, "limit"));
  out.set_memory_swap_limit_in_bytes(Number(memory, "swap"));
  if (const auto it = resources.find("hugepageLimits"); it != resources.end() && it->is_array()) {
    for (const nlohmann::json& limit : *it) {
      auto* added = out.add_hugepage_limits();
      added->set_page_size(Text(limit, "pageSize"));
      added->set_limit(static_cast<uint64_t>(Number(limit, "limit")));
    }
  }
  for (const auto& [name, value] : part("unified").items()) {
    if (value.is_string()) (*out.mutable_unified())[name] = value.get<std::string>();
  }
  return out;
}

}  // namespace crisp::cri
