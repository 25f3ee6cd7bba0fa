#include "agent/store/object_store.h"

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "agent/store/database.h"
#include "agent/store/subscribers.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

absl::Status NotFound(const ObjectKey& key) {
  return absl::NotFoundError(absl::StrCat(ResourceOf(key.kind), " \"", key.name, "\" not found"));
}

absl::Status Conflict(const ObjectKey& key, absl::string_view why) {
  return absl::AbortedError(absl::StrCat("Operation cannot be fulfilled on ", ResourceOf(key.kind),
                                         " \"", key.name, "\": ", why));
}

bool SpecDiffers(const Json& a, const Json& b) {
  for (const char* field : {"spec", "data", "binaryData"}) {
    if (At(a, field) != At(b, field)) return true;
  }
  return false;
}

class SqliteStore : public ObjectStore {
 public:
  SqliteStore(std::unique_ptr<Database> database, Clock* clock)
      : database_(std::move(database)), clock_(clock) {}

  absl::Status Load();

  absl::StatusOr<ObjectPtr> Create(Json object, const std::string& uid) override;
  absl::StatusOr<ObjectPtr> Update(const ObjectKey& key,
                                   absl::FunctionRef<absl::Status(Json&)> change) override;
  absl::Status Remove(const ObjectKey& key, const std::string& uid) override;
  absl::StatusOr<ObjectPtr> Get(const ObjectKey& key) const override;
  std::vector<ObjectPtr> List(const std::string& kind, const std::string& ns) const override;
  int64_t resource_version() const override;
  std::unique_ptr<Subscription> Subscribe(const std::string& kind, Listener listener) override;
  void WaitDelivered() override { subscribers_.WaitDelivered(); }

 private:
  ObjectPtr Find(const ObjectKey& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t NextVersion() const;
  // Writes the object, then shows it to readers and subscribers.
  absl::StatusOr<ObjectPtr> Commit(const ObjectKey& key, Json object, ObjectChange::Type type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);

  // Writers one after the other, over the write to the disk; readers take mu_ alone,
  // which nobody holds for longer than a map takes.
  mutable absl::Mutex write_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  const std::unique_ptr<Database> database_ ABSL_PT_GUARDED_BY(write_mu_);
  Clock* const clock_;

  mutable absl::Mutex mu_;
  std::map<ObjectKey, ObjectPtr> objects_ ABSL_GUARDED_BY(mu_);  // By kind, then namespace.
  int64_t version_ ABSL_GUARDED_BY(mu_) = 0;
  Subscribers subscribers_;
};

absl::Status SqliteStore::Load() {
  std::map<ObjectKey, ObjectPtr> objects;
  absl::MutexLock write_lock(&write_mu_);
  CRISP_RETURN_IF_ERROR(database_->ReadAll([&](const std::string& text) {
    Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return absl::DataLossError("holds an object that is no JSON");
    ObjectKey key = KeyOf(object);
    objects.emplace(std::move(key), std::make_shared<const Json>(std::move(object)));
    return absl::OkStatus();
  }));
  CRISP_ASSIGN_OR_RETURN(const int64_t version, database_->LastVersion());
  absl::MutexLock lock(&mu_);
  objects_ = std::move(objects);
  version_ = version;
  return absl::OkStatus();
}

ObjectPtr SqliteStore::Find(const ObjectKey& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second;
}

int64_t SqliteStore::NextVersion() const {
  absl::MutexLock lock(&mu_);
  return version_ + 1;
}

absl::StatusOr<ObjectPtr> SqliteStore::Commit(const ObjectKey& key, Json object,
                                              ObjectChange::Type type) {
  const int64_t version = NextVersion();
  object["metadata"]["resourceVersion"] = absl::StrCat(version);
  CRISP_RETURN_IF_ERROR(database_->Put(key, ToText(object), version));
  auto shared = std::make_shared<const Json>(std::move(object));
  absl::MutexLock lock(&mu_);
  version_ = version;
  objects_[key] = shared;
  // Under mu_, so that Subscribe sees each change either in what is there or as a change.
  subscribers_.Publish({type, shared});
  return shared;
}

absl::StatusOr<ObjectPtr> SqliteStore::Create(Json object, const std::string& uid) {
  const ObjectKey key = KeyOf(object);
  if (key.kind.empty() || key.name.empty()) {
    return absl::InvalidArgumentError("an object needs kind and metadata.name");
  }
  Json& meta = object["metadata"];
  meta["uid"] = uid.empty() ? NewUid() : uid;
  meta["generation"] = 1;
  meta["creationTimestamp"] = Timestamp(clock_->Now());
  meta.erase("deletionTimestamp");
  meta.erase("deletionGracePeriodSeconds");
  absl::MutexLock write_lock(&write_mu_);
  if (Get(key).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat(ResourceOf(key.kind), " \"", key.name, "\" already exists"));
  }
  return Commit(key, std::move(object), ObjectChange::Type::kAdded);
}

absl::StatusOr<ObjectPtr> SqliteStore::Update(const ObjectKey& key,
                                              absl::FunctionRef<absl::Status(Json&)> change) {
  absl::MutexLock write_lock(&write_mu_);
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr old, Get(key));
  Json object = *old;
  CRISP_RETURN_IF_ERROR(change(object));
  if (KeyOf(object) != key) return absl::InternalError("an update changed an object's name");
  for (const char* field : {"uid", "resourceVersion"}) {
    const Json& given = At(object["metadata"], field);
    if (!given.is_null() && given != At((*old)["metadata"], field)) {
      return Conflict(key,
                      "the object has been modified; please apply your changes to the latest "
                      "version and try again");
    }
    object["metadata"][field] = (*old)["metadata"][field];
  }
  object["metadata"]["creationTimestamp"] = (*old)["metadata"]["creationTimestamp"];
  object["metadata"]["generation"] = (*old)["metadata"]["generation"];
  if (object == *old) return old;
  if (SpecDiffers(object, *old)) {
    object["metadata"]["generation"] = NumberAt(*old, "metadata.generation", 0) + 1;
  }
  return Commit(key, std::move(object), ObjectChange::Type::kModified);
}

absl::Status SqliteStore::Remove(const ObjectKey& key, const std::string& uid) {
  absl::MutexLock write_lock(&write_mu_);
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr old, Get(key));
  if (!uid.empty() && UidOf(*old) != uid) {
    return Conflict(key, absl::StrCat("Precondition failed: UID in precondition: ", uid,
                                      ", UID in object meta: ", UidOf(*old)));
  }
  const int64_t version = NextVersion();
  CRISP_RETURN_IF_ERROR(database_->Delete(key, version));
  absl::MutexLock lock(&mu_);
  version_ = version;
  objects_.erase(key);
  subscribers_.Publish({ObjectChange::Type::kDeleted, old});
  return absl::OkStatus();
}

absl::StatusOr<ObjectPtr> SqliteStore::Get(const ObjectKey& key) const {
  absl::MutexLock lock(&mu_);
  ObjectPtr found = Find(key);
  if (found == nullptr) return NotFound(key);
  return found;
}

std::vector<ObjectPtr> SqliteStore::List(const std::string& kind, const std::string& ns) const {
  std::vector<ObjectPtr> found;
  absl::MutexLock lock(&mu_);
  for (auto it = objects_.lower_bound({kind, ns, ""}); it != objects_.end(); ++it) {
    if (it->first.kind != kind || (!ns.empty() && it->first.ns != ns)) break;
    found.push_back(it->second);
  }
  return found;
}

int64_t SqliteStore::resource_version() const {
  absl::MutexLock lock(&mu_);
  return version_;
}

class LiveSubscription : public ObjectStore::Subscription {
 public:
  LiveSubscription(Subscribers* all, Subscribers::Entry* entry) : all_(all), entry_(entry) {}
  ~LiveSubscription() override { all_->Remove(entry_); }

 private:
  Subscribers* const all_;
  Subscribers::Entry* const entry_;
};

std::unique_ptr<ObjectStore::Subscription> SqliteStore::Subscribe(const std::string& kind,
                                                                  Listener listener) {
  std::vector<ObjectPtr> there;
  Subscribers::Entry* entry = nullptr;
  {
    absl::MutexLock lock(&mu_);
    for (auto it = objects_.lower_bound({kind, "", ""}); it != objects_.end(); ++it) {
      if (!kind.empty() && it->first.kind != kind) break;
      there.push_back(it->second);
    }
    entry = subscribers_.Add(kind, listener);
  }
  for (ObjectPtr& object : there) listener({ObjectChange::Type::kAdded, std::move(object)});
  subscribers_.Begin(entry);
  return std::make_unique<LiveSubscription>(&subscribers_, entry);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ObjectStore>> ObjectStore::Open(const std::string& path,
                                                               Clock* clock) {
  CRISP_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  auto store = std::make_unique<SqliteStore>(std::move(database), clock);
  CRISP_RETURN_IF_ERROR(store->Load());
  return store;
}

}  // namespace crisp::agent
