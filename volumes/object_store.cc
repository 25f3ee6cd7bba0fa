#include "volumes/object_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <type_traits>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/dir_entries.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::volumes {
namespace {

// An object's file is <kind>/<namespace>/<name>/object: a name may be as long as a
// file name minus two bytes, which leaves no room for a suffix.
constexpr char kFile[] = "object";
constexpr char kVersionFile[] = "resource_version";
// Data, metadata and protobuf's framing, with room to spare.
constexpr size_t kMaxFileBytes = 4 << 20;

template <typename Object>
constexpr ObjectKind KindOf() {
  return std::is_same_v<Object, v1::ConfigMap> ? ObjectKind::kConfigMap : ObjectKind::kSecret;
}

const char* DirOf(ObjectKind kind) {
  return kind == ObjectKind::kConfigMap ? "configmaps" : "secrets";
}

std::string OrDefault(const std::string& ns) { return ns.empty() ? "default" : ns; }

absl::Status SyncDir(int fd) {
  return Sys("fsync directory", [&] { return ::fsync(fd); });
}

absl::StatusOr<UniqueFd> OpenSub(int dirfd, const std::string& name) {
  return OpenBeneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
}

// Opens the directory `name`, made durably if absent.
absl::StatusOr<UniqueFd> MakeSub(int dirfd, const std::string& name) {
  auto existing = OpenSub(dirfd, name);
  if (existing.ok() || ErrnoOf(existing.status()) != ENOENT) return existing;
  CRISP_ASSIGN_OR_RETURN(UniqueFd made, MakeDirsBeneath(dirfd, name, 0700));
  CRISP_RETURN_IF_ERROR(SyncDir(dirfd));
  return made;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> ObjectStore::Open(const std::string& dir,
                                                               Clock* clock) {
  CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(dir, 0700), "object store"));
  CRISP_ASSIGN_OR_RETURN(UniqueFd root, OpenDir(dir));
  // A directory left wider by hand or by an older version is closed again.
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("chmod ", dir), [&] { return ::fchmod(root.get(), 0700); }));
  auto store = std::unique_ptr<ObjectStore>(new ObjectStore(std::move(root), clock));
  absl::MutexLock write_lock(&store->write_mu_);
  absl::MutexLock lock(&store->mu_);
  auto counter = ReadFileAt(store->root_.get(), kVersionFile, 64);
  if (counter.ok()) {
    if (!absl::SimpleAtoi(*counter, &store->last_version_)) {
      store->damaged_.push_back(absl::StrCat(dir, "/", kVersionFile, ": not a number"));
    }
  } else if (ErrnoOf(counter.status()) != ENOENT) {
    return Annotate(counter.status(), "object store ", dir);
  }
  CRISP_RETURN_IF_ERROR(Annotate(store->Load(store->config_maps_), "object store ", dir));
  CRISP_RETURN_IF_ERROR(Annotate(store->Load(store->secrets_), "object store ", dir));
  return store;
}

template <typename Object>
absl::Status ObjectStore::Load(Table<Object>& table) {
  const ObjectKind kind = KindOf<Object>();
  CRISP_ASSIGN_OR_RETURN(UniqueFd kind_dir, MakeSub(root_.get(), DirOf(kind)));
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> spaces, DirEntries(kind_dir.get()));
  for (const std::string& ns : spaces) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd ns_dir, OpenSub(kind_dir.get(), ns));
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(ns_dir.get()));
    for (const std::string& name : names) {
      auto bytes = ReadFileAt(ns_dir.get(), absl::StrCat(name, "/", kFile), kMaxFileBytes);
      // A crash between making or emptying a directory and what belongs with it.
      if (ErrnoOf(bytes.status()) == ENOENT) continue;
      Object object;
      if (!bytes.ok() || !object.ParseFromString(*bytes) || object.key().namespace_() != ns ||
          object.key().name() != name || !Validate(object).ok()) {
        damaged_.push_back(absl::StrCat(
            ObjectName(kind, ns, name), ": ",
            bytes.ok() ? "the file is not what was written" : bytes.status().message()));
        continue;
      }
      last_version_ = std::max(last_version_, object.resource_version());
      table[{ns, name}] = std::move(object);
    }
  }
  return absl::OkStatus();
}

absl::Status ObjectStore::Persist(ObjectKind kind, const Key& key, const std::string& bytes) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd kind_dir, MakeSub(root_.get(), DirOf(kind)));
  CRISP_ASSIGN_OR_RETURN(UniqueFd ns_dir, MakeSub(kind_dir.get(), key.first));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeSub(ns_dir.get(), key.second));
  return WriteFileAtomicAt(dir.get(), kFile, bytes, 0600, Sync::kFull);
}

template <typename Object>
absl::StatusOr<std::pair<Object, v1::Change>> ObjectStore::Apply(Object object,
                                                                 Table<Object>& table) {
  SetDefaults(object);
  CRISP_RETURN_IF_ERROR(Validate(object));
  const ObjectKind kind = KindOf<Object>();
  const Key key(object.key().namespace_(), object.key().name());

  absl::MutexLock write_lock(&write_mu_);
  v1::Change change = v1::CHANGE_CREATED;
  object.set_created_at(clock_->NowNs());
  {
    absl::MutexLock lock(&mu_);
    const auto before = table.find(key);
    if (before != table.end()) {
      CRISP_RETURN_IF_ERROR(ValidateUpdate(before->second, object));
      if (SameContent(before->second, object)) {
        return std::make_pair(before->second, v1::CHANGE_UNCHANGED);
      }
      change = v1::CHANGE_CONFIGURED;
      object.set_created_at(before->second.created_at());
    }
  }
  object.set_resource_version(last_version_ + 1);
  CRISP_RETURN_IF_ERROR(Annotate(Persist(kind, key, object.SerializeAsString()), "store ",
                                 ObjectName(kind, key.first, key.second)));
  last_version_ = object.resource_version();
  absl::MutexLock lock(&mu_);
  table[key] = object;
  return std::make_pair(std::move(object), change);
}

template <typename Object>
absl::StatusOr<Object> ObjectStore::Get(const std::string& ns, const std::string& name,
                                        const Table<Object>& table) const {
  absl::MutexLock lock(&mu_);
  const auto found = table.find({OrDefault(ns), name});
  if (found == table.end()) {
    return absl::NotFoundError(
        absl::StrCat(ObjectName(KindOf<Object>(), OrDefault(ns), name), " does not exist"));
  }
  return found->second;
}

template <typename Object>
std::vector<Object> ObjectStore::List(const std::string& ns, const Table<Object>& table) const {
  std::vector<Object> out;
  absl::MutexLock lock(&mu_);
  for (const auto& [key, object] : table) {
    if (ns.empty() || key.first == ns) out.push_back(object);
  }
  return out;
}

template <typename Object>
absl::StatusOr<bool> ObjectStore::Delete(const std::string& ns, const std::string& name,
                                         Table<Object>& table) {
  const ObjectKind kind = KindOf<Object>();
  const Key key(OrDefault(ns), name);
  absl::MutexLock write_lock(&write_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (table.find(key) == table.end()) return false;
  }
  const std::string version = absl::StrCat(last_version_);
  const auto remove = [&]() -> absl::Status {
    // The newest version may go with this object, and must not be given twice.
    CRISP_RETURN_IF_ERROR(WriteFileAtomicAt(root_.get(), kVersionFile, version, 0600, Sync::kFull));
    CRISP_ASSIGN_OR_RETURN(UniqueFd kind_dir, OpenSub(root_.get(), DirOf(kind)));
    CRISP_ASSIGN_OR_RETURN(UniqueFd ns_dir, OpenSub(kind_dir.get(), key.first));
    CRISP_RETURN_IF_ERROR(RemoveTreeAt(ns_dir.get(), key.second));
    CRISP_RETURN_IF_ERROR(SyncDir(ns_dir.get()));
    (void)::unlinkat(kind_dir.get(), key.first.c_str(), AT_REMOVEDIR);  // If it is empty now.
    return absl::OkStatus();
  };
  CRISP_RETURN_IF_ERROR(Annotate(remove(), "delete ", ObjectName(kind, key.first, key.second)));
  absl::MutexLock lock(&mu_);
  table.erase(key);
  return true;
}

absl::StatusOr<std::pair<v1::ConfigMap, v1::Change>> ObjectStore::ApplyConfigMap(
    v1::ConfigMap object) {
  return Apply(std::move(object), config_maps_);
}
absl::StatusOr<std::pair<v1::Secret, v1::Change>> ObjectStore::ApplySecret(v1::Secret object) {
  return Apply(std::move(object), secrets_);
}
absl::StatusOr<v1::ConfigMap> ObjectStore::GetConfigMap(const std::string& ns,
                                                        const std::string& name) const {
  return Get(ns, name, config_maps_);
}
absl::StatusOr<v1::Secret> ObjectStore::GetSecret(const std::string& ns,
                                                  const std::string& name) const {
  return Get(ns, name, secrets_);
}
std::vector<v1::ConfigMap> ObjectStore::ListConfigMaps(const std::string& ns) const {
  return List(ns, config_maps_);
}
std::vector<v1::Secret> ObjectStore::ListSecrets(const std::string& ns) const {
  return List(ns, secrets_);
}
absl::StatusOr<bool> ObjectStore::DeleteConfigMap(const std::string& ns, const std::string& name) {
  return Delete(ns, name, config_maps_);
}
absl::StatusOr<bool> ObjectStore::DeleteSecret(const std::string& ns, const std::string& name) {
  return Delete(ns, name, secrets_);
}

}  // namespace crisp::volumes
