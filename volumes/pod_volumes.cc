#include "volumes/pod_volumes.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/dir_entries.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "volumes/atomic_writer.h"
#include "volumes/host_path.h"
#include "volumes/payload.h"
#include "volumes/pod_record.h"
#include "volumes/projection.h"
#include "volumes/sub_path.h"
#include "volumes/volume_source.h"

namespace crisp::volumes {
namespace {

absl::Status CheckIds(const std::string& sandbox_id) {
  return ValidateIdentifier("sandbox id", sandbox_id);
}

std::string OrDefault(const std::string& ns) { return ns.empty() ? "default" : ns; }

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  auto dir = OpenDir(path);
  if (!dir.ok()) {
    if (ErrnoOf(dir.status()) == ENOENT) return std::vector<std::string>();
    return dir.status();
  }
  return DirEntries(dir->get());
}

}  // namespace

PodVolumes::PodVolumes(Options options)
    : options_([&options] {
        if (options.disk_dir.empty()) options.disk_dir = options.pods_dir;
        if (options.clock == nullptr) options.clock = Clock::Real();
        return std::move(options);
      }()) {}

std::shared_ptr<PodVolumes::Pod> PodVolumes::FindOrMake(const std::string& sandbox_id) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Pod>& pod = pods_[sandbox_id];
  if (pod == nullptr) pod = std::make_shared<Pod>();
  return pod;
}

std::shared_ptr<PodVolumes::Pod> PodVolumes::Find(const std::string& sandbox_id) const {
  absl::MutexLock lock(&mu_);
  const auto found = pods_.find(sandbox_id);
  return found == pods_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<PodVolumes::Pod>> PodVolumes::All() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Pod>> pods;
  for (const auto& [id, pod] : pods_) pods.push_back(pod);
  return pods;
}

void PodVolumes::Forget(const std::string& sandbox_id, Pod& pod) {
  pod.gone = true;
  pod.prepared = false;
  absl::MutexLock lock(&mu_);
  pods_.erase(sandbox_id);
}

absl::StatusOr<PodDir> PodVolumes::DirOf(const Pod& pod) const {
  const std::string& id = pod.identity.sandbox_id;
  CRISP_ASSIGN_OR_RETURN(PodDir dir, PodDir::Open(options_.pods_dir, options_.disk_dir, id));
  if (pod.place == VolumePlace::kPod) {
    // Opened for each use: kept, it would keep the mounts of a pod that has ended.
    CRISP_ASSIGN_OR_RETURN(UniqueFd root, options_.open_root(id));
    dir.UseMountsOf(std::move(root));
  }
  return dir;
}

absl::StatusOr<PodMounts> PodVolumes::Plan(const std::string& volumes_json) const {
  CRISP_ASSIGN_OR_RETURN(const std::vector<VolumeSource> volumes, ParseVolumes(volumes_json));
  PodMounts mounts;
  for (const VolumeSource& volume : volumes) {
    const EmptyDirSource* empty = volume.empty_dir();
    if (empty != nullptr && empty->memory) {
      mounts.memory.push_back({volume.name, empty->size_limit});
    } else if (volume.projected() == nullptr) {
      continue;
    }
    mounts.tmpfs_bytes = options_.tmpfs_bytes;
  }
  return mounts;
}

absl::Status PodVolumes::Prepare(const PodIdentity& identity, const std::string& volumes_json,
                                 VolumePlace place) {
  CRISP_RETURN_IF_ERROR(CheckIds(identity.sandbox_id));
  CRISP_ASSIGN_OR_RETURN(std::vector<VolumeSource> volumes, ParseVolumes(volumes_json));
  if (volumes.empty() && Find(identity.sandbox_id) == nullptr) return absl::OkStatus();
  while (true) {
    // In the map before the objects are read: a change from here on either is read
    // below or waits for this lock and rewrites the pod.
    const std::shared_ptr<Pod> ref = FindOrMake(identity.sandbox_id);
    Pod& pod = *ref;
    absl::MutexLock lock(&pod.mu);
    if (pod.gone) continue;
    if (pod.prepared) {
      if (pod.volumes_json == volumes_json) return absl::OkStatus();
      return absl::AlreadyExistsError(
          absl::StrCat("pod sandbox ", identity.sandbox_id, " has other volumes already"));
    }
    pod.identity = identity;
    pod.volumes_json = volumes_json;
    pod.volumes = std::move(volumes);
    pod.place = place;
    const absl::Status status = Materialise(pod);
    if (!status.ok()) {
      Forget(identity.sandbox_id, pod);
      return status;
    }
    pod.prepared = true;
    return absl::OkStatus();
  }
}

absl::Status PodVolumes::Materialise(const Pod& pod) {
  const std::string& id = pod.identity.sandbox_id;
  // All that can be wrong with the request is found before anything is made.
  std::vector<std::pair<std::string, Payload>> payloads;
  bool needs_tmpfs = false;
  for (const VolumeSource& volume : pod.volumes) {
    if (const ProjectedSource* source = volume.projected(); source != nullptr) {
      auto payload = BuildPayload(*source, *options_.objects, pod.identity, pod.resources);
      if (!payload.ok()) return Annotate(payload.status(), "volume '", volume.name, "'");
      payloads.emplace_back(volume.name, *std::move(payload));
      needs_tmpfs = true;
    } else if (const HostPathSource* host = volume.host_path(); host != nullptr) {
      CRISP_RETURN_IF_ERROR(Annotate(CheckHostPath(*host), "volume '", volume.name, "'"));
    }
  }
  // A crashed attempt with this id may have left mounts; stacking would hide them.
  CRISP_RETURN_IF_ERROR(Teardown(id));
  const auto make = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    CRISP_RETURN_IF_ERROR(PodDir::Make(options_.pods_dir, options_.disk_dir, id).status());
    CRISP_ASSIGN_OR_RETURN(PodDir dir, DirOf(pod));
    CRISP_RETURN_IF_ERROR(SaveRecord(dir, pod));
    if (needs_tmpfs) CRISP_RETURN_IF_ERROR(dir.MountTmpfs(options_.tmpfs_bytes));
    const WriteOptions write = {.group = pod.identity.fs_group, .clock = options_.clock};
    for (const auto& [name, payload] : payloads) {
      CRISP_RETURN_IF_ERROR(Annotate(dir.MakeFiles(name, write.group), "volume '", name, "'"));
      CRISP_ASSIGN_OR_RETURN(UniqueFd files, dir.OpenFiles(name));
      CRISP_RETURN_IF_ERROR(
          Annotate(WriteVolume(files.get(), payload, write).status(), "volume '", name, "'"));
    }
    for (const VolumeSource& volume : pod.volumes) {
      absl::Status status;
      if (const EmptyDirSource* empty = volume.empty_dir(); empty != nullptr) {
        status = empty->memory ? dir.MakeMemory(volume.name, empty->size_limit, write.group)
                               : dir.MakeDisk(volume.name, write.group);
      } else if (const HostPathSource* host = volume.host_path(); host != nullptr) {
        status = EnsureHostPath(*host);
      }
      CRISP_RETURN_IF_ERROR(Annotate(status, "volume '", volume.name, "'"));
    }
    return absl::OkStatus();
  };
  const absl::Status status = make();
  // If the teardown fails too, the record stays, and with it the next Release's work.
  if (!status.ok()) (void)Teardown(id);
  return status;
}

absl::Status PodVolumes::SaveRecord(const PodDir& dir, const Pod& pod) {
  return WriteRecord(
      dir.fd(), {pod.identity, pod.volumes_json, pod.place == VolumePlace::kPod, pod.resources});
}

PodVolumes::Rewritten PodVolumes::Rewrite(Pod& pod,
                                          const std::function<bool(const VolumeSource&)>& wanted) {
  Rewritten out;
  const auto write = [&](const VolumeSource& volume)
                         ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<bool> {
    CRISP_ASSIGN_OR_RETURN(
        const Payload payload,
        BuildPayload(*volume.projected(), *options_.objects, pod.identity, pod.resources));
    const absl::StatusOr<PodDir> opened = DirOf(pod);
    // With the pod its mounts have ended: nobody can read them any more.
    if (pod.place == VolumePlace::kPod && absl::IsNotFound(opened.status())) return false;
    CRISP_RETURN_IF_ERROR(opened.status());
    const PodDir& dir = *opened;
    CRISP_ASSIGN_OR_RETURN(UniqueFd files, dir.OpenFiles(volume.name));
    WriteOptions options = {.group = pod.identity.fs_group, .clock = options_.clock};
    CRISP_ASSIGN_OR_RETURN(options.keep, dir.PinnedVersions(volume.name));
    return WriteVolume(files.get(), payload, options);
  };
  for (const VolumeSource& volume : pod.volumes) {
    if (volume.projected() == nullptr) continue;
    const bool asked = wanted(volume);
    if (!asked && pod.stale.count(volume.name) == 0) continue;
    const absl::StatusOr<bool> changed = write(volume);
    if (changed.ok()) {
      pod.stale.erase(volume.name);
      out.changed = out.changed || *changed;
    } else {
      pod.stale.insert(volume.name);
      if (asked) out.failure.Update(Annotate(changed.status(), "volume '", volume.name, "'"));
    }
  }
  return out;
}

absl::StatusOr<std::vector<VolumeMount>> PodVolumes::Resolve(
    const std::string& sandbox_id, const std::string& container_id,
    const std::string& container_name, const std::string& volume_mounts_json,
    const std::map<std::string, std::string>& env, const ContainerResourceValues& resources) {
  CRISP_RETURN_IF_ERROR(CheckIds(sandbox_id));
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("container id", container_id));
  CRISP_ASSIGN_OR_RETURN(const std::vector<MountRequest> requests,
                         ParseVolumeMounts(volume_mounts_json));
  const std::shared_ptr<Pod> ref = Find(sandbox_id);
  if (ref == nullptr) {
    if (requests.empty()) return std::vector<VolumeMount>();
    return absl::InvalidArgumentError(absl::StrCat(
        requests.front().field, ".name: the pod has no volume '", requests.front().name, "'"));
  }
  Pod& pod = *ref;
  absl::MutexLock lock(&pod.mu);
  if (!pod.prepared) {
    return absl::FailedPreconditionError(
        absl::StrCat("the volumes of pod sandbox ", sandbox_id, " are not prepared"));
  }
  CRISP_ASSIGN_OR_RETURN(const PodDir dir, DirOf(pod));
  CRISP_RETURN_IF_ERROR(Refresh(dir, pod, container_name, resources));
  auto mounts = PlanMounts(dir, pod.volumes, container_id, requests, env);
  if (!mounts.ok()) (void)RemoveSubPaths(dir.fd(), container_id);
  return mounts;
}

absl::Status PodVolumes::Refresh(const PodDir& dir, Pod& pod, const std::string& container_name,
                                 const ContainerResourceValues& resources) {
  const bool used = std::any_of(
      pod.volumes.begin(), pod.volumes.end(),
      [&](const VolumeSource& volume) { return UsesResourcesOf(volume, container_name); });
  const auto known = pod.resources.find(container_name);
  const bool news = used && (known == pod.resources.end() || !(known->second == resources));
  if (news) {
    pod.resources[container_name] = resources;
    CRISP_RETURN_IF_ERROR(SaveRecord(dir, pod));
  }
  if (news || !pod.stale.empty()) {
    // A volume that cannot be rewritten keeps what it has, and stays stale.
    (void)Rewrite(pod, [&](const VolumeSource& volume) {
      return news && UsesResourcesOf(volume, container_name);
    });
  }
  return absl::OkStatus();
}

absl::Status PodVolumes::ReleaseContainer(const std::string& sandbox_id,
                                          const std::string& container_id) {
  CRISP_RETURN_IF_ERROR(CheckIds(sandbox_id));
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("container id", container_id));
  const std::shared_ptr<Pod> ref = Find(sandbox_id);
  if (ref == nullptr) return absl::OkStatus();
  Pod& pod = *ref;
  absl::MutexLock lock(&pod.mu);
  auto dir = PodDir::Open(options_.pods_dir, options_.disk_dir, sandbox_id);
  if (!dir.ok()) return ErrnoOf(dir.status()) == ENOENT ? absl::OkStatus() : dir.status();
  return RemoveSubPaths(dir->fd(), container_id);
}

absl::Status PodVolumes::Release(const std::string& sandbox_id) {
  CRISP_RETURN_IF_ERROR(CheckIds(sandbox_id));
  while (true) {
    const std::shared_ptr<Pod> ref = FindOrMake(sandbox_id);
    Pod& pod = *ref;
    absl::MutexLock lock(&pod.mu);
    if (pod.gone) continue;
    const absl::Status status = Teardown(sandbox_id);
    // Even after a failure: what is left is on disk, where the next Release looks.
    Forget(sandbox_id, pod);
    return status;
  }
}

absl::Status PodVolumes::Teardown(const std::string& sandbox_id) {
  return Annotate(PodDir::Remove(options_.pods_dir, options_.disk_dir, sandbox_id),
                  "release volumes of pod sandbox ", sandbox_id);
}

UpdateReport PodVolumes::ObjectChanged(ObjectKind kind, const std::string& ns,
                                       const std::string& name) {
  UpdateReport report;
  for (const std::shared_ptr<Pod>& ref : All()) {
    Pod& pod = *ref;
    absl::MutexLock lock(&pod.mu);
    if (!pod.prepared || OrDefault(pod.identity.ns) != OrDefault(ns)) continue;
    const Rewritten result =
        Rewrite(pod, [&](const VolumeSource& volume) { return Uses(volume, kind, name); });
    if (result.changed) ++report.pods_changed;
    if (!result.failure.ok()) {
      report.failures.push_back(
          absl::StrCat("pod sandbox ", pod.identity.sandbox_id,
                       " keeps its old content: ", result.failure.ToString()));
    }
  }
  return report;
}

absl::StatusOr<bool> PodVolumes::Become(Pod& pod, PodIdentity identity) {
  // These two decide what a volume may read and who owns it; they never change.
  identity.ns = pod.identity.ns;
  identity.fs_group = pod.identity.fs_group;
  pod.identity = std::move(identity);
  CRISP_ASSIGN_OR_RETURN(const PodDir dir, PodDir::Open(options_.pods_dir, options_.disk_dir,
                                                        pod.identity.sandbox_id));
  CRISP_RETURN_IF_ERROR(SaveRecord(dir, pod));
  Rewritten result = Rewrite(pod, [](const VolumeSource& volume) { return UsesIdentity(volume); });
  CRISP_RETURN_IF_ERROR(result.failure);
  return result.changed;
}

absl::Status PodVolumes::UpdateIdentity(const PodIdentity& identity) {
  const std::shared_ptr<Pod> ref = Find(identity.sandbox_id);
  if (ref == nullptr) return absl::OkStatus();
  Pod& pod = *ref;
  absl::MutexLock lock(&pod.mu);
  if (!pod.prepared) return absl::OkStatus();
  return Become(pod, identity).status();
}

absl::StatusOr<bool> PodVolumes::UpdateMetadata(const std::string& sandbox_id,
                                                std::map<std::string, std::string> labels,
                                                std::map<std::string, std::string> annotations) {
  const std::shared_ptr<Pod> ref = Find(sandbox_id);
  const auto missing = [&] {
    return absl::NotFoundError(absl::StrCat("no pod sandbox ", sandbox_id, " has volumes"));
  };
  if (ref == nullptr) return missing();
  Pod& pod = *ref;
  absl::MutexLock lock(&pod.mu);
  if (!pod.prepared) return missing();
  PodIdentity identity = pod.identity;
  identity.labels = std::move(labels);
  identity.annotations = std::move(annotations);
  return Become(pod, std::move(identity));
}

absl::Status PodVolumes::Adopt(const std::string& sandbox_id) {
  const std::shared_ptr<Pod> ref = FindOrMake(sandbox_id);
  Pod& pod = *ref;
  absl::MutexLock lock(&pod.mu);
  if (pod.prepared) return absl::OkStatus();
  const auto load = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(const PodDir dir,
                           PodDir::Open(options_.pods_dir, options_.disk_dir, sandbox_id));
    CRISP_ASSIGN_OR_RETURN(PodRecord record, ReadRecord(dir.fd()));
    CRISP_ASSIGN_OR_RETURN(pod.volumes, ParseVolumes(record.volumes_json));
    pod.identity = std::move(record.identity);
    pod.identity.sandbox_id = sandbox_id;
    pod.volumes_json = std::move(record.volumes_json);
    pod.place = record.in_pod ? VolumePlace::kPod : VolumePlace::kHost;
    pod.resources = std::move(record.resources);
    return absl::OkStatus();
  };
  if (const absl::Status status = load(); !status.ok()) {
    Forget(sandbox_id, pod);
    // A pod without volumes has no record.
    if (ErrnoOf(status) == ENOENT) return absl::OkStatus();
    return Annotate(status, "volumes of pod sandbox ", sandbox_id);
  }
  pod.prepared = true;
  // The crash may have come between an object's change and this pod's update, or in
  // the middle of it. What was deleted since keeps its last content.
  (void)Rewrite(pod, [](const VolumeSource&) { return true; });
  return absl::OkStatus();
}

absl::Status PodVolumes::Recover(const std::vector<std::string>& live_sandbox_ids) {
  const std::set<std::string> live(live_sandbox_ids.begin(), live_sandbox_ids.end());
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(options_.pods_dir));
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> on_disk, NamesIn(options_.disk_dir));
  std::set<std::string> found(names.begin(), names.end());
  found.insert(on_disk.begin(), on_disk.end());
  absl::Status result;
  for (const std::string& id : found) {
    if (!CheckIds(id).ok()) continue;
    result.Update(live.count(id) != 0 ? Adopt(id) : Release(id));
  }
  return result;
}

}  // namespace crisp::volumes
