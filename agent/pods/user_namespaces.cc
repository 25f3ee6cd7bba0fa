#include "agent/pods/user_namespaces.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/pod_config.h"
#include "agent/pods/subordinate_ids.h"
#include "base/dir_entries.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {
namespace {

constexpr char kRecord[] = "userns";
constexpr size_t kMaxRecord = 4096;

bool IsAbsent(const absl::Status& status) {
  return ErrnoOf(status) == ENOENT || ErrnoOf(status) == ENOTDIR;
}

nlohmann::json ToRecord(uint32_t first) {
  const nlohmann::json mapping = {{"hostId", first}, {"containerId", 0}, {"length", kIdsPerPod}};
  const nlohmann::json mappings = nlohmann::json::array({mapping});
  return {{"uidMappings", mappings}, {"gidMappings", mappings}};
}

absl::StatusOr<uint32_t> FromRecord(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json::json_pointer host_id("/uidMappings/0/hostId");
  if (json.is_object() && json.contains(host_id) && json[host_id].is_number_unsigned()) {
    const uint64_t first = json[host_id].get<uint64_t>();
    // Nothing else is ever written.
    if (first >= kIdsPerPod && first % kIdsPerPod == 0 && first <= UINT32_MAX &&
        json == ToRecord(static_cast<uint32_t>(first))) {
      return static_cast<uint32_t>(first);
    }
  }
  return absl::FailedPreconditionError("is not a pod's user namespace");
}

}  // namespace

UserNamespaces::UserNamespaces(std::string pod_root, std::string etc)
    : pod_root_(std::move(pod_root)), etc_(std::move(etc)) {}

std::string UserNamespaces::PathOf(const std::string& uid) const {
  return JoinPath(JoinPath(pod_root_, uid), kRecord);
}

absl::Status UserNamespaces::Recover() {
  const absl::StatusOr<UniqueFd> root = OpenDir(pod_root_);
  if (!root.ok() && ErrnoOf(root.status()) == ENOENT) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(root.status());
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> uids, DirEntries(root->get()));
  std::map<std::string, uint32_t> first_ids;
  std::map<std::string, absl::Status> unreadable;
  std::set<uint32_t> taken;
  for (const std::string& uid : uids) {
    const auto text = ReadFile(PathOf(uid), kMaxRecord);
    if (!text.ok() && IsAbsent(text.status())) continue;
    absl::StatusOr<uint32_t> first = text.ok() ? FromRecord(*text) : text.status();
    if (first.ok() && !taken.insert(*first).second) {
      first = absl::FailedPreconditionError("has the ids of another pod");
    }
    if (first.ok()) {
      first_ids[uid] = *first;
    } else {
      unreadable[uid] = Annotate(first.status(), PathOf(uid));
    }
  }
  absl::MutexLock lock(&mu_);
  first_ids_ = std::move(first_ids);
  unreadable_ = std::move(unreadable);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> UserNamespaces::Take(const std::string& uid) {
  if (const std::optional<uint32_t> known = Find(uid); known.has_value()) return *known;
  CRISP_ASSIGN_OR_RETURN(const uint32_t first, Claim(uid));
  // The claim holds meanwhile; only the disk may still refuse.
  absl::Status written = MakeDirs(JoinPath(pod_root_, uid), 0700);
  if (written.ok()) {
    // An empty file after a loss of power would stand in everybody's way.
    written = WriteFileAtomic(PathOf(uid), ToRecord(first).dump(), 0600, Sync::kFull);
  }
  if (written.ok()) return first;
  CRISP_RETURN_IF_ERROR(Release(uid));
  return Annotate(written, "record the user namespace");
}

absl::StatusOr<uint32_t> UserNamespaces::Claim(const std::string& uid) {
  CRISP_ASSIGN_OR_RETURN(const SubordinateIds ids, ReadSubordinateIds(etc_));
  absl::MutexLock lock(&mu_);
  if (!unreadable_.empty()) return unreadable_.begin()->second;
  std::set<uint32_t> taken;
  for (const auto& [pod, first] : first_ids_) taken.insert(first);
  for (uint32_t i = 0; i < ids.ranges; ++i) {
    const uint32_t first = ids.first + i * kIdsPerPod;
    if (taken.count(first) > 0) continue;
    first_ids_[uid] = first;
    return first;
  }
  return absl::ResourceExhaustedError("could not find an empty slot to allocate a user namespace");
}

std::optional<uint32_t> UserNamespaces::Find(const std::string& uid) const {
  absl::MutexLock lock(&mu_);
  const auto found = first_ids_.find(uid);
  return found == first_ids_.end() ? std::nullopt : std::optional<uint32_t>(found->second);
}

absl::Status UserNamespaces::Release(const std::string& uid) {
  {
    absl::MutexLock lock(&mu_);
    if (first_ids_.count(uid) == 0 && unreadable_.count(uid) == 0) return absl::OkStatus();
  }
  // First on disk: what somebody else is given must not be found here after a crash.
  const std::string path = PathOf(uid);
  const absl::Status removed =
      Sys(absl::StrCat("unlink ", path), [&] { return ::unlink(path.c_str()); });
  if (!removed.ok() && !IsAbsent(removed)) return removed;
  absl::MutexLock lock(&mu_);
  first_ids_.erase(uid);
  unreadable_.erase(uid);
  return absl::OkStatus();
}

absl::Status UserNamespaces::KeepOnly(const std::set<std::string>& uids) {
  std::set<std::string> gone;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [uid, first] : first_ids_) gone.insert(uid);
    for (const auto& [uid, why] : unreadable_) gone.insert(uid);
  }
  absl::Status status;
  for (const std::string& uid : gone) {
    if (uids.count(uid) == 0) status.Update(Release(uid));
  }
  return status;
}

}  // namespace crisp::agent
