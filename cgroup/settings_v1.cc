// Resources as writes to the files of cgroup v1 (Documentation/admin-guide/cgroup-v1).
#include <unistd.h>

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/settings.h"

namespace crisp::cgroup {
namespace {

using Undo = Setting::Undo;

// A number of a kernel file; none if the file is missing or says something else.
std::optional<int64_t> ReadNumber(const std::string& file) {
  const auto text = ReadFile(file, 4096);
  int64_t number;
  if (!text.ok() || !absl::SimpleAtoi(absl::StripSuffix(*text, "\n"), &number)) return std::nullopt;
  return number;
}

class Plan {
 public:
  Plan(const Hierarchies& hosts, const std::string& path) : hosts_(hosts), path_(path) {}

  // The controller's directory; the first controller that is missing makes the plan fail.
  std::string Need(const char* controller, const std::string& field) {
    const std::string mount_point = hosts_.MountPointOf(controller);
    if (mount_point.empty() && status_.ok()) {
      status_ = absl::FailedPreconditionError(
          absl::StrCat(field, ": this host has no cgroup controller \"", controller, "\""));
    }
    return JoinPath(mount_point, path_);
  }

  template <typename Value>
  void Write(const char* controller, const std::string& file, const Value& value,
             const std::string& field) {
    settings_.push_back({.file = JoinPath(Need(controller, field), file),
                         .value = absl::StrCat(value),
                         .field = field});
  }

  template <typename Value>
  void WriteIf(const char* controller, const char* file, const std::optional<Value>& value,
               const char* field) {
    if (value) Write(controller, file, *value, field);
  }

  void Add(Setting setting) { settings_.push_back(std::move(setting)); }

  absl::StatusOr<std::vector<Setting>> Finish() {
    CRISP_RETURN_IF_ERROR(status_);
    return std::move(settings_);
  }

 private:
  const Hierarchies& hosts_;
  const std::string& path_;
  absl::Status status_;
  std::vector<Setting> settings_;
};

// The limit must never be above that of memory and swap together, at no step.
void PlanMemory(const Resources& r, Plan* plan) {
  std::optional<int64_t> both = r.memory_swap;
  const std::string field = "memory.limit";
  if (r.memory_limit == -1 && !both) both = -1;
  if (r.memory_limit && both) {
    const std::string directory = plan->Need("memory", field);
    const std::string memsw = JoinPath(directory, "memory.memsw.limit_in_bytes");
    const auto now = ReadNumber(memsw);
    Setting swap{.file = memsw, .value = absl::StrCat(*both), .field = "memory.swap"};
    // Unlimited memory does not need a kernel that counts swap.
    swap.optional = !r.memory_swap;
    const bool swap_first =
        *both == -1 || *r.memory_limit == -1 || now.value_or(0) < *r.memory_limit;
    if (swap_first) plan->Add(swap);
    plan->Write("memory", "memory.limit_in_bytes", *r.memory_limit, field);
    if (!swap_first) plan->Add(swap);
  } else {
    plan->WriteIf("memory", "memory.limit_in_bytes", r.memory_limit, "memory.limit");
    plan->WriteIf("memory", "memory.memsw.limit_in_bytes", r.memory_swap, "memory.swap");
  }
  plan->WriteIf("memory", "memory.soft_limit_in_bytes", r.memory_reservation, "memory.reservation");
  plan->WriteIf("memory", "memory.swappiness", r.memory_swappiness, "memory.swappiness");
  if (r.disable_oom_killer) {
    plan->Add(
        {.file = JoinPath(plan->Need("memory", "memory.disableOOMKiller"), "memory.oom_control"),
         .value = *r.disable_oom_killer ? "1" : "0",
         .field = "memory.disableOOMKiller",
         .undo = Undo::kOomControl});
  }
}

void PlanCpu(const Resources& r, Plan* plan) {
  plan->WriteIf("cpu", "cpu.idle", r.cpu_idle, "cpu.idle");
  // An idle group has no shares.
  if (r.cpu_idle.value_or(0) == 0) plan->WriteIf("cpu", "cpu.shares", r.cpu_shares, "cpu.shares");
  if (r.cpu_quota || r.cpu_period || r.cpu_burst) {
    // Quota and period are two files, but the kernel checks their ratio against the
    // parent's, and the burst against the quota, at each write. Without a quota every
    // period and every burst is valid, so all ways lead through there.
    const int moving = r.cpu_quota.has_value() + r.cpu_period.has_value() + r.cpu_burst.has_value();
    const auto now = ReadNumber(JoinPath(plan->Need("cpu", "cpu.quota"), "cpu.cfs_quota_us"));
    if (r.cpu_quota && moving > 1 && now.value_or(-1) != -1) {
      plan->Write("cpu", "cpu.cfs_quota_us", -1, "cpu.quota");
    }
    plan->WriteIf("cpu", "cpu.cfs_period_us", r.cpu_period, "cpu.period");
    plan->WriteIf("cpu", "cpu.cfs_burst_us", r.cpu_burst, "cpu.burst");
    plan->WriteIf("cpu", "cpu.cfs_quota_us", r.cpu_quota, "cpu.quota");
  }
  plan->WriteIf("cpu", "cpu.rt_period_us", r.cpu_realtime_period, "cpu.realtimePeriod");
  plan->WriteIf("cpu", "cpu.rt_runtime_us", r.cpu_realtime_runtime, "cpu.realtimeRuntime");
  if (!r.cpuset_cpus.empty()) plan->Write("cpuset", "cpuset.cpus", r.cpuset_cpus, "cpu.cpus");
  if (!r.cpuset_mems.empty()) plan->Write("cpuset", "cpuset.mems", r.cpuset_mems, "cpu.mems");
}

void PlanBlockIo(const Resources& r, Plan* plan) {
  const auto devices = [&](const std::vector<BlockIoDevice>& list, const std::string& file,
                           const std::string& field) {
    for (const BlockIoDevice& device : list) {
      const std::string key = absl::StrCat(device.major, ":", device.minor, " ");
      plan->Add({.file = JoinPath(plan->Need("blkio", field), file),
                 .value = absl::StrCat(key, device.rate),
                 .field = field,
                 .undo = Undo::kByKey,
                 .reset = key + "0"});
    }
  };
  if (r.blkio_weight || !r.weight_devices.empty()) {
    // Which scheduler weighs is the kernel's configuration.
    const std::string directory = plan->Need("blkio", "blockIO.weight");
    const bool bfq = ::access(JoinPath(directory, "blkio.weight").c_str(), F_OK) != 0;
    const std::string file = bfq ? "blkio.bfq.weight" : "blkio.weight";
    if (r.blkio_weight) plan->Write("blkio", file, *r.blkio_weight, "blockIO.weight");
    devices(r.weight_devices, file + "_device", "blockIO.weightDevice");
  }
  devices(r.read_bps, "blkio.throttle.read_bps_device", "blockIO.throttleReadBpsDevice");
  devices(r.write_bps, "blkio.throttle.write_bps_device", "blockIO.throttleWriteBpsDevice");
  devices(r.read_iops, "blkio.throttle.read_iops_device", "blockIO.throttleReadIOPSDevice");
  devices(r.write_iops, "blkio.throttle.write_iops_device", "blockIO.throttleWriteIOPSDevice");
}

void PlanRest(const Hierarchies& hosts, const std::string& path, const Resources& r, Plan* plan) {
  if (r.pids_limit) {
    plan->Write("pids", "pids.max", *r.pids_limit < 0 ? "max" : absl::StrCat(*r.pids_limit),
                "pids.limit");
  }
  if (const std::string mount = hosts.MountPointOf("hugetlb"); !mount.empty()) {
    for (const auto& [size, limit] : r.hugepage_limits) {
      const std::string prefix = JoinPath(JoinPath(mount, path), absl::StrCat("hugetlb.", size));
      const std::string field = absl::StrCat("hugepageLimits ", size);
      // A limit of zero holds by itself where there are no such pages.
      plan->Add({.file = prefix + ".limit_in_bytes",
                 .value = absl::StrCat(limit),
                 .field = field,
                 .optional = limit == 0});
      plan->Add({.file = prefix + ".rsvd.limit_in_bytes",
                 .value = absl::StrCat(limit),
                 .field = field,
                 .optional = true});
    }
  }
  plan->WriteIf("net_cls", "net_cls.classid", r.network_class_id, "network.classID");
  for (const auto& [name, priority] : r.network_priorities) {
    plan->Add({.file = JoinPath(plan->Need("net_prio", "network.priorities"), "net_prio.ifpriomap"),
               .value = absl::StrCat(name, " ", priority),
               .field = "network.priorities",
               .undo = Undo::kByKey,
               .reset = absl::StrCat(name, " 0")});
  }
  for (const auto& [name, limit] : r.rdma) {
    std::string value = name;
    if (limit.handles) absl::StrAppend(&value, " hca_handle=", *limit.handles);
    if (limit.objects) absl::StrAppend(&value, " hca_object=", *limit.objects);
    plan->Add({.file = JoinPath(plan->Need("rdma", "rdma"), "rdma.max"),
               .value = value,
               .field = "rdma",
               .undo = Undo::kByKey,
               .reset = absl::StrCat(name, " hca_handle=max hca_object=max")});
  }
}

}  // namespace

absl::StatusOr<std::vector<Setting>> SettingsV1(const Hierarchies& hosts, const std::string& path,
                                                const Resources& resources) {
  if (!resources.unified.empty()) {
    return absl::FailedPreconditionError("unified: this host does not use cgroup v2");
  }
  Plan plan(hosts, path);
  PlanMemory(resources, &plan);
  PlanCpu(resources, &plan);
  PlanBlockIo(resources, &plan);
  PlanRest(hosts, path, resources, &plan);
  return plan.Finish();
}

}  // namespace crisp::cgroup
