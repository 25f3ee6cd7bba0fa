#include "agent/controllers/dependents.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/controllers/pod_facts.h"
#include "agent/objects/changes.h"
#include "agent/objects/prepare.h"
#include "agent/objects/selector.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

absl::StatusOr<ObjectPtr> Adopt(ObjectStore* store, const Json& owner, const Json& dependent) {
  return store->Update(KeyOf(dependent), [&](Json& object) -> absl::Status {
    if (UidOf(object) != UidOf(dependent)) return absl::NotFoundError("another object");
    if (ControllerOf(object).has_value()) return absl::OkStatus();  // Somebody was quicker.
    Json& owners = object["metadata"]["ownerReferences"];
    if (!owners.is_array()) owners = Json::array();
    owners.push_back(OwnerReference(owner));
    return absl::OkStatus();
  });
}

absl::Status Release(ObjectStore* store, const Json& owner, const Json& dependent) {
  const std::string uid = UidOf(owner);
  return store
      ->Update(KeyOf(dependent),
               [&](Json& object) {
                 Json& owners = object["metadata"]["ownerReferences"];
                 if (!owners.is_array()) return absl::OkStatus();
                 owners.erase(
                     std::remove_if(owners.begin(), owners.end(),
                                    [&](const Json& one) { return TextAt(one, "uid") == uid; }),
                     owners.end());
                 if (owners.empty()) object["metadata"].erase("ownerReferences");
                 return absl::OkStatus();
               })
      .status();
}

}  // namespace

std::string ComponentOf(const Json& owner) {
  const std::string kind = TextAt(owner, "kind");
  if (kind == "ReplicationController") return "replication-controller";
  return absl::StrCat(absl::AsciiStrToLower(kind), "-controller");
}

absl::StatusOr<std::vector<ObjectPtr>> ClaimDependents(const ControllerContext& context,
                                                       const Json& owner, const std::string& kind) {
  const Selector selector = Selector::Of(owner);
  std::vector<ObjectPtr> claimed;
  for (ObjectPtr& object : context.store->List(kind, TextAt(owner, "metadata.namespace"))) {
    const bool matches = selector.Matches(*object);
    if (IsControlledBy(*object, owner)) {
      if (matches || IsBeingDeleted(*object)) {
        claimed.push_back(std::move(object));
        continue;
      }
      const absl::Status released = Release(context.store, owner, *object);
      if (!absl::IsNotFound(released)) CRISP_RETURN_IF_ERROR(released);
      continue;
    }
    if (!matches || ControllerOf(*object).has_value() || IsBeingDeleted(*object) ||
        (kind == "Pod" && IsPodFinished(*object))) {
      continue;
    }
    absl::StatusOr<ObjectPtr> adopted = Adopt(context.store, owner, *object);
    if (absl::IsNotFound(adopted.status())) continue;
    if (!adopted.ok()) return adopted.status();
    if (IsControlledBy(**adopted, owner)) claimed.push_back(*std::move(adopted));
  }
  return claimed;
}

Json PodOfTemplate(const Json& owner, const Json& labels) {
  const Json& pod_template = At(owner, "spec.template");
  Json pod = {{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata",
               {{"generateName", absl::StrCat(KeyOf(owner).name, "-")},
                {"namespace", KeyOf(owner).ns},
                {"ownerReferences", Json::array({OwnerReference(owner)})}}},
              {"spec", At(pod_template, "spec")}};
  for (const char* field : {"labels", "annotations"}) {
    const Json& value = At(At(pod_template, "metadata"), field);
    if (value.is_object() && !value.empty()) pod["metadata"][field] = value;
  }
  if (labels.is_object()) pod["metadata"]["labels"].update(labels);
  return pod;
}

absl::StatusOr<ObjectPtr> CreatePodFor(const ControllerContext& context, const Json& owner,
                                       const Json& labels) {
  return CreatePod(context, owner, PodOfTemplate(owner, labels));
}

absl::StatusOr<ObjectPtr> CreatePod(const ControllerContext& context, const Json& owner, Json pod) {
  absl::StatusOr<Changed> made = CreateObject(context.store, std::move(pod), /*dry_run=*/false);
  if (!made.ok()) {
    context.events->Record(owner, EventType::kWarning, "FailedCreate",
                           absl::StrCat("Error creating: ", made.status().message()), "",
                           ComponentOf(owner));
    return made.status();
  }
  context.events->Record(owner, EventType::kNormal, "SuccessfulCreate",
                         absl::StrCat("Created pod: ", KeyOf(*made->object).name), "",
                         ComponentOf(owner));
  return made->object;
}

absl::Status DeletePodOf(const ControllerContext& context, const Json& owner, const Json& pod) {
  DeleteOptions options;
  options.uid = UidOf(pod);
  const absl::Status deleted =
      DeleteObject(context.store, context.clock, KeyOf(pod), options).status();
  if (absl::IsNotFound(deleted)) return absl::OkStatus();
  if (!deleted.ok()) {
    context.events->Record(owner, EventType::kWarning, "FailedDelete",
                           absl::StrCat("Error deleting: ", deleted.message()), "",
                           ComponentOf(owner));
    return deleted;
  }
  context.events->Record(owner, EventType::kNormal, "SuccessfulDelete",
                         absl::StrCat("Deleted pod: ", KeyOf(pod).name), "", ComponentOf(owner));
  return absl::OkStatus();
}

std::string TemplateHash(const Json& pod_template) {
  // No vowels, and none of the digits that look like them: no words come out.
  static constexpr char kAlphabet[] = "bcdfghjklmnpqrstvwxz2456789";
  const std::string digest = Sha256Hex(ToText(pod_template));
  std::string hash;
  for (size_t i = 0; i < 10; ++i) {
    const int byte = std::stoi(digest.substr(2 * i, 2), nullptr, 16);
    hash += kAlphabet[static_cast<size_t>(byte) % (sizeof(kAlphabet) - 1)];
  }
  return hash;
}

}  // namespace crisp::agent
