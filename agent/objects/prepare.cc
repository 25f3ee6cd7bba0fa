#include "agent/objects/prepare.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/quantity.h"
#include "agent/objects/defaults.h"
#include "agent/objects/kinds.h"
#include "agent/objects/validation.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr size_t kMaxGeneratedPrefix = 58;

// A job's pods are its own by a label that no other job's can have.
absl::Status SelectOwnPods(const std::string& uid, Json* job) {
  const auto spec = job->find("spec");
  if (spec == job->end() || !spec->is_object()) return absl::OkStatus();
  if (!At(*spec, "selector").is_null()) {
    return absl::InvalidArgumentError(
        absl::StrCat("The Job \"", TextAt(*job, "metadata.name"),
                     "\" is invalid: spec.selector: Invalid value: ", ToText((*spec)["selector"]),
                     ": `selector` not auto-generated"));
  }
  const std::string name = TextAt(*job, "metadata.name");
  (*spec)["selector"]["matchLabels"] = {{"batch.kubernetes.io/controller-uid", uid}};
  const auto pod_template = spec->find("template");
  if (pod_template == spec->end() || !pod_template->is_object()) return absl::OkStatus();
  Json& meta = (*pod_template)["metadata"];
  if (!meta.is_null() && !meta.is_object()) return absl::OkStatus();
  Json& labels = meta["labels"];
  if (!labels.is_null() && !labels.is_object()) return absl::OkStatus();
  labels["batch.kubernetes.io/controller-uid"] = uid;
  labels["batch.kubernetes.io/job-name"] = name;
  labels["controller-uid"] = uid;
  labels["job-name"] = name;
  return absl::OkStatus();
}

int64_t AmountOf(const Json& container, const char* list, const char* what) {
  const Json& amount = At(At(container, "resources"), std::string(list) + "." + what);
  if (amount.is_null()) return 0;
  const auto milli =
      ParseMilliQuantity(amount.is_string() ? amount.get<std::string>() : amount.dump());
  return milli.value_or(0);
}

}  // namespace

std::string QosClass(const Json& pod) {
  bool any = false;
  bool guaranteed = true;
  for (const char* list : {"initContainers", "containers"}) {
    const Json& containers = At(pod["spec"], list);
    if (!containers.is_array()) continue;
    for (const Json& container : containers) {
      for (const char* what : {"cpu", "memory"}) {
        const int64_t limit = AmountOf(container, "limits", what);
        const int64_t request = AmountOf(container, "requests", what);
        any = any || limit > 0 || request > 0;
        guaranteed = guaranteed && limit > 0 && (request == 0 || request == limit);
      }
    }
  }
  return guaranteed ? "Guaranteed" : any ? "Burstable" : "BestEffort";
}

std::string GenerateName(const std::string& prefix) {
  static constexpr char kAlphabet[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string name = prefix.substr(0, kMaxGeneratedPrefix);
  const std::string random = RandomHex(20);
  for (size_t i = 0; i < 5; ++i) {
    const int number = std::stoi(random.substr(4 * i, 4), nullptr, 16);
    name += kAlphabet[static_cast<size_t>(number) % (sizeof(kAlphabet) - 1)];
  }
  return name;
}

absl::Status PrepareManifest(Json* object) {
  if (!object->is_object()) return absl::InvalidArgumentError("an object must be a JSON map");
  const std::string kind = TextAt(*object, "kind");
  if (kind.empty()) return absl::InvalidArgumentError("Object 'Kind' is missing");
  const std::string version = TextAt(*object, "apiVersion");
  const absl::StatusOr<const KindInfo*> info = FindKind(kind);
  if (!info.ok() || version != (*info)->api_version) {
    return absl::InvalidArgumentError(absl::StrCat("no matches for kind \"",
                                                   absl::Utf8SafeCEscape(kind), "\" in version \"",
                                                   absl::Utf8SafeCEscape(version), "\""));
  }
  Json& meta = (*object)["metadata"];
  if (meta.is_null()) meta = Json::object();
  if (!meta.is_object()) return absl::InvalidArgumentError("metadata: must be a map");
  for (const char* field : {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
                            "generation", "managedFields", "resourceVersion", "selfLink", "uid"}) {
    meta.erase(field);
  }
  object->erase("status");
  if (!(*info)->namespaced) {
    meta.erase("namespace");
  } else if (At(meta, "namespace").is_null() || meta["namespace"] == "") {
    meta["namespace"] = "default";
  }
  return absl::OkStatus();
}

absl::StatusOr<NewObject> PrepareNew(Json object, std::vector<std::string>* warnings) {
  const std::string kind = TextAt(object, "kind");
  CRISP_ASSIGN_OR_RETURN(const KindInfo* info, FindKind(kind));
  if (info->made_by_agent) {
    return absl::InvalidArgumentError(
        absl::StrCat(ResourceOf(kind), " are made by the agent and cannot be created"));
  }
  Json& meta = object["metadata"];
  if (TextAt(meta, "name").empty() && !TextAt(meta, "generateName").empty()) {
    meta["name"] = GenerateName(TextAt(meta, "generateName"));
  }
  NewObject out;
  out.uid = NewUid();
  if (kind == "Job") CRISP_RETURN_IF_ERROR(SelectOwnPods(out.uid, &object));
  SetDefaults(&object);
  CRISP_RETURN_IF_ERROR(ValidateObject(object, warnings));
  if (kind == "Pod") object["status"] = {{"phase", "Pending"}, {"qosClass", QosClass(object)}};
  if (info->controller) object["status"] = Json::object();
  out.object = std::move(object);
  return out;
}

absl::Status PrepareUpdate(const Json& old, Json* object, std::vector<std::string>* warnings) {
  const std::string kind = TextAt(old, "kind");
  CRISP_ASSIGN_OR_RETURN(const KindInfo* info, FindKind(kind));
  if (info->made_by_agent && kind != "Node") {
    return absl::InvalidArgumentError(
        absl::StrCat(ResourceOf(kind), " are made by the agent and cannot be changed"));
  }
  if (!(*object)["metadata"].is_object()) {
    return absl::InvalidArgumentError("metadata: must be a map");
  }
  Json& meta = (*object)["metadata"];
  for (const char* field : {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
                            "generation", "resourceVersion", "uid"}) {
    const Json& value = At(old["metadata"], field);
    if (value.is_null()) {
      meta.erase(field);
    } else {
      meta[field] = value;
    }
  }
  if (old.contains("status")) {
    (*object)["status"] = old["status"];
  } else {
    object->erase("status");
  }
  SetDefaults(object);
  return ValidateUpdate(old, *object, warnings);
}

}  // namespace crisp::agent
