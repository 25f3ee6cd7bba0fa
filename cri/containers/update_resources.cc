#include "cri/containers/update_resources.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cgroup/limits.h"
#include "cri/spec/resources.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerResources;
using state::v1::ContainerRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(30);

// The container's limits in the kernel before the update, put back unless kept. A
// container without a cgroup of ours (one in a virtual machine) has none.
class KernelLimits {
 public:
  static absl::StatusOr<KernelLimits> Read(const std::string& path, const nlohmann::json& wanted) {
    CRISP_ASSIGN_OR_RETURN(auto hosts, cgroup::Hierarchies::Probe());
    CRISP_ASSIGN_OR_RETURN(auto resources, cgroup::ParseResources(wanted, "linux.resources"));
    KernelLimits limits{std::move(hosts), path, std::move(resources), {}, false};
    auto before = cgroup::ReadLimits(limits.hosts, path, limits.wanted);
    if (absl::IsNotFound(before.status())) return limits;
    CRISP_RETURN_IF_ERROR(before.status());
    limits.before = *std::move(before);
    limits.there = true;
    return limits;
  }

  absl::Status PutBack() const {
    if (!there) return absl::OkStatus();
    CRISP_ASSIGN_OR_RETURN(const cgroup::Cgroup group, cgroup::Cgroup::Open(hosts, path));
    return group.Update(before);
  }

  // What CRI reports: `merged`, with the kernel's word for what it was asked.
  LinuxContainerResources Actual(LinuxContainerResources merged) const {
    const auto now = cgroup::ReadLimits(hosts, path, wanted);
    if (!there || !now.ok()) return merged;
    const auto set = [](const auto& asked, const auto& held) { return asked != 0 && held; };
    if (set(merged.cpu_shares(), now->cpu_shares)) merged.set_cpu_shares(*now->cpu_shares);
    if (set(merged.cpu_quota(), now->cpu_quota)) merged.set_cpu_quota(*now->cpu_quota);
    if (set(merged.cpu_period(), now->cpu_period)) merged.set_cpu_period(*now->cpu_period);
    if (set(merged.memory_limit_in_bytes(), now->memory_limit)) {
      merged.set_memory_limit_in_bytes(*now->memory_limit);
    }
    if (set(merged.memory_swap_limit_in_bytes(), now->memory_swap)) {
      merged.set_memory_swap_limit_in_bytes(*now->memory_swap);
    }
    if (!merged.cpuset_cpus().empty()) merged.set_cpuset_cpus(now->cpuset_cpus);
    if (!merged.cpuset_mems().empty()) merged.set_cpuset_mems(now->cpuset_mems);
    for (auto& limit : *merged.mutable_hugepage_limits()) {
      const auto held = now->hugepage_limits.find(limit.page_size());
      if (held != now->hugepage_limits.end()) limit.set_limit(held->second);
    }
    return merged;
  }

  cgroup::Hierarchies hosts;
  std::string path;
  cgroup::Resources wanted;
  cgroup::Resources before;
  bool there = false;
};

// The score of one process, if it is of this container still: its number may be another's.
absl::Status SetOomScore(const std::string& container_id, uint32_t pid, int score) {
  const auto process = OpenDir(absl::StrCat("/proc/", pid));
  if (!process.ok()) return absl::OkStatus();
  const auto groups = ReadFileAt(process->get(), "cgroup", 1 << 16);
  if (!groups.ok() || !absl::StrContains(*groups, container_id)) return absl::OkStatus();
  const absl::Status written = WriteKernelFile(
      absl::StrCat("/proc/self/fd/", process->get(), "/oom_score_adj"), absl::StrCat(score));
  // Without CAP_SYS_RESOURCE a score goes up only: clamped, as at the start.
  const int error = ErrnoOf(written);
  return error == ESRCH || error == ENOENT || error == EACCES ? absl::OkStatus() : written;
}

absl::Status SetOomScores(const ContainerContext& context, TaskDriver* driver,
                          const std::string& id, int64_t wanted) {
  const int score = ClampOomScoreAdj(static_cast<int>(wanted), context.node->host);
  CRISP_ASSIGN_OR_RETURN(const std::vector<uint32_t> pids, driver->Pids(id));
  for (const uint32_t pid : pids) CRISP_RETURN_IF_ERROR(SetOomScore(id, pid, score));
  return absl::OkStatus();
}

// In the kernel; `merged` becomes what the kernel made of it.
absl::Status Apply(const ContainerContext& context, const Container& container,
                   const ContainerRecord& facts, const nlohmann::json& resources,
                   LinuxContainerResources* merged) {
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                         context.node->handlers->Find(container.pod()->runtime_handler()));
  CRISP_ASSIGN_OR_RETURN(const KernelLimits limits,
                         KernelLimits::Read(facts.cgroup_path(), resources));
  const int64_t score_before = facts.resources().linux().oom_score_adj();
  absl::Status applied = driver->Update(container.id(), resources.dump());
  if (applied.ok() && merged->oom_score_adj() != score_before) {
    applied = SetOomScores(context, driver, container.id(), merged->oom_score_adj());
    if (!applied.ok()) (void)SetOomScores(context, driver, container.id(), score_before);
  }
  if (applied.ok()) {
    *merged = limits.Actual(*merged);
    return absl::OkStatus();
  }
  // A runtime may have written some values before the one that was refused.
  if (const absl::Status back = limits.PutBack(); !back.ok()) {
    LogError("limits of a container are neither the old nor the new ones",
             {{"container", container.id()}, {"error", back}});
    return Annotate(applied, "some limits could not be put back (", back.message(), ") after");
  }
  return applied;
}

}  // namespace

absl::Status UpdateResources(const ContainerContext& context, Container& container,
                             const LinuxContainerResources& update) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, container.claim().ClaimFor("update it", kClaimTimeout));
  const ContainerRecord facts = container.facts().Get();
  if (facts.finished_at() != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.id(), " has ended; it has no resources to update"));
  }
  const HostFacts& host = context.node->host;
  CRISP_ASSIGN_OR_RETURN(LinuxContainerResources merged,
                         MergeResources(facts.resources().linux(), update, host));
  CRISP_ASSIGN_OR_RETURN(nlohmann::json resources, BuildResources(merged, host));
  if (facts.started_at() != 0) {
    CRISP_RETURN_IF_ERROR(Annotate(Apply(context, container, facts, resources, &merged),
                                   "update container ", container.id()));
  }
  nlohmann::json spec = nlohmann::json::parse(facts.spec_json(), nullptr, false);
  if (spec.is_object()) {
    // The device rules and the bound on processes are not CRI's to update.
    for (const char* kept : {"devices", "pids"}) {
      const nlohmann::json& before = spec["linux"]["resources"];
      if (before.contains(kept)) resources[kept] = before[kept];
    }
    spec["linux"]["resources"] = std::move(resources);
    spec["process"]["oomScoreAdj"] =
        ClampOomScoreAdj(static_cast<int>(merged.oom_score_adj()), host);
  }
  return container.facts().Update([&](ContainerRecord& record) {
    *record.mutable_resources()->mutable_linux() = merged;
    if (spec.is_object()) record.set_spec_json(spec.dump());
  });
}

}  // namespace crisp::cri
