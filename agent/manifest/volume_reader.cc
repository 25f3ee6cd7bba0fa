#include "agent/manifest/volume_reader.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/container_reader.h"
#include "agent/manifest/names.h"
#include "agent/manifest/quantity.h"

namespace crisp::agent {
namespace {

constexpr int64_t kMaxMode = 0777;

void CheckMode(ObjectReader& reader, const char* name) {
  std::optional<int64_t> mode;
  reader.Read(name, &mode, 0, kMaxMode);
}

void CheckItems(ObjectReader& source) {
  source.Each("items", [](ObjectReader& item) {
    std::string key, path;
    item.Require("key", &key);
    item.Require("path", &path);
    CheckMode(item, "mode");
  });
}

void CheckObjectSource(ObjectReader& source, const char* name_field) {
  std::string name;
  std::optional<bool> optional;
  source.Require(name_field, &name);
  source.Read("optional", &optional);
  CheckItems(source);
}

void CheckDownwardItems(ObjectReader& source) {
  source.Each("items", [](ObjectReader& item) {
    std::string path;
    item.Require("path", &path);
    CheckMode(item, "mode");
    item.Object("fieldRef", [](ObjectReader& ref) {
      std::string version, field;
      ref.ReadChoice("apiVersion", {"v1"}, &version);
      const bool given = ref.Require("fieldPath", &field);
      if (given && field != "metadata.labels" && field != "metadata.annotations" &&
          !IsFieldPath(field)) {
        ref.Invalid("fieldPath", field, "must be a field that a file can take");
      }
    });
    item.Object("resourceFieldRef", [](ObjectReader& ref) {
      std::string container, resource;
      ref.Read("containerName", &container);
      ref.Require("resource", &resource);
      ref.Raw("divisor");
    });
  });
}

void CheckEmptyDir(ObjectReader& source) {
  std::string medium;
  source.ReadChoice("medium", {"", "Memory"}, &medium);
  const nlohmann::json* limit = source.Raw("sizeLimit");
  if (limit == nullptr) return;
  if (!limit->is_string() && !limit->is_number())
    return source.Invalid("sizeLimit", *limit, "must be a quantity");
  const auto bytes = ParseQuantity(limit->is_string() ? limit->get<std::string>() : limit->dump());
  if (!bytes.ok()) source.Invalid("sizeLimit", *limit, bytes.status().message());
}

void CheckHostPath(ObjectReader& source) {
  std::string path, type;
  if (source.Require("path", &path) && !absl::StartsWith(path, "/")) {
    source.Invalid("path", path, "must be an absolute path");
  }
  source.ReadChoice("type",
                    {"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket",
                     "CharDevice", "BlockDevice"},
                    &type);
}

void CheckProjected(ObjectReader& projected) {
  CheckMode(projected, "defaultMode");
  projected.Each("sources", [](ObjectReader& source) {
    source.Object("configMap", [](ObjectReader& s) { CheckObjectSource(s, "name"); });
    source.Object("secret", [](ObjectReader& s) { CheckObjectSource(s, "name"); });
    source.Object("downwardAPI", CheckDownwardItems);
    source.NotYet({"serviceAccountToken", "clusterTrustBundle", "podCertificate"});
  });
}

void CheckImage(ObjectReader& source) {
  std::string reference, policy;
  source.Require("reference", &reference);
  source.ReadChoice("pullPolicy", {"Always", "IfNotPresent", "Never"}, &policy);
}

}  // namespace

void CheckVolume(ObjectReader& volume, std::set<std::string>* names) {
  std::string name;
  if (volume.Require("name", &name)) {
    const std::string wrong = LabelNameError(name);
    if (!wrong.empty()) {
      volume.Invalid("name", name, wrong);
    } else if (!names->insert(name).second) {
      volume.Fail("name", absl::StrCat("Duplicate value: \"", name, "\""));
    }
  }
  int kinds = 0;
  const auto kind = [&](const char* field, const std::function<void(ObjectReader&)>& check) {
    kinds += volume.Has(field) ? 1 : 0;
    volume.Object(field, check);
  };
  kind("configMap", [](ObjectReader& source) {
    CheckMode(source, "defaultMode");
    CheckObjectSource(source, "name");
  });
  kind("secret", [](ObjectReader& source) {
    CheckMode(source, "defaultMode");
    CheckObjectSource(source, "secretName");
  });
  kind("emptyDir", CheckEmptyDir);
  kind("hostPath", CheckHostPath);
  kind("downwardAPI", [](ObjectReader& source) {
    CheckMode(source, "defaultMode");
    CheckDownwardItems(source);
  });
  kind("projected", CheckProjected);
  kind("image", CheckImage);
  volume.NotYet({"awsElasticBlockStore",
                 "azureDisk",
                 "azureFile",
                 "cephfs",
                 "cinder",
                 "csi",
                 "ephemeral",
                 "fc",
                 "flexVolume",
                 "flocker",
                 "gcePersistentDisk",
                 "gitRepo",
                 "glusterfs",
                 "iscsi",
                 "nfs",
                 "persistentVolumeClaim",
                 "photonPersistentDisk",
                 "portworxVolume",
                 "quobyte",
                 "rbd",
                 "scaleIO",
                 "storageos",
                 "vsphereVolume"});
  // An unsupported kind is the better message than "no kind".
  const size_t before = volume.errors()->count();
  volume.Finish();
  if (kinds == 0 && volume.errors()->count() == before)
    volume.Fail("", "Required value: must specify a volume type");
  if (kinds > 1) volume.Forbidden("", "may not specify more than 1 volume type");
}

}  // namespace crisp::agent
