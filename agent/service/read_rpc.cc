// Info, Get, List.
#include "absl/strings/str_cat.h"
#include "agent/node/runtime_monitor.h"
#include "agent/objects/kinds.h"
#include "agent/service/rpcs.h"
#include "agent/service/selection.h"
#include "agent/store/object_store.h"
#include "base/status_macros.h"
#include "base/version.h"

namespace crisp::agent::rpc {

absl::Status Info(const ServiceContext& context, v1::InfoResponse* response) {
  const RuntimeInfo runtime = context.runtime->info();
  response->set_version(kCrispVersion);
  response->set_node_name(context.node_name);
  response->set_cri_address(context.cri_address);
  response->set_runtime_name(runtime.name);
  response->set_runtime_version(runtime.version);
  response->set_runtime_error(runtime.error);
  response->set_volumes_service(runtime.volumes);
  response->set_started_at(absl::ToUnixNanos(context.started));
  response->set_log_root(context.log_root);
  response->set_static_pod_path(context.static_pod_path);
  response->set_static_pod_url(context.static_pod_url);
  return absl::OkStatus();
}

absl::Status Get(const ServiceContext& context, const v1::GetRequest& request,
                 v1::GetResponse* response) {
  const v1::ObjectRef& ref = request.ref();
  CRISP_ASSIGN_OR_RETURN(const ObjectKey key, ResolveKey(ref.kind(), ref.namespace_(), ref.name()));
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr object, context.store->Get(key));
  response->set_object(ToText(*object));
  return absl::OkStatus();
}

absl::Status List(const ServiceContext& context, const v1::ListRequest& request,
                  v1::ListResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const ObjectSelection selection,
                         ObjectSelection::Read(request.selection()));
  // Before the objects: whoever goes on from here sees a change twice rather than never.
  response->set_resource_version(absl::StrCat(context.store->resource_version()));
  for (const ObjectPtr& object : selection.Find(*context.store)) {
    response->add_objects(ToText(*object));
  }
  return absl::OkStatus();
}

}  // namespace crisp::agent::rpc
