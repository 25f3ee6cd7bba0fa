// Apply, Create, Patch, Scale, Label, Delete.
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/node/volume_pusher.h"
#include "agent/objects/changes.h"
#include "agent/objects/kinds.h"
#include "agent/service/rpcs.h"
#include "agent/store/object_store.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"

namespace crisp::agent::rpc {
namespace {

absl::StatusOr<Json> ReadJson(const std::string& text) {
  Json object = ParseShallowJson(text);
  if (object.is_discarded()) {
    return absl::InvalidArgumentError("the object is no JSON, or nests too deep");
  }
  return object;
}

absl::StatusOr<ObjectKey> KeyOfRef(const v1::ObjectRef& ref) {
  if (ref.name().empty()) return absl::InvalidArgumentError("resource name may not be empty");
  return ResolveKey(ref.kind(), ref.namespace_(), ref.name());
}

// What a pod may use must be where the pod will look for it, before the answer says that
// the object is there.
void Bring(const ServiceContext& context, const ObjectKey& key) {
  if (key.kind == "ConfigMap" || key.kind == "Secret") context.volumes->Push(key);
}

}  // namespace

absl::Status Apply(const ServiceContext& context, const v1::ApplyRequest& request,
                   v1::ApplyResponse* response) {
  CRISP_ASSIGN_OR_RETURN(Json object, ReadJson(request.object()));
  CRISP_ASSIGN_OR_RETURN(const Changed changed,
                         ApplyObject(context.store, std::move(object), request.dry_run()));
  if (!request.dry_run()) Bring(context, KeyOf(*changed.object));
  response->set_object(ToText(*changed.object));
  switch (changed.what) {
    case Changed::What::kUnchanged:
      response->set_change(v1::CHANGE_UNCHANGED);
      break;
    case Changed::What::kCreated:
      response->set_change(v1::CHANGE_CREATED);
      break;
    case Changed::What::kConfigured:
      response->set_change(v1::CHANGE_CONFIGURED);
      break;
  }
  for (const std::string& warning : changed.warnings) response->add_warnings(warning);
  return absl::OkStatus();
}

absl::Status Create(const ServiceContext& context, const v1::CreateRequest& request,
                    v1::CreateResponse* response) {
  CRISP_ASSIGN_OR_RETURN(Json object, ReadJson(request.object()));
  CRISP_ASSIGN_OR_RETURN(const Changed changed,
                         CreateObject(context.store, std::move(object), request.dry_run()));
  if (!request.dry_run()) Bring(context, KeyOf(*changed.object));
  response->set_object(ToText(*changed.object));
  for (const std::string& warning : changed.warnings) response->add_warnings(warning);
  return absl::OkStatus();
}

absl::Status Patch(const ServiceContext& context, const v1::PatchRequest& request,
                   v1::PatchResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const ObjectKey key, KeyOfRef(request.ref()));
  CRISP_ASSIGN_OR_RETURN(const Json patch, ReadJson(request.merge_patch()));
  CRISP_ASSIGN_OR_RETURN(const Changed changed, PatchObject(context.store, key, patch));
  Bring(context, key);
  response->set_object(ToText(*changed.object));
  response->set_changed(changed.what != Changed::What::kUnchanged);
  for (const std::string& warning : changed.warnings) response->add_warnings(warning);
  return absl::OkStatus();
}

absl::Status Scale(const ServiceContext& context, const v1::ScaleRequest& request,
                   v1::ScaleResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const ObjectKey key, KeyOfRef(request.ref()));
  std::optional<int32_t> current;
  if (request.has_current_replicas()) current = request.current_replicas();
  CRISP_ASSIGN_OR_RETURN(const Changed changed,
                         ScaleObject(context.store, key, request.replicas(), current));
  response->set_object(ToText(*changed.object));
  return absl::OkStatus();
}

absl::Status Label(const ServiceContext& context, const v1::LabelRequest& request,
                   v1::LabelResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const ObjectKey key, KeyOfRef(request.ref()));
  LabelChange change;
  change.set = {request.set().begin(), request.set().end()};
  change.remove = {request.remove().begin(), request.remove().end()};
  change.overwrite = request.overwrite();
  CRISP_ASSIGN_OR_RETURN(const Changed changed, LabelObject(context.store, key, change));
  response->set_object(ToText(*changed.object));
  response->set_changed(changed.what != Changed::What::kUnchanged);
  return absl::OkStatus();
}

absl::Status Delete(const ServiceContext& context, const v1::DeleteRequest& request,
                    v1::DeleteResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const ObjectKey key, KeyOfRef(request.ref()));
  DeleteOptions options;
  if (request.has_grace_period_seconds()) {
    options.grace_period_seconds = request.grace_period_seconds();
  }
  options.orphan = request.orphan();
  options.uid = request.uid();
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr object,
                         DeleteObject(context.store, context.clock, key, options));
  Bring(context, key);
  response->set_object(ToText(*object));
  return absl::OkStatus();
}

}  // namespace crisp::agent::rpc
