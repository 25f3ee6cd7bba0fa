// The kinds of volume that a pod may have, as values.
#ifndef CRISP_VOLUMES_VOLUME_VALUES_H_
#define CRISP_VOLUMES_VOLUME_VALUES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/types/optional.h"
#include "volumes/object_rules.h"

namespace crisp::volumes {

struct KeyToPath {
  std::string key;
  std::string path;  // Clean.
  absl::optional<mode_t> mode;
};

// Keys of a ConfigMap or a Secret as files; no items means every key.
struct ObjectProjection {
  ObjectKind kind = ObjectKind::kConfigMap;
  std::string name;
  std::vector<KeyToPath> items;
  bool optional = false;
};

struct ResourceRef {
  std::string container;
  std::string resource;  // "limits.cpu", ...
  int64_t divisor = 1;   // In milli-cores for cpu (1 means "1m"), else in bytes.
};

struct DownwardItem {
  std::string path;
  absl::optional<mode_t> mode;
  std::string field;      // "metadata.labels", or with a key: "metadata.labels['app']".
  std::string field_key;  // The key of the latter.
  absl::optional<ResourceRef> resource;  // Instead of a field.
};

struct DownwardProjection {
  std::vector<DownwardItem> items;
};

using Projection = std::variant<ObjectProjection, DownwardProjection>;

// configMap, secret, downwardAPI (one projection each) and projected (any number).
struct ProjectedSource {
  mode_t default_mode = 0644;
  std::vector<Projection> projections;
};

struct EmptyDirSource {
  bool memory = false;
  int64_t size_limit = 0;  // Bytes; 0 is none. A bound for Memory, a note on disk.
};

enum class HostPathType {
  kAny,  // "": anything; a directory is made if there is nothing.
  kDirectoryOrCreate,
  kDirectory,
  kFileOrCreate,
  kFile,
  kSocket,
  kCharDevice,
  kBlockDevice,
};

struct HostPathSource {
  std::string path;  // Absolute, clean.
  HostPathType type = HostPathType::kAny;
};

// An image's files, read-only. Whoever makes the pod has pulled it.
struct ImageSource {
  std::string reference;
};

struct VolumeSource {
  std::string name;  // A DNS label.
  std::string kind;  // "configMap", "emptyDir", ...: for messages.
  std::variant<ProjectedSource, EmptyDirSource, HostPathSource, ImageSource> source;

  const ProjectedSource* projected() const { return std::get_if<ProjectedSource>(&source); }
  const EmptyDirSource* empty_dir() const { return std::get_if<EmptyDirSource>(&source); }
  const HostPathSource* host_path() const { return std::get_if<HostPathSource>(&source); }
  const ImageSource* image() const { return std::get_if<ImageSource>(&source); }
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_VOLUME_VALUES_H_
