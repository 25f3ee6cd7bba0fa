#include "volumes/projection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "volumes/downward_item.h"

namespace crisp::volumes {
namespace {

using Bytes = std::map<std::string, std::string>;

// The keys of an object, text and binary alike.
absl::StatusOr<Bytes> Lookup(const ObjectStore& objects, ObjectKind kind, const std::string& ns,
                             const std::string& name) {
  Bytes out;
  if (kind == ObjectKind::kSecret) {
    CRISP_ASSIGN_OR_RETURN(const v1::Secret secret, objects.GetSecret(ns, name));
    out.insert(secret.data().begin(), secret.data().end());
    return out;
  }
  CRISP_ASSIGN_OR_RETURN(const v1::ConfigMap config, objects.GetConfigMap(ns, name));
  out.insert(config.data().begin(), config.data().end());
  out.insert(config.binary_data().begin(), config.binary_data().end());
  return out;
}

absl::Status AddObject(const ObjectProjection& projection, mode_t default_mode,
                       const ObjectStore& objects, const std::string& ns, Payload& payload) {
  const std::string object = ObjectName(projection.kind, ns, projection.name);
  auto data = Lookup(objects, projection.kind, ns, projection.name);
  if (!data.ok()) {
    if (!absl::IsNotFound(data.status())) return data.status();
    if (projection.optional) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(object, " does not exist; apply it first, or set optional: true"));
  }
  if (projection.items.empty()) {
    for (auto& [key, bytes] : *data) {
      CRISP_RETURN_IF_ERROR(Annotate(AddFile(payload, key, {std::move(bytes), default_mode}),
                                     object, ": key '", key, "'"));
    }
    return absl::OkStatus();
  }
  for (const KeyToPath& item : projection.items) {
    const auto found = data->find(item.key);
    if (found == data->end()) {
      if (projection.optional) continue;
      return absl::FailedPreconditionError(
          absl::StrCat(object, ": there is no key '", item.key, "', which items names"));
    }
    CRISP_RETURN_IF_ERROR(
        Annotate(AddFile(payload, item.path, {found->second, item.mode.value_or(default_mode)}),
                 object, ": key '", item.key, "'"));
  }
  return absl::OkStatus();
}

template <typename F>
bool AnyItem(const VolumeSource& volume, F wanted) {
  const ProjectedSource* source = volume.projected();
  if (source == nullptr) return false;
  for (const Projection& projection : source->projections) {
    const auto* downward = std::get_if<DownwardProjection>(&projection);
    if (downward == nullptr) continue;
    if (std::any_of(downward->items.begin(), downward->items.end(), wanted)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Payload> BuildPayload(
    const ProjectedSource& source, const ObjectStore& objects, const PodIdentity& pod,
    const std::map<std::string, ContainerResourceValues>& resources) {
  const std::string ns = pod.ns.empty() ? "default" : pod.ns;
  Payload payload;
  for (const Projection& projection : source.projections) {
    if (const auto* object = std::get_if<ObjectProjection>(&projection); object != nullptr) {
      CRISP_RETURN_IF_ERROR(AddObject(*object, source.default_mode, objects, ns, payload));
      continue;
    }
    for (const DownwardItem& item : std::get<DownwardProjection>(projection).items) {
      CRISP_RETURN_IF_ERROR(Annotate(
          AddFile(payload, item.path,
                  {DownwardValue(item, pod, resources), item.mode.value_or(source.default_mode)}),
          "downwardAPI"));
    }
  }
  CRISP_RETURN_IF_ERROR(CheckPayload(payload));
  return payload;
}

bool Uses(const VolumeSource& volume, ObjectKind kind, const std::string& name) {
  const ProjectedSource* source = volume.projected();
  if (source == nullptr) return false;
  for (const Projection& projection : source->projections) {
    const auto* object = std::get_if<ObjectProjection>(&projection);
    if (object != nullptr && object->kind == kind && object->name == name) return true;
  }
  return false;
}

bool UsesIdentity(const VolumeSource& volume) {
  return AnyItem(volume, [](const DownwardItem& item) { return !item.resource.has_value(); });
}

bool UsesResourcesOf(const VolumeSource& volume, const std::string& container) {
  return AnyItem(volume, [&container](const DownwardItem& item) {
    return item.resource.has_value() && item.resource->container == container;
  });
}

}  // namespace crisp::volumes
