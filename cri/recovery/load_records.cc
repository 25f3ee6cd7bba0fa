#include "cri/recovery/load_records.h"

#include <dirent.h>

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/records/record_file.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

void LoadContainers(const ContainerContext& context, const std::shared_ptr<Pod>& pod,
                    LoadedRecords* loaded) {
  const auto names = ListDirectory(pod->ContainersDirectory());
  if (!names.ok()) {
    LogError("cannot list a pod's containers", {{"sandbox", pod->id()}, {"error", names.status()}});
    return;
  }
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, ".")) continue;  // A write that was cut short.
    ContainerRecord record;
    std::string boot_id;
    const absl::Status read =
        ReadRecord(JoinPath(pod->ContainersDirectory(), name), &record, &boot_id);
    if (!read.ok() || record.id() != name) {
      LogError("a container's record is damaged; what is left of the container is removed",
               {{"container", name}, {"error", read}});
      loaded->damaged_containers.push_back(name);
      continue;
    }
    auto container = std::make_shared<Container>(pod, context.node->boot_id, std::move(record));
    if (const absl::Status added = context.containers->Add(container); !added.ok()) {
      LogError("two records for one container", {{"container", name}, {"error", added}});
      loaded->damaged_containers.push_back(name);
      continue;
    }
    ++loaded->containers;
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (dir == nullptr) {
    if (errno == ENOENT) return names;
    return ErrnoStatus(errno, "list " + path);
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::StatusOr<LoadedRecords> LoadRecords(const ContainerContext& context) {
  LoadedRecords loaded;
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(context.node->pods_dir));
  for (const std::string& name : names) {
    const std::string directory = JoinPath(context.node->pods_dir, name);
    PodRecord record;
    std::string boot_id;
    const absl::Status read = ReadRecord(directory + "/pod", &record, &boot_id);
    if (!read.ok() || record.id() != name) {
      LogError("a pod's record is missing or damaged; what is left of the pod is removed",
               {{"sandbox", name}, {"error", read}});
      loaded.damaged_pods.push_back(name);
      continue;
    }
    auto pod = std::make_shared<Pod>(directory, context.node->boot_id, std::move(record));
    if (const absl::Status added = context.node->pods->Add(pod); !added.ok()) {
      LogError("two records for one pod", {{"sandbox", name}, {"error", added}});
      loaded.damaged_pods.push_back(name);
      continue;
    }
    ++loaded.pods;
    if (boot_id != context.node->boot_id) loaded.from_earlier_boot.push_back(name);
    LoadContainers(context, pod, &loaded);
  }
  return loaded;
}

}  // namespace crisp::cri
