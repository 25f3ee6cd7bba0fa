#include "cri/pods/kernel_limits.h"

#include <utility>

#include "base/status_macros.h"
#include "cgroup/cgroup.h"
#include "cgroup/limits.h"

namespace crisp::cri {

using runtime::v1::LinuxContainerResources;

absl::StatusOr<KernelLimits> KernelLimits::Read(const std::string& path,
                                                const nlohmann::json& wanted) {
  KernelLimits limits;
  CRISP_ASSIGN_OR_RETURN(limits.hosts_, cgroup::Hierarchies::Probe());
  CRISP_ASSIGN_OR_RETURN(limits.wanted_, cgroup::ParseResources(wanted, "linux.resources"));
  limits.path_ = path;
  auto before = cgroup::ReadLimits(limits.hosts_, path, limits.wanted_);
  if (absl::IsNotFound(before.status())) return limits;
  CRISP_RETURN_IF_ERROR(before.status());
  limits.before_ = *std::move(before);
  limits.there_ = true;
  return limits;
}

absl::Status KernelLimits::Write() const {
  CRISP_ASSIGN_OR_RETURN(const cgroup::Cgroup group, cgroup::Cgroup::Open(hosts_, path_));
  return group.Update(wanted_);
}

absl::Status KernelLimits::PutBack() const {
  if (!there_) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const cgroup::Cgroup group, cgroup::Cgroup::Open(hosts_, path_));
  return group.Update(before_);
}

LinuxContainerResources KernelLimits::Actual(LinuxContainerResources wanted) const {
  const auto now = cgroup::ReadLimits(hosts_, path_, wanted_);
  if (!there_ || !now.ok()) return wanted;
  const auto set = [](const auto& asked, const auto& held) { return asked != 0 && held; };
  if (set(wanted.cpu_shares(), now->cpu_shares)) wanted.set_cpu_shares(*now->cpu_shares);
  if (set(wanted.cpu_quota(), now->cpu_quota)) wanted.set_cpu_quota(*now->cpu_quota);
  if (set(wanted.cpu_period(), now->cpu_period)) wanted.set_cpu_period(*now->cpu_period);
  if (set(wanted.memory_limit_in_bytes(), now->memory_limit)) {
    wanted.set_memory_limit_in_bytes(*now->memory_limit);
  }
  if (set(wanted.memory_swap_limit_in_bytes(), now->memory_swap)) {
    wanted.set_memory_swap_limit_in_bytes(*now->memory_swap);
  }
  if (!wanted.cpuset_cpus().empty()) wanted.set_cpuset_cpus(now->cpuset_cpus);
  if (!wanted.cpuset_mems().empty()) wanted.set_cpuset_mems(now->cpuset_mems);
  for (auto& limit : *wanted.mutable_hugepage_limits()) {
    const auto held = now->hugepage_limits.find(limit.page_size());
    if (held != now->hugepage_limits.end()) limit.set_limit(held->second);
  }
  return wanted;
}

}  // namespace crisp::cri
