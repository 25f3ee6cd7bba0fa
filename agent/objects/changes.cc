#include "agent/objects/changes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/manifest/names.h"
#include "agent/objects/kinds.h"
#include "agent/objects/merge.h"
#include "agent/objects/prepare.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

// How often a name is drawn again that another object has.
constexpr int kNameAttempts = 8;

absl::Status Conflict(const ObjectKey& key, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "Operation cannot be fulfilled on ", ResourceOf(key.kind), " \"", key.name, "\": ", why));
}

absl::Status NotStatic(const Json& object) {
  const std::string source = AnnotationOf(object, kConfigSource);
  if (source.empty() || source == "api") return absl::OkStatus();
  const std::string from = AnnotationOf(object, kConfigPath);
  return absl::FailedPreconditionError(absl::StrCat(
      "pods \"", KeyOf(object).name,
      "\" is a static pod: ", source == "file" ? "remove its file" : "take it out of its source",
      from.empty() ? "" : " ", from));
}

absl::StatusOr<Changed> CreatePrepared(ObjectStore* store, const Json& manifest, bool dry_run) {
  const bool named = !TextAt(manifest, "metadata.name").empty();
  for (int attempt = 1;; ++attempt) {
    Changed out;
    out.what = Changed::What::kCreated;
    CRISP_ASSIGN_OR_RETURN(NewObject made, PrepareNew(manifest, &out.warnings));
    const ObjectKey key = KeyOf(made.object);
    if (dry_run) {
      if (store->Get(key).ok()) {
        return absl::AlreadyExistsError(
            absl::StrCat(ResourceOf(key.kind), " \"", key.name, "\" already exists"));
      }
      out.object = std::make_shared<const Json>(std::move(made.object));
      return out;
    }
    absl::StatusOr<ObjectPtr> created = store->Create(std::move(made.object), made.uid);
    if (!named && absl::IsAlreadyExists(created.status()) && attempt < kNameAttempts) continue;
    if (!created.ok()) return created.status();
    out.object = *std::move(created);
    return out;
  }
}

// `manifest` as the annotation keeps it.
std::string LastApplied(const Json& manifest) {
  Json kept = manifest;
  Json& annotations = kept["metadata"]["annotations"];
  if (!annotations.is_object()) annotations = Json::object();
  annotations.erase(kLastApplied);
  return absl::StrCat(ToText(kept), "\n");
}

// What was applied last, or null.
Json ReadLastApplied(const Json& object) {
  const std::string text = AnnotationOf(object, kLastApplied);
  Json original = ParseShallowJson(text);
  if (!original.is_object()) return nullptr;
  // The new one is set beside the merge.
  if (original["metadata"].is_object()) original["metadata"].erase("uid");
  return original;
}

}  // namespace

absl::StatusOr<Changed> CreateObject(ObjectStore* store, Json object, bool dry_run) {
  CRISP_RETURN_IF_ERROR(PrepareManifest(&object));
  return CreatePrepared(store, object, dry_run);
}

absl::StatusOr<Changed> ApplyObject(ObjectStore* store, Json object, bool dry_run) {
  CRISP_RETURN_IF_ERROR(PrepareManifest(&object));
  const std::string applied = LastApplied(object);
  Json& annotations = object["metadata"]["annotations"];
  if (annotations.is_null()) annotations = Json::object();
  if (annotations.is_object()) annotations[kLastApplied] = applied;
  const ObjectKey key = KeyOf(object);
  if (key.name.empty()) {
    if (!TextAt(object, "metadata.generateName").empty()) {
      return absl::InvalidArgumentError(absl::StrCat("from ",
                                                     TextAt(object, "metadata.generateName"),
                                                     ": cannot use generate name with apply"));
    }
    return absl::InvalidArgumentError("resource name may not be empty");
  }
  if (absl::IsNotFound(store->Get(key).status())) return CreatePrepared(store, object, dry_run);

  Changed out;
  const auto merge = [&](Json& live) -> absl::Status {
    CRISP_RETURN_IF_ERROR(NotStatic(live));
    out.warnings.clear();
    const Json original = ReadLastApplied(live);
    if (original.is_null() && live["kind"] != "Node") {
      out.warnings.push_back(absl::StrCat(
          "resource ", ResourceOf(key.kind), "/", key.name, " is missing the ", kLastApplied,
          " annotation which is required by apply; it is added automatically"));
    }
    Json merged = ThreeWayMerge(original, object, live);
    CRISP_RETURN_IF_ERROR(PrepareUpdate(live, &merged, &out.warnings));
    live = std::move(merged);
    return absl::OkStatus();
  };
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr before, store->Get(key));
  if (dry_run) {
    Json live = *before;
    CRISP_RETURN_IF_ERROR(merge(live));
    out.what = live == *before ? Changed::What::kUnchanged : Changed::What::kConfigured;
    out.object = std::make_shared<const Json>(std::move(live));
    return out;
  }
  CRISP_ASSIGN_OR_RETURN(out.object, store->Update(key, merge));
  out.what =
      TextAt(*out.object, "metadata.resourceVersion") == TextAt(*before, "metadata.resourceVersion")
          ? Changed::What::kUnchanged
          : Changed::What::kConfigured;
  return out;
}

absl::StatusOr<Changed> PatchObject(ObjectStore* store, const ObjectKey& key, const Json& patch) {
  if (!patch.is_object()) return absl::InvalidArgumentError("a patch must be a JSON map");
  Changed out;
  CRISP_ASSIGN_OR_RETURN(out.object, store->Update(key, [&](Json& object) -> absl::Status {
    CRISP_RETURN_IF_ERROR(NotStatic(object));
    out.warnings.clear();
    Json patched = object;
    patched.merge_patch(patch);
    if (KeyOf(patched) != key || At(patched, "apiVersion") != At(object, "apiVersion")) {
      return absl::InvalidArgumentError(absl::StrCat(
          "The ", key.kind, " \"", key.name,
          "\" is invalid: metadata.name: Forbidden: a patch must not change who an object is"));
    }
    CRISP_RETURN_IF_ERROR(PrepareUpdate(object, &patched, &out.warnings));
    out.what = patched == object ? Changed::What::kUnchanged : Changed::What::kConfigured;
    object = std::move(patched);
    return absl::OkStatus();
  }));
  return out;
}

absl::StatusOr<Changed> ScaleObject(ObjectStore* store, const ObjectKey& key, int32_t replicas,
                                    std::optional<int32_t> current) {
  if (key.kind != "Deployment" && key.kind != "ReplicaSet" && key.kind != "ReplicationController") {
    return absl::InvalidArgumentError(
        absl::StrCat("the server could not find the requested resource: ", ResourceOf(key.kind),
                     " cannot be scaled"));
  }
  if (replicas < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "The ", key.kind, " \"", key.name, "\" is invalid: spec.replicas: Invalid value: ",
        replicas, ": must be greater than or equal to 0"));
  }
  Changed out;
  CRISP_ASSIGN_OR_RETURN(out.object, store->Update(key, [&](Json& object) -> absl::Status {
    const int64_t now = NumberAt(object, "spec.replicas", 1);
    if (current.has_value() && now != *current) {
      return Conflict(key, absl::StrCat("Expected replicas to be ", *current, ", was ", now));
    }
    out.what = now == replicas ? Changed::What::kUnchanged : Changed::What::kConfigured;
    object["spec"]["replicas"] = replicas;
    return absl::OkStatus();
  }));
  return out;
}

absl::StatusOr<Changed> LabelObject(ObjectStore* store, const ObjectKey& key,
                                    const LabelChange& change) {
  for (const auto& [label, value] : change.set) {
    std::string wrong = LabelKeyError(label);
    if (wrong.empty()) wrong = LabelValueError(value);
    if (wrong.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "The ", key.kind, " \"", key.name, "\" is invalid: metadata.labels: Invalid value: \"",
        LabelKeyError(label).empty() ? value : label, "\": ", wrong));
  }
  Changed out;
  CRISP_ASSIGN_OR_RETURN(out.object, store->Update(key, [&](Json& object) -> absl::Status {
    Json& labels = object["metadata"]["labels"];
    if (!labels.is_object()) labels = Json::object();
    const Json before = labels;
    for (const auto& [label, value] : change.set) {
      const auto found = labels.find(label);
      if (found != labels.end() && *found != value && !change.overwrite) {
        return absl::FailedPreconditionError(absl::StrCat("'", label, "' already has a value (",
                                                          found->get<std::string>(),
                                                          "), and --overwrite is false"));
      }
      labels[label] = value;
    }
    for (const std::string& label : change.remove) labels.erase(label);
    if (labels != before) out.what = Changed::What::kConfigured;
    if (labels.empty()) object["metadata"].erase("labels");
    return absl::OkStatus();
  }));
  return out;
}

namespace {

// Dependents that name `owner` no longer do.
void Orphan(ObjectStore* store, const Json& owner) {
  const std::string uid = UidOf(owner);
  for (const KindInfo& kind : AllKinds()) {
    for (const ObjectPtr& object : store->List(kind.kind, TextAt(owner, "metadata.namespace"))) {
      if (!At(*object, "metadata.ownerReferences").is_array()) continue;
      // One that is gone meanwhile is an orphan no more.
      (void)store->Update(KeyOf(*object), [&](Json& dependent) {
        Json& owners = dependent["metadata"]["ownerReferences"];
        if (!owners.is_array()) return absl::OkStatus();
        owners.erase(std::remove_if(owners.begin(), owners.end(),
                                    [&](const Json& one) { return TextAt(one, "uid") == uid; }),
                     owners.end());
        if (owners.empty()) dependent["metadata"].erase("ownerReferences");
        return absl::OkStatus();
      });
    }
  }
}

absl::StatusOr<ObjectPtr> MarkPodDeleted(ObjectStore* store, Clock* clock, const ObjectKey& key,
                                         const DeleteOptions& options) {
  return store->Update(key, [&](Json& pod) -> absl::Status {
    if (!options.uid.empty() && UidOf(pod) != options.uid) {
      return Conflict(key, absl::StrCat("Precondition failed: UID in precondition: ", options.uid,
                                        ", UID in object meta: ", UidOf(pod)));
    }
    int64_t grace = options.grace_period_seconds.value_or(
        NumberAt(pod, "spec.terminationGracePeriodSeconds", 30));
    if (grace < 0) grace = 1;  // As Kubernetes takes it.
    Json& meta = pod["metadata"];
    // A second delete can only hurry the first.
    if (IsBeingDeleted(pod) && NumberAt(meta, "deletionGracePeriodSeconds") <= grace) {
      return absl::OkStatus();
    }
    meta["deletionTimestamp"] = Timestamp(clock->Now() + absl::Seconds(grace));
    meta["deletionGracePeriodSeconds"] = grace;
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<ObjectPtr> DeleteObject(ObjectStore* store, Clock* clock, const ObjectKey& key,
                                       const DeleteOptions& options) {
  if (key.kind == "Node") {
    return absl::FailedPreconditionError(
        absl::StrCat("nodes \"", key.name, "\" is this machine and cannot be deleted"));
  }
  CRISP_ASSIGN_OR_RETURN(ObjectPtr object, store->Get(key));
  if (key.kind == "Pod") {
    CRISP_RETURN_IF_ERROR(NotStatic(*object));
    CRISP_ASSIGN_OR_RETURN(object, MarkPodDeleted(store, clock, key, options));
    // One that was never placed has nothing to end; from the mark on nobody places it.
    if (!TextAt(*object, "spec.nodeName").empty()) return object;
  }
  if (options.orphan) Orphan(store, *object);
  const absl::Status removed = store->Remove(key, options.uid);
  if (absl::IsAborted(removed)) return absl::FailedPreconditionError(removed.message());
  CRISP_RETURN_IF_ERROR(removed);
  return object;
}

}  // namespace crisp::agent
