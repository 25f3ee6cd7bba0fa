#include "cri/pods/update_pod_resources.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cri/pods/kernel_limits.h"
#include "cri/pods/pod_cgroup.h"
#include "cri/spec/field_text.h"
#include "cri/spec/resources.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerResources;
using state::v1::PodRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(30);

absl::Status CheckNoScore(const char* field, const LinuxContainerResources& update) {
  if (update.oom_score_adj() == 0) return absl::OkStatus();
  return BadField(absl::StrCat(field, ".oom_score_adj"), "is of processes, not of a pod");
}

// What a pod needs for itself has none of the bounds that a limit has.
absl::Status CheckOverhead(const LinuxContainerResources& overhead) {
  CRISP_RETURN_IF_ERROR(CheckNoScore("overhead", overhead));
  if (overhead.cpu_shares() < 0) return BadField("overhead.cpu_shares", "is negative");
  if (overhead.cpu_quota() < 0) return BadField("overhead.cpu_quota", "is negative");
  if (overhead.cpu_period() < 0) return BadField("overhead.cpu_period", "is negative");
  if (overhead.memory_limit_in_bytes() >= 0) return absl::OkStatus();
  return BadField("overhead.memory_limit_in_bytes", "is negative");
}

// To the pod's own cgroup; `held` becomes what it is held to now.
absl::StatusOr<KernelLimits> Apply(const PodContext& context, const Pod& pod,
                                   const LinuxContainerResources& total,
                                   LinuxContainerResources* held) {
  CRISP_ASSIGN_OR_RETURN(const nlohmann::json wanted, BuildResources(total, context.host));
  const std::string path = PodCgroupParent(context, pod.config(), pod.id());
  CRISP_ASSIGN_OR_RETURN(KernelLimits limits, KernelLimits::Read(path, wanted));
  if (limits.there()) CRISP_RETURN_IF_ERROR(limits.Write());
  *held = limits.Actual(total);
  return limits;
}

}  // namespace

absl::Status UpdatePodResources(const PodContext& context, Pod& pod,
                                const runtime::v1::UpdatePodSandboxResourcesRequest& request) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, pod.claim().ClaimFor("update it", kClaimTimeout));
  if (!pod.ready()) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod sandbox ", pod.id(), " is not ready; it has no resources to update"));
  }
  const PodRecord facts = pod.facts().Get();
  CRISP_RETURN_IF_ERROR(CheckNoScore("resources", request.resources()));
  CRISP_RETURN_IF_ERROR(CheckOverhead(request.overhead()));
  CRISP_RETURN_IF_ERROR(ValidateResources("resources", request.resources(), context.host));
  CRISP_ASSIGN_OR_RETURN(const LinuxContainerResources resources,
                         MergeResources(facts.resources(), request.resources(), context.host));
  const LinuxContainerResources& overhead =
      request.has_overhead() ? request.overhead() : facts.overhead();
  LinuxContainerResources held;
  std::optional<KernelLimits> limits;
  if (pod.config().linux().cgroup_parent().empty()) {
    CRISP_ASSIGN_OR_RETURN(limits,
                           Annotate(Apply(context, pod, WithOverhead(resources, overhead), &held),
                                    "update pod sandbox ", pod.id()));
  }
  const absl::Status recorded = pod.facts().Update([&](PodRecord& record) {
    *record.mutable_resources() = resources;
    *record.mutable_overhead() = overhead;
    if (limits) *record.mutable_held() = held;
  });
  if (recorded.ok() || !limits) return recorded;
  if (const absl::Status back = limits->PutBack(); !back.ok()) {
    LogError("a pod's limits are neither the old nor the recorded ones",
             {{"sandbox", pod.id()}, {"error", back}});
  }
  return recorded;
}

}  // namespace crisp::cri
