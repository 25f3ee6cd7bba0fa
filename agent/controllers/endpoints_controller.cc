#include "agent/controllers/endpoints_controller.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/controllers/pod_facts.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

Json PortsOf(const Json& pod) {
  Json ports = Json::array();
  for (const char* list : {"spec.initContainers", "spec.containers"}) {
    const Json& containers = At(pod, list);
    if (!containers.is_array()) continue;
    for (const Json& container : containers) {
      const Json& declared = At(container, "ports");
      if (!declared.is_array()) continue;
      for (const Json& port : declared) {
        Json one = {{"port", NumberAt(port, "containerPort")},
                    {"protocol", TextAt(port, "protocol", "TCP")}};
        if (const std::string name = TextAt(port, "name"); !name.empty()) one["name"] = name;
        ports.push_back(std::move(one));
      }
    }
  }
  return ports;
}

Json AddressOf(const Json& pod) {
  return {{"ip", TextAt(pod, "status.podIP")},
          {"nodeName", TextAt(pod, "spec.nodeName")},
          {"targetRef",
           {{"kind", "Pod"},
            {"name", KeyOf(pod).name},
            {"namespace", KeyOf(pod).ns},
            {"uid", UidOf(pod)}}}};
}

}  // namespace

std::string EndpointsNameOf(const ObjectStore& store, const Json& pod) {
  std::string name = KeyOf(pod).name;
  std::optional<Owner> owner = ControllerOf(pod);
  // Two steps lead from a pod to a Deployment; a loop of owners ends here too.
  for (int step = 0; owner.has_value() && owner->kind != "Node" && step < 4; ++step) {
    name = owner->name;
    const absl::StatusOr<ObjectPtr> object = store.Get({owner->kind, KeyOf(pod).ns, owner->name});
    if (!object.ok() || UidOf(**object) != owner->uid) return "";
    owner = ControllerOf(**object);
  }
  return name;
}

absl::StatusOr<absl::Duration> EndpointsController::Reconcile(const ObjectKey& key) {
  // By ports: the pods of one template share a subset.
  std::map<Json, std::pair<Json, Json>> subsets;
  bool any = false;
  for (const ObjectPtr& pod : context_.store->List("Pod", key.ns)) {
    if (!IsPodActive(*pod) || EndpointsNameOf(*context_.store, *pod) != key.name) continue;
    Json ports = PortsOf(*pod);
    if (ports.empty()) continue;
    any = true;
    if (TextAt(*pod, "status.podIP").empty()) continue;
    auto& [ready, waiting] = subsets[std::move(ports)];
    (IsPodReady(*pod) ? ready : waiting).push_back(AddressOf(*pod));
  }
  const absl::StatusOr<ObjectPtr> there = context_.store->Get(key);
  if (!any) {
    if (!there.ok()) return absl::InfiniteDuration();
    const absl::Status removed = context_.store->Remove(key);
    if (!absl::IsNotFound(removed)) CRISP_RETURN_IF_ERROR(removed);
    return absl::InfiniteDuration();
  }
  Json list = Json::array();
  for (auto& [ports, addresses] : subsets) {
    Json subset = {{"ports", ports}};
    if (!addresses.first.empty()) subset["addresses"] = addresses.first;
    if (!addresses.second.empty()) subset["notReadyAddresses"] = addresses.second;
    list.push_back(std::move(subset));
  }
  if (!there.ok()) {
    const absl::Status made =
        context_.store
            ->Create({{"apiVersion", "v1"},
                      {"kind", "Endpoints"},
                      {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                      {"subsets", list}})
            .status();
    CRISP_RETURN_IF_ERROR(made);
    return absl::InfiniteDuration();
  }
  CRISP_RETURN_IF_ERROR(context_.store
                            ->Update(key,
                                     [&](Json& object) {
                                       object["subsets"] = list;
                                       return absl::OkStatus();
                                     })
                            .status());
  return absl::InfiniteDuration();
}

}  // namespace crisp::agent
