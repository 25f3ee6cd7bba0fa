#include "cri/recovery/recover.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/side_by_side.h"
#include "base/status_macros.h"
#include "cri/containers/container_rootfs.h"
#include "cri/containers/image_volumes.h"
#include "cri/containers/remove_container.h"
#include "cri/images/image_store.h"
#include "cri/pods/pod_cgroup.h"
#include "cri/pods/pod_files.h"
#include "cri/pods/remove_pod.h"
#include "cri/pods/stop_pod.h"
#include "cri/recovery/load_records.h"
#include "cri/recovery/reconcile.h"
#include "netns/net_ns.h"

namespace crisp::cri {
namespace {

using state::v1::PodRecord;

constexpr size_t kSideBySide = 8;

void LogIfError(const absl::Status& status, absl::string_view what, const std::string& id) {
  if (!status.ok()) LogError(what, {{"id", id}, {"error", status}});
}

void ReconcileAll(const ContainerContext& context, const LoadedRecords& loaded) {
  const std::set<std::string> earlier(loaded.from_earlier_boot.begin(),
                                      loaded.from_earlier_boot.end());
  const std::vector<std::shared_ptr<Pod>> pods = context.node->pods->All();
  SideBySide(pods.size(), kSideBySide, [&](size_t i) {
    const bool earlier_boot = earlier.count(pods[i]->id()) != 0;
    for (const auto& container : context.containers->OfPod(pods[i]->id())) {
      ReconcileContainer(context, *container, earlier_boot);
    }
    ReconcilePod(context, *pods[i], earlier_boot);
    const bool stopping =
        pods[i]->facts().Read([](const PodRecord& facts) { return facts.stop_requested(); });
    if (stopping) context.containers->Close(pods[i]->id());
  });
}

void UndoHalfMade(const ContainerContext& context) {
  for (const auto& container : context.containers->All()) {
    if (container->listed()) continue;
    LogIfError(RemoveContainer(context, *container), "cannot undo a half-made container",
               container->id());
  }
  const std::vector<std::shared_ptr<Pod>> pods = context.node->pods->All();
  SideBySide(pods.size(), kSideBySide, [&](size_t i) {
    if (pods[i]->listed()) return;
    absl::Status undone = StopPod(*context.node, *pods[i]);
    if (undone.ok()) undone = RemovePod(*context.node, *pods[i]);
    if (undone.ok()) return;
    LogError("cannot undo a half-made pod; it stays, not ready",
             {{"sandbox", pods[i]->id()}, {"error", undone}});
    RecordPodExit(*context.node, *pods[i]);
    pods[i]->facts().UpdateMemoryOnly([](PodRecord& facts) { facts.set_started(true); });
  });
}

// Tasks of ours that no record tells of.
void SweepTasks(const ContainerContext& context) {
  for (TaskDriver* driver : context.node->handlers->Drivers()) {
    const auto ids = driver->List();
    if (!ids.ok()) {
      LogError("cannot list tasks", {{"error", ids.status()}});
      continue;
    }
    for (const std::string& id : *ids) {
      if (context.containers->Find(id).ok() || context.node->pods->Find(id).ok()) continue;
      LogWarn("deleting a task that no record tells of", {{"id", id}});
      LogIfError(driver->Delete(id), "cannot delete a task that no record tells of", id);
      LogIfError(context.images->RemoveSnapshot(id), "cannot remove a snapshot", id);
    }
  }
}

void SweepDamaged(const ContainerContext& context, const LoadedRecords& loaded) {
  for (const std::string& id : loaded.damaged_containers) {
    LogIfError(context.images->RemoveSnapshot(id), "cannot remove a snapshot", id);
    for (const auto& pod : context.node->pods->All()) {
      LogIfError(context.node->volumes->ReleaseContainer(pod->id(), id),
                 "cannot release a container's volumes", id);
      LogIfError(ReleaseImageVolumes(context, pod->directory(), id),
                 "cannot release a container's image volumes", id);
      LogIfError(RemoveTree(JoinPath(pod->ContainersDirectory(), id)),
                 "cannot remove a damaged record", id);
    }
  }
  for (const std::string& id : loaded.damaged_pods) {
    const std::string directory = JoinPath(context.node->pods_dir, id);
    const auto containers = ListDirectory(JoinPath(directory, "containers"));
    for (const std::string& name : containers.ok() ? *containers : std::vector<std::string>()) {
      LogIfError(context.images->RemoveSnapshot(name), "cannot remove a snapshot", name);
      LogIfError(ReleaseImageVolumes(context, directory, name),
                 "cannot release a container's image volumes", name);
    }
    LogIfError(UnmountShm(directory), "cannot unmount /dev/shm of a pod", id);
    LogIfError(context.node->volumes->Release(id), "cannot release the volumes of a pod", id);
    LogIfError(RemoveTree(directory), "cannot remove the directory of a pod", id);
  }
}

// The network forgets pods that are gone, and namespaces that no pod has are
// unpinned.
void SweepNetwork(const ContainerContext& context) {
  std::vector<std::string> attached;
  std::set<std::string> pinned;
  for (const auto& pod : context.node->pods->All()) {
    pod->facts().Read([&](const PodRecord& facts) {
      if (!facts.network_released()) attached.push_back(pod->id());
      if (!facts.netns_path().empty()) pinned.insert(facts.netns_path());
      return 0;
    });
  }
  LogIfError(context.node->network->CollectGarbage(attached),
             "cannot release the network of pods that are gone", "");
  const auto names = ListDirectory(context.node->netns_dir);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const std::string path = JoinPath(context.node->netns_dir, name);
    if (pinned.count(path) == 0) {
      LogIfError(netns::NetNs::Remove(path), "cannot unpin a network namespace", path);
    }
  }
}

// A call to the runtime that an earlier crispd did not live to see the end of goes
// on for a moment, and makes cgroups that no pod will remove.
void SweepCgroupsForAWhile(const ContainerContext& context) {
  SweepCgroups(*context.node);
  context.tidy->Post([node = context.node] {
    for (int i = 0; i < 6; ++i) {
      absl::SleepFor(absl::Milliseconds(500));
      SweepCgroups(*node);
    }
  });
}

std::vector<std::string> LivePods(const ContainerContext& context) {
  std::vector<std::string> ids;
  for (const auto& pod : context.node->pods->All()) ids.push_back(pod->id());
  return ids;
}

}  // namespace

absl::Status Recover(const ContainerContext& context) {
  const absl::Duration start = context.node->clock->Steady();
  CRISP_ASSIGN_OR_RETURN(const LoadedRecords loaded, LoadRecords(context));
  LogIfError(RecoverRootfs(context), "cannot take over all root filesystems", "");
  ReconcileAll(context, loaded);
  // Now that it is known which pods still have mounts of their own.
  LogIfError(context.node->volumes->Recover(LivePods(context)), "cannot take over all volumes", "");
  UndoHalfMade(context);
  SweepTasks(context);
  SweepDamaged(context, loaded);
  SweepRootfs(context);
  SweepNetwork(context);
  SweepCgroupsForAWhile(context);
  LogInfo("recovered", {{"pods", loaded.pods},
                        {"containers", loaded.containers},
                        {"damaged", loaded.damaged_pods.size() + loaded.damaged_containers.size()},
                        {"took", context.node->clock->Steady() - start}});
  return absl::OkStatus();
}

}  // namespace crisp::cri
