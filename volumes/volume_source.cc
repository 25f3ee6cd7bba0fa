#include "volumes/volume_source.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "volumes/downward_item.h"
#include "volumes/host_path.h"
#include "volumes/json_fields.h"
#include "volumes/payload.h"
#include "volumes/quantity.h"

namespace crisp::volumes {
namespace {

constexpr size_t kMaxReference = 4096;

using nlohmann::json;

constexpr char kRoot[] = "io.crisp.volumes";

absl::StatusOr<std::vector<KeyToPath>> ParseItems(JsonFields& fields) {
  std::vector<KeyToPath> items;
  std::set<std::string> paths;
  CRISP_ASSIGN_OR_RETURN(const std::vector<json> values, fields.Array("items"));
  for (size_t i = 0; i < values.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(
        JsonFields item,
        JsonFields::Of(values[i], absl::StrCat(fields.PathOf("items"), "[", i, "]")));
    KeyToPath& out = items.emplace_back();
    CRISP_ASSIGN_OR_RETURN(out.key, item.RequiredString("key"));
    CRISP_RETURN_IF_ERROR(Annotate(CheckDataKey(out.key), item.PathOf("key"), ": '",
                                   absl::CEscape(out.key.substr(0, 300)), "'"));
    CRISP_ASSIGN_OR_RETURN(out.path, ParsePayloadPath(item));
    CRISP_ASSIGN_OR_RETURN(out.mode, ParseMode(item, "mode"));
    if (!paths.insert(out.path).second) {
      return item.Error("path", absl::StrCat("'", out.path, "' is used twice"));
    }
    CRISP_RETURN_IF_ERROR(item.NoOthers());
  }
  return items;
}

// configMap and secret, as volumes (secretName) and in projected (name).
absl::StatusOr<ObjectProjection> ParseObject(JsonFields& fields, ObjectKind kind,
                                             const char* name_field) {
  ObjectProjection out;
  out.kind = kind;
  CRISP_ASSIGN_OR_RETURN(out.name, fields.RequiredString(name_field));
  if (!IsDnsSubdomain(out.name)) {
    return fields.Error(name_field, absl::StrCat("'", absl::CEscape(out.name.substr(0, 300)),
                                                 "' is not a DNS subdomain"));
  }
  CRISP_ASSIGN_OR_RETURN(out.items, ParseItems(fields));
  CRISP_ASSIGN_OR_RETURN(out.optional, fields.Bool("optional", false));
  return out;
}

absl::StatusOr<mode_t> ParseDefaultMode(JsonFields& fields) {
  CRISP_ASSIGN_OR_RETURN(const absl::optional<mode_t> mode, ParseMode(fields, "defaultMode"));
  return mode.value_or(0644);
}

absl::StatusOr<VolumeSource> ParseConfigMapOrSecret(JsonFields& fields, ObjectKind kind) {
  ProjectedSource source;
  CRISP_ASSIGN_OR_RETURN(source.default_mode, ParseDefaultMode(fields));
  CRISP_ASSIGN_OR_RETURN(
      ObjectProjection object,
      ParseObject(fields, kind, kind == ObjectKind::kSecret ? "secretName" : "name"));
  source.projections.emplace_back(std::move(object));
  return VolumeSource{.source = std::move(source)};
}

absl::StatusOr<VolumeSource> ParseConfigMap(JsonFields& fields) {
  return ParseConfigMapOrSecret(fields, ObjectKind::kConfigMap);
}

absl::StatusOr<VolumeSource> ParseSecret(JsonFields& fields) {
  return ParseConfigMapOrSecret(fields, ObjectKind::kSecret);
}

absl::StatusOr<VolumeSource> ParseDownward(JsonFields& fields) {
  ProjectedSource source;
  CRISP_ASSIGN_OR_RETURN(source.default_mode, ParseDefaultMode(fields));
  CRISP_ASSIGN_OR_RETURN(DownwardProjection items, ParseDownwardItems(fields));
  source.projections.emplace_back(std::move(items));
  return VolumeSource{.source = std::move(source)};
}

absl::StatusOr<Projection> ParseProjection(JsonFields& fields) {
  absl::optional<Projection> out;
  const auto only = [&](const char* kind) {
    return out.has_value() ? fields.Error(kind, "a source may have only one kind")
                           : absl::OkStatus();
  };
  for (const char* kind : {"configMap", "secret"}) {
    const json* value = fields.Get(kind);
    if (value == nullptr) continue;
    CRISP_RETURN_IF_ERROR(only(kind));
    CRISP_ASSIGN_OR_RETURN(JsonFields inner, JsonFields::Of(*value, fields.PathOf(kind)));
    CRISP_ASSIGN_OR_RETURN(
        ObjectProjection object,
        ParseObject(inner,
                    kind == std::string("secret") ? ObjectKind::kSecret : ObjectKind::kConfigMap,
                    "name"));
    CRISP_RETURN_IF_ERROR(inner.NoOthers());
    out = std::move(object);
  }
  if (const json* value = fields.Get("downwardAPI"); value != nullptr) {
    CRISP_RETURN_IF_ERROR(only("downwardAPI"));
    CRISP_ASSIGN_OR_RETURN(JsonFields inner, JsonFields::Of(*value, fields.PathOf("downwardAPI")));
    CRISP_ASSIGN_OR_RETURN(DownwardProjection items, ParseDownwardItems(inner));
    CRISP_RETURN_IF_ERROR(inner.NoOthers());
    out = std::move(items);
  }
  for (const char* kind : {"serviceAccountToken", "clusterTrustBundle", "podCertificate"}) {
    if (fields.Get(kind) != nullptr) {
      return fields.Error(kind, "not supported: it needs a Kubernetes API server");
    }
  }
  CRISP_RETURN_IF_ERROR(fields.NoOthers());
  if (!out.has_value()) return FieldError(fields.path(), "names no source");
  return *std::move(out);
}

absl::StatusOr<VolumeSource> ParseProjected(JsonFields& fields) {
  ProjectedSource source;
  CRISP_ASSIGN_OR_RETURN(source.default_mode, ParseDefaultMode(fields));
  CRISP_ASSIGN_OR_RETURN(const std::vector<json> values, fields.Array("sources"));
  for (size_t i = 0; i < values.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(
        JsonFields inner,
        JsonFields::Of(values[i], absl::StrCat(fields.PathOf("sources"), "[", i, "]")));
    CRISP_ASSIGN_OR_RETURN(Projection projection, ParseProjection(inner));
    source.projections.push_back(std::move(projection));
  }
  return VolumeSource{.source = std::move(source)};
}

absl::StatusOr<VolumeSource> ParseEmptyDir(JsonFields& fields) {
  EmptyDirSource source;
  CRISP_ASSIGN_OR_RETURN(const std::string medium, fields.String("medium"));
  if (medium != "" && medium != "Memory") {
    return fields.Error("medium", absl::StrCat("'", absl::CEscape(medium.substr(0, 64)),
                                               "' is not supported; use \"\" or \"Memory\""));
  }
  source.memory = medium == "Memory";
  if (const json* limit = fields.Get("sizeLimit"); limit != nullptr) {
    // A quantity may be written as a number.
    if (!limit->is_string() && !limit->is_number()) {
      return fields.Error("sizeLimit", "must be a quantity such as \"64Mi\"");
    }
    const std::string text = limit->is_string() ? limit->get<std::string>() : limit->dump();
    auto bytes = ParseQuantity(text, 1);
    if (!bytes.ok()) return fields.Error("sizeLimit", bytes.status().message());
    source.size_limit = *bytes;
  }
  return VolumeSource{.source = source};
}

absl::StatusOr<VolumeSource> ParseHostPath(JsonFields& fields) {
  HostPathSource source;
  CRISP_ASSIGN_OR_RETURN(const std::string path, fields.RequiredString("path"));
  auto clean = CleanHostPath(path);
  if (!clean.ok()) return fields.Error("path", clean.status().message());
  source.path = *std::move(clean);
  CRISP_ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  const absl::optional<HostPathType> known = HostPathTypeOf(type);
  if (!known.has_value()) {
    return fields.Error("type",
                        absl::StrCat("'", absl::CEscape(type.substr(0, 64)),
                                     "' is not one of \"\", DirectoryOrCreate, Directory, "
                                     "FileOrCreate, File, Socket, CharDevice, BlockDevice"));
  }
  source.type = *known;
  return VolumeSource{.source = std::move(source)};
}

absl::StatusOr<VolumeSource> ParseImage(JsonFields& fields) {
  ImageSource source;
  CRISP_ASSIGN_OR_RETURN(source.reference, fields.RequiredString("reference"));
  if (source.reference.size() > kMaxReference) {
    return fields.Error("reference", "is longer than 4096 bytes");
  }
  CRISP_ASSIGN_OR_RETURN(const std::string policy, fields.String("pullPolicy"));
  if (policy != "" && policy != "Always" && policy != "IfNotPresent" && policy != "Never") {
    return fields.Error("pullPolicy", "is not one of Always, IfNotPresent, Never");
  }
  return VolumeSource{.source = std::move(source)};
}

struct Kind {
  const char* field;
  absl::StatusOr<VolumeSource> (*parse)(JsonFields& fields);
};

constexpr Kind kKinds[] = {
    {"configMap", ParseConfigMap}, {"secret", ParseSecret},     {"downwardAPI", ParseDownward},
    {"projected", ParseProjected}, {"emptyDir", ParseEmptyDir}, {"hostPath", ParseHostPath},
    {"image", ParseImage},
};

absl::StatusOr<VolumeSource> ParseVolume(const json& value, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Of(value, path));
  CRISP_ASSIGN_OR_RETURN(const std::string name, fields.RequiredString("name"));
  if (!IsDnsLabel(name)) {
    return fields.Error("name", absl::StrCat("'", absl::CEscape(name.substr(0, 100)),
                                             "' is not a DNS label (lower-case letters, digits "
                                             "and '-', at most 63)"));
  }
  absl::optional<VolumeSource> volume;
  for (const Kind& kind : kKinds) {
    const json* source = fields.Get(kind.field);
    if (source == nullptr) continue;
    if (volume.has_value()) {
      return fields.Error(kind.field, absl::StrCat("the volume is a ", volume->kind,
                                                   " already; it may have only one kind"));
    }
    CRISP_ASSIGN_OR_RETURN(JsonFields inner, JsonFields::Of(*source, fields.PathOf(kind.field)));
    CRISP_ASSIGN_OR_RETURN(volume, kind.parse(inner));
    CRISP_RETURN_IF_ERROR(inner.NoOthers());
    volume->kind = kind.field;
  }
  for (const std::string& other : fields.Others()) {
    return fields.Error(absl::CEscape(other), "unknown or unsupported kind of volume");
  }
  if (!volume.has_value()) {
    // Kubernetes' default for a volume that names no source.
    volume = VolumeSource{.kind = "emptyDir", .source = EmptyDirSource{}};
  }
  volume->name = name;
  return *std::move(volume);
}

}  // namespace

absl::StatusOr<std::vector<VolumeSource>> ParseVolumes(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<json> values, ParseJsonArray(text, kRoot));
  std::vector<VolumeSource> volumes;
  std::set<std::string> names;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string path = absl::StrCat(kRoot, ": volumes[", i, "]");
    CRISP_ASSIGN_OR_RETURN(VolumeSource volume, ParseVolume(values[i], path));
    if (!names.insert(volume.name).second) {
      return FieldError(path + ".name", absl::StrCat("'", volume.name, "' is used twice"));
    }
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

}  // namespace crisp::volumes
