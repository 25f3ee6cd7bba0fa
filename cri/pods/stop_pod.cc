#include "cri/pods/stop_pod.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/side_by_side.h"
#include "base/status_macros.h"
#include "cri/pods/pod_files.h"
#include "cri/pods/pod_network_attachment.h"
#include "netns/net_ns.h"

namespace crisp::cri {
namespace {

using state::v1::PodRecord;

// Network plugins may take their time-out for each of several steps.
constexpr absl::Duration kClaimTimeout = absl::Minutes(3);

absl::Status EndPause(const PodContext& context, Pod& pod, const PodRecord& facts) {
  if (!facts.task_attempted()) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver, context.handlers->Find(pod.runtime_handler()));
  CRISP_RETURN_IF_ERROR(driver->Delete(pod.id()));  // Kills it.
  CRISP_FAILPOINT("stop_pod/pause ended");
  RecordPodExit(context, pod);
  return absl::OkStatus();
}

// DEL runs whenever ADD may have run, whatever else went wrong with the pod.
absl::Status ReleaseNetwork(const PodContext& context, Pod& pod, const PodRecord& facts) {
  if (facts.network_attempted() && !facts.network_released()) {
    CRISP_RETURN_IF_ERROR(context.network->Release(AttachmentOf(pod, facts.netns_path())));
    CRISP_FAILPOINT("stop_pod/network released");
    CRISP_RETURN_IF_ERROR(pod.facts().Update([](PodRecord& f) { f.set_network_released(true); }));
    CRISP_FAILPOINT("stop_pod/release recorded");
  }
  if (facts.netns_path().empty()) return absl::OkStatus();
  return netns::NetNs::Remove(facts.netns_path());
}

}  // namespace

void RecordPodExit(const PodContext& context, Pod& pod) {
  const int64_t now = context.clock->NowNs();
  bool first = false;
  const auto change = [now, &first](PodRecord& facts) {
    first = facts.exited_at() == 0;
    if (first) facts.set_exited_at(now);
  };
  if (const absl::Status written = pod.facts().Update(change); !written.ok()) {
    LogError("cannot record the end of a pod; it is kept in memory",
             {{"sandbox", pod.id()}, {"error", written}});
    pod.facts().UpdateMemoryOnly(change);
  }
  if (first && pod.listed()) context.Tell(runtime::v1::CONTAINER_STOPPED_EVENT, pod.id(), pod);
}

absl::Status StopPod(const PodContext& context, Pod& pod) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, pod.claim().ClaimFor("stop it", kClaimTimeout));
  const PodRecord facts = pod.facts().Get();
  CRISP_FAILPOINT("stop_pod/begun");
  // Each is waited for elsewhere, and neither needs the other.
  absl::Status ended, released;
  SideBySide(facts.netns_path().empty() ? 1 : 2, 2, [&](size_t i) {
    if (i == 0) {
      ended = EndPause(context, pod, facts);
    } else {
      released = ReleaseNetwork(context, pod, facts);
    }
  });
  CRISP_RETURN_IF_ERROR(Annotate(ended, "end the pause process"));
  CRISP_RETURN_IF_ERROR(Annotate(released, "release the pod's network"));
  CRISP_FAILPOINT("stop_pod/stopped");
  return Annotate(UnmountShm(pod.directory()), "unmount the pod's /dev/shm");
}

}  // namespace crisp::cri
