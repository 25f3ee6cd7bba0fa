// The ConfigMaps and Secrets of this node: checked on the way in, kept in memory,
// and on disk under a directory of our own (0700, files 0600).
//
// Ownership: owns <dir>/configmaps, <dir>/secrets and <dir>/resource_version.
// Threads:   safe. Reads answer from memory and never wait for the disk.
// Errors:    InvalidArgument names object, key and rule; FailedPrecondition for a
//            change to an immutable object; NotFound from Get only.
// Crash:     an Apply that returned is on disk (fsync); one that did not return
//            left the old object or the new one, never a part.
#ifndef CRISP_VOLUMES_OBJECT_STORE_H_
#define CRISP_VOLUMES_OBJECT_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "api/volumes/v1/volumes.pb.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "volumes/object_rules.h"

namespace crisp::volumes {

class ObjectStore {
 public:
  // Makes `dir` if needed and loads what it holds. An object that cannot be read
  // back is left on disk, reads as absent, and is named in damaged().
  static absl::StatusOr<std::unique_ptr<ObjectStore>> Open(const std::string& dir, Clock* clock);

  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;

  // Upserts. The result is the stored object, with its namespace, created_at and
  // resource_version; CHANGE_UNCHANGED writes nothing.
  absl::StatusOr<std::pair<v1::ConfigMap, v1::Change>> ApplyConfigMap(v1::ConfigMap object);
  absl::StatusOr<std::pair<v1::Secret, v1::Change>> ApplySecret(v1::Secret object);

  // An empty `ns` is "default".
  absl::StatusOr<v1::ConfigMap> GetConfigMap(const std::string& ns, const std::string& name) const;
  absl::StatusOr<v1::Secret> GetSecret(const std::string& ns, const std::string& name) const;

  // By namespace and name. An empty `ns` lists all namespaces.
  std::vector<v1::ConfigMap> ListConfigMaps(const std::string& ns) const;
  std::vector<v1::Secret> ListSecrets(const std::string& ns) const;

  // False if there was none.
  absl::StatusOr<bool> DeleteConfigMap(const std::string& ns, const std::string& name);
  absl::StatusOr<bool> DeleteSecret(const std::string& ns, const std::string& name);

  // What Open could not read, one sentence each.
  const std::vector<std::string>& damaged() const { return damaged_; }

 private:
  using Key = std::pair<std::string, std::string>;  // Namespace, name.
  template <typename Object>
  using Table = std::map<Key, Object>;

  ObjectStore(UniqueFd root, Clock* clock) : root_(std::move(root)), clock_(clock) {}

  template <typename Object>
  absl::Status Load(Table<Object>& table) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_, mu_);
  template <typename Object>
  absl::StatusOr<std::pair<Object, v1::Change>> Apply(Object object, Table<Object>& table);
  template <typename Object>
  absl::StatusOr<Object> Get(const std::string& ns, const std::string& name,
                             const Table<Object>& table) const;
  template <typename Object>
  std::vector<Object> List(const std::string& ns, const Table<Object>& table) const;
  template <typename Object>
  absl::StatusOr<bool> Delete(const std::string& ns, const std::string& name, Table<Object>& table);
  absl::Status Persist(ObjectKind kind, const Key& key, const std::string& bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);

  const UniqueFd root_;
  Clock* const clock_;
  std::vector<std::string> damaged_;  // Written by Open only.

  // write_mu_ is held over disk writes, mu_ for the moment that memory changes.
  absl::Mutex write_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  uint64_t last_version_ ABSL_GUARDED_BY(write_mu_) = 0;
  mutable absl::Mutex mu_;
  // Guarded by mu_; not annotated, because the templates above take them by reference.
  Table<v1::ConfigMap> config_maps_;
  Table<v1::Secret> secrets_;
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_OBJECT_STORE_H_
