// Resources as writes to the files of cgroup v2 (Documentation/admin-guide/cgroup-v2).
#include <unistd.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/conversions.h"
#include "cgroup/settings.h"

namespace crisp::cgroup {
namespace {

using Undo = Setting::Undo;

std::string OrMax(int64_t value) { return value < 0 ? "max" : absl::StrCat(value); }

absl::Status HasNo(absl::string_view field) {
  return absl::FailedPreconditionError(absl::StrCat(field, ": cgroup v2 does not have it"));
}

class Plan {
 public:
  explicit Plan(const std::string& directory) : directory_(directory) {}

  Setting& Write(absl::string_view file, std::string value, std::string field) {
    settings_.push_back(
        {.file = JoinPath(directory_, file), .value = std::move(value), .field = std::move(field)});
    return settings_.back();
  }

  void WriteKey(absl::string_view file, std::string value, std::string reset, std::string field) {
    Setting& setting = Write(file, std::move(value), std::move(field));
    setting.undo = Undo::kByKey;
    setting.reset = std::move(reset);
  }

  bool Has(absl::string_view file) const {
    return ::access(JoinPath(directory_, file).c_str(), F_OK) == 0;
  }

  std::string Read(absl::string_view file) const {
    const auto text = ReadFile(JoinPath(directory_, file), 4096);
    return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : "";
  }

  std::vector<Setting> Take() { return std::move(settings_); }

 private:
  const std::string& directory_;
  std::vector<Setting> settings_;
};

absl::Status PlanMemory(const Resources& r, Plan* plan) {
  if (r.memory_swappiness) return HasNo("memory.swappiness");
  if (r.disable_oom_killer == true) return HasNo("memory.disableOOMKiller");
  CRISP_ASSIGN_OR_RETURN(const std::optional<int64_t> swap, SwapAlone(r));
  if (r.memory_limit && r.check_before_update == true) {
    // Below what is in use the kernel would kill to get there.
    uint64_t used = 0;
    if (*r.memory_limit >= 0 && absl::SimpleAtoi(plan->Read("memory.current"), &used) &&
        used > static_cast<uint64_t>(*r.memory_limit)) {
      return absl::FailedPreconditionError(
          absl::StrCat("memory.limit: ", *r.memory_limit, " is below the ", used, " in use"));
    }
  }
  if (swap) {
    // None and all are what a kernel does that does not count swap.
    plan->Write("memory.swap.max", OrMax(*swap), "memory.swap").optional = *swap <= 0;
  }
  if (r.memory_limit) plan->Write("memory.max", OrMax(*r.memory_limit), "memory.limit");
  if (r.memory_reservation) {
    plan->Write("memory.low", OrMax(*r.memory_reservation), "memory.reservation");
  }
  return absl::OkStatus();
}

absl::Status PlanCpu(const Resources& r, Plan* plan) {
  if (r.cpu_realtime_runtime) return HasNo("cpu.realtimeRuntime");
  if (r.cpu_realtime_period) return HasNo("cpu.realtimePeriod");
  if (r.cpu_idle) plan->Write("cpu.idle", absl::StrCat(*r.cpu_idle), "cpu.idle");
  // An idle group has no weight.
  if (r.cpu_shares && r.cpu_idle.value_or(0) == 0) {
    plan->Write("cpu.weight", absl::StrCat(WeightOfShares(*r.cpu_shares)), "cpu.shares");
  }
  const bool limit = r.cpu_quota || r.cpu_period;
  if (r.cpu_burst && limit && !absl::StartsWith(plan->Read("cpu.max"), "max")) {
    // A burst may not be above the quota, so both move from where there is none.
    plan->Write("cpu.max", "max", "cpu.quota");
  }
  if (r.cpu_burst) plan->Write("cpu.max.burst", absl::StrCat(*r.cpu_burst), "cpu.burst");
  if (limit) {
    // One file holds both; what is not said stays.
    const std::vector<std::string> now = absl::StrSplit(plan->Read("cpu.max"), ' ');
    std::string value = r.cpu_quota ? OrMax(*r.cpu_quota) : now.front();
    if (value.empty()) value = "max";
    if (r.cpu_period) absl::StrAppend(&value, " ", *r.cpu_period);
    plan->Write("cpu.max", value, "cpu.quota");
  }
  if (!r.cpuset_cpus.empty()) plan->Write("cpuset.cpus", r.cpuset_cpus, "cpu.cpus");
  if (!r.cpuset_mems.empty()) plan->Write("cpuset.mems", r.cpuset_mems, "cpu.mems");
  return absl::OkStatus();
}

void PlanBlockIo(const Resources& r, Plan* plan) {
  // BFQ keeps v1's scale; its file is there only with that scheduler.
  const bool bfq = plan->Has("io.bfq.weight");
  const std::string weight_file = bfq ? "io.bfq.weight" : "io.weight";
  const auto weight = [&](uint64_t value) { return bfq ? value : IoWeightOf(value); };
  if (r.blkio_weight) {
    plan->WriteKey(weight_file, absl::StrCat("default ", weight(*r.blkio_weight)), "default 100",
                   "blockIO.weight");
  }
  for (const BlockIoDevice& device : r.weight_devices) {
    const std::string key = absl::StrCat(device.major, ":", device.minor, " ");
    plan->WriteKey(weight_file, absl::StrCat(key, weight(device.rate)), key + "default",
                   "blockIO.weightDevice");
  }
  const auto rates = [&](const std::vector<BlockIoDevice>& list, const char* what,
                         const char* field) {
    for (const BlockIoDevice& device : list) {
      const std::string key = absl::StrCat(device.major, ":", device.minor, " ");
      // v1's way to take a bound off is a rate of zero.
      const std::string rate = device.rate == 0 ? "max" : absl::StrCat(device.rate);
      plan->WriteKey("io.max", absl::StrCat(key, what, "=", rate),
                     key + "rbps=max wbps=max riops=max wiops=max", field);
    }
  };
  rates(r.read_bps, "rbps", "blockIO.throttleReadBpsDevice");
  rates(r.write_bps, "wbps", "blockIO.throttleWriteBpsDevice");
  rates(r.read_iops, "riops", "blockIO.throttleReadIOPSDevice");
  rates(r.write_iops, "wiops", "blockIO.throttleWriteIOPSDevice");
}

absl::Status PlanRest(const Resources& r, Plan* plan) {
  if (r.network_class_id) return HasNo("network.classID");
  if (!r.network_priorities.empty()) return HasNo("network.priorities");
  if (r.pids_limit) plan->Write("pids.max", OrMax(*r.pids_limit), "pids.limit");
  const bool hugetlb =
      absl::StrContains(absl::StrCat(" ", plan->Read("cgroup.controllers"), " "), " hugetlb ");
  for (const auto& [size, limit] : r.hugepage_limits) {
    if (!hugetlb) break;
    const std::string prefix = absl::StrCat("hugetlb.", size);
    const std::string field = absl::StrCat("hugepageLimits ", size);
    // A limit of zero holds by itself where there are no such pages.
    plan->Write(prefix + ".max", absl::StrCat(limit), field).optional = limit == 0;
    plan->Write(prefix + ".rsvd.max", absl::StrCat(limit), field).optional = true;
  }
  for (const auto& [name, limit] : r.rdma) {
    std::string value = name;
    if (limit.handles) absl::StrAppend(&value, " hca_handle=", *limit.handles);
    if (limit.objects) absl::StrAppend(&value, " hca_object=", *limit.objects);
    plan->WriteKey("rdma.max", value, name + " hca_handle=max hca_object=max", "rdma");
  }
  return absl::OkStatus();
}

// Raw files. Those with a line a device take one line a write.
void PlanUnified(const Resources& r, Plan* plan) {
  for (const auto& [file, value] : r.unified) {
    const std::string field = absl::StrCat("unified[\"", file, "\"]");
    const bool keyed = file == "io.max" || file == "io.weight" || file == "io.bfq.weight" ||
                       file == "io.latency" || file == "rdma.max" || file == "misc.max";
    if (!keyed) {
      plan->Write(file, value, field);
      continue;
    }
    for (absl::string_view text : absl::StrSplit(value, '\n', absl::SkipEmpty())) {
      // A weight alone is short for that of all devices.
      const bool alone = absl::EndsWith(file, ".weight") && !absl::StrContains(text, ' ');
      const std::string line = absl::StrCat(alone ? "default " : "", text);
      const std::string key = line.substr(0, line.find(' '));
      std::string reset;
      if (file == "io.max") reset = key + " rbps=max wbps=max riops=max wiops=max";
      if (file == "io.latency") reset = key + " target=0";
      if (file == "rdma.max") reset = key + " hca_handle=max hca_object=max";
      if (absl::EndsWith(file, ".weight"))
        reset = key == "default" ? key + " 100" : key + " default";
      plan->WriteKey(file, line, std::move(reset), field);
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<Setting>> SettingsV2(const std::string& directory,
                                                const Resources& resources) {
  Plan plan(directory);
  CRISP_RETURN_IF_ERROR(PlanMemory(resources, &plan));
  CRISP_RETURN_IF_ERROR(PlanCpu(resources, &plan));
  PlanBlockIo(resources, &plan);
  CRISP_RETURN_IF_ERROR(PlanRest(resources, &plan));
  PlanUnified(resources, &plan);
  return plan.Take();
}

}  // namespace crisp::cgroup
