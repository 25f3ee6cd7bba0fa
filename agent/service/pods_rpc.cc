// ResolvePod, Stats.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/objects/selector.h"
#include "agent/pods/pod_manager.h"
#include "agent/service/rpcs.h"
#include "agent/service/stats_reader.h"
#include "agent/store/object_store.h"
#include "base/status_macros.h"

namespace crisp::agent::rpc {
namespace {

constexpr char kDefaultContainer[] = "kubectl.kubernetes.io/default-container";

// Adds the containers of one list of the spec.
void AddContainers(const Json& pod, bool init, v1::ResolvePodResponse* response) {
  const Json& containers = At(pod, init ? "spec.initContainers" : "spec.containers");
  if (!containers.is_array()) return;
  for (const Json& container : containers) {
    v1::ContainerRef& ref = *response->add_containers();
    ref.set_name(TextAt(container, "name"));
    ref.set_init(init);
    ref.set_stdin(TruthAt(container, "stdin"));
    ref.set_tty(TruthAt(container, "tty"));
  }
}

void AddInstances(const PodInstances& instances, v1::ResolvePodResponse* response) {
  response->set_sandbox_id(instances.sandbox_id);
  response->set_pod_ip(instances.pod_ip);
  for (const ContainerInstance& instance : instances.containers) {
    for (v1::ContainerRef& ref : *response->mutable_containers()) {
      if (ref.name() != instance.name) continue;
      ref.set_id(instance.id);
      ref.set_running(instance.running);
      ref.set_log_path(instance.log_path);
      ref.set_restart_count(instance.restart_count);
      ref.set_previous_id(instance.previous_id);
      ref.set_previous_log_path(instance.previous_log_path);
      ref.set_waiting_reason(instance.waiting_reason);
    }
  }
}

}  // namespace

absl::Status ResolvePod(const ServiceContext& context, const v1::ResolvePodRequest& request,
                        v1::ResolvePodResponse* response) {
  const std::string ns = request.namespace_().empty() ? "default" : request.namespace_();
  CRISP_ASSIGN_OR_RETURN(const ObjectPtr pod, context.store->Get({"Pod", ns, request.name()}));
  AddContainers(*pod, /*init=*/true, response);
  const int init = response->containers_size();
  AddContainers(*pod, /*init=*/false, response);
  response->set_pod_uid(UidOf(*pod));
  // A pod that was not placed yet has no instances, and is no error.
  const absl::StatusOr<PodInstances> instances = context.pods->Instances(UidOf(*pod));
  if (instances.ok()) {
    AddInstances(*instances, response);
  } else if (!absl::IsNotFound(instances.status())) {
    return instances.status();
  }
  std::string wanted = request.container();
  if (wanted.empty()) wanted = AnnotationOf(*pod, kDefaultContainer);
  if (wanted.empty() && response->containers_size() > init) {
    wanted = response->containers(init).name();
  }
  const auto found =
      std::find_if(response->containers().begin(), response->containers().end(),
                   [&](const v1::ContainerRef& ref) { return ref.name() == wanted; });
  if (found == response->containers().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("container ", wanted, " is not valid for pod ", request.name()));
  }
  *response->mutable_container() = *found;
  return absl::OkStatus();
}

absl::Status Stats(const ServiceContext& context, const v1::StatsRequest& request,
                   v1::StatsResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const Selector labels, Selector::Parse(request.label_selector()));
  if (!request.name().empty()) {
    const std::string ns = request.namespace_().empty() ? "default" : request.namespace_();
    CRISP_RETURN_IF_ERROR(context.store->Get({"Pod", ns, request.name()}).status());
  }
  CRISP_ASSIGN_OR_RETURN(const auto usage, context.stats->Read());
  for (const ObjectPtr& pod : context.store->List("Pod", request.namespace_())) {
    const ObjectKey key = KeyOf(*pod);
    if (!request.name().empty() && key.name != request.name()) continue;
    if (!labels.Matches(*pod)) continue;
    const auto found = usage.find(UidOf(*pod));
    if (found == usage.end()) continue;
    v1::PodStats& out = *response->add_pods();
    out.set_namespace_(key.ns);
    out.set_name(key.name);
    for (const ContainerUsage& container : found->second) {
      v1::ContainerStats& one = *out.add_containers();
      one.set_name(container.name);
      one.set_cpu_nano_cores(container.cpu_nano_cores);
      one.set_memory_working_set_bytes(container.memory_working_set_bytes);
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::agent::rpc
