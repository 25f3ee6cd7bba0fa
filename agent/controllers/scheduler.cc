#include "agent/controllers/scheduler.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/controllers/pod_affinity.h"
#include "agent/controllers/pod_facts.h"
#include "agent/manifest/quantity.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kComponent[] = "default-scheduler";
// Kubernetes' scheduler tries again so often even when nothing has changed.
constexpr absl::Duration kRetry = absl::Minutes(5);

int64_t Milli(const Json& amount) {
  if (amount.is_null()) return 0;
  return ParseMilliQuantity(amount.is_string() ? amount.get<std::string>() : amount.dump())
      .value_or(0);
}

struct Requests {
  int64_t cpu_milli = 0, memory_milli = 0;
};

Requests RequestsOf(const Json& container) {
  return {Milli(At(container, "resources.requests.cpu")),
          Milli(At(container, "resources.requests.memory"))};
}

// What a pod needs at its most: all its containers, or the greatest of its init
// containers, with the sidecars beside either.
Requests RequestsOfPod(const Json& pod) {
  Requests sum, sidecars, peak;
  const Json& init = At(pod, "spec.initContainers");
  if (init.is_array()) {
    for (const Json& container : init) {
      const Requests one = RequestsOf(container);
      if (TextAt(container, "restartPolicy") == "Always") {
        sidecars.cpu_milli += one.cpu_milli;
        sidecars.memory_milli += one.memory_milli;
      } else {
        peak.cpu_milli = std::max(peak.cpu_milli, one.cpu_milli + sidecars.cpu_milli);
        peak.memory_milli = std::max(peak.memory_milli, one.memory_milli + sidecars.memory_milli);
      }
    }
  }
  const Json& containers = At(pod, "spec.containers");
  if (containers.is_array()) {
    for (const Json& container : containers) {
      const Requests one = RequestsOf(container);
      sum.cpu_milli += one.cpu_milli;
      sum.memory_milli += one.memory_milli;
    }
  }
  return {std::max(sum.cpu_milli + sidecars.cpu_milli, peak.cpu_milli),
          std::max(sum.memory_milli + sidecars.memory_milli, peak.memory_milli)};
}

using HostPort = std::tuple<std::string, int64_t, std::string>;  // Protocol, port, address.

std::vector<HostPort> HostPortsOf(const Json& pod) {
  std::vector<HostPort> ports;
  for (const char* list : {"spec.containers", "spec.initContainers"}) {
    const Json& containers = At(pod, list);
    if (!containers.is_array()) continue;
    for (const Json& container : containers) {
      const Json& declared = At(container, "ports");
      if (!declared.is_array()) continue;
      for (const Json& port : declared) {
        const int64_t number = NumberAt(port, "hostPort");
        if (number == 0) continue;
        ports.emplace_back(TextAt(port, "protocol", "TCP"), number, TextAt(port, "hostIP"));
      }
    }
  }
  return ports;
}

bool IsEverywhere(const std::string& address) { return address.empty() || address == "0.0.0.0"; }

bool Collide(const HostPort& a, const HostPort& b) {
  const auto& [a_protocol, a_port, a_address] = a;
  const auto& [b_protocol, b_port, b_address] = b;
  return a_protocol == b_protocol && a_port == b_port &&
         (a_address == b_address || IsEverywhere(a_address) || IsEverywhere(b_address));
}

}  // namespace

std::string Scheduler::WhyNot(const Json& pod, const Json& node) const {
  std::vector<std::string> reasons;
  if (TruthAt(node, "spec.unschedulable")) reasons.push_back("1 node(s) were unschedulable");
  if (!NodeMatches(At(pod, "spec"), node)) {
    reasons.push_back("1 node(s) didn't match Pod's node affinity/selector");
  }
  Requests used = RequestsOfPod(pod);
  int64_t pods = 1;
  bool ports_taken = false;
  const std::vector<HostPort> ports = HostPortsOf(pod);
  std::vector<ObjectPtr> there;
  for (const ObjectPtr& other : context_.store->List("Pod")) {
    if (TextAt(*other, "spec.nodeName") != context_.node_name || IsPodFinished(*other)) continue;
    there.push_back(other);
    const Requests one = RequestsOfPod(*other);
    used.cpu_milli += one.cpu_milli;
    used.memory_milli += one.memory_milli;
    ++pods;
    for (const HostPort& theirs : HostPortsOf(*other)) {
      ports_taken = ports_taken || std::any_of(ports.begin(), ports.end(), [&](const HostPort& p) {
                      return Collide(p, theirs);
                    });
    }
  }
  const Json& allocatable = At(node, "status.allocatable");
  const auto exceeds = [&](const char* what, int64_t amount) {
    const Json& most = At(allocatable, what);
    return amount > 0 && !most.is_null() && amount > Milli(most);
  };
  if (ports_taken) {
    reasons.push_back("1 node(s) didn't have free ports for the requested pod ports");
  }
  if (exceeds("cpu", used.cpu_milli)) reasons.push_back("1 Insufficient cpu");
  if (exceeds("memory", used.memory_milli)) reasons.push_back("1 Insufficient memory");
  if (exceeds("pods", pods * 1000)) reasons.push_back("1 Too many pods");
  for (std::string& reason : AffinityReasons(pod, there)) reasons.push_back(std::move(reason));
  if (reasons.empty()) return "";
  return absl::StrCat("0/1 nodes are available: ", absl::StrJoin(reasons, ", "), ".");
}

absl::StatusOr<absl::Duration> Scheduler::Reconcile(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> pod = context_.store->Get(key);
  if (!pod.ok() || !TextAt(**pod, "spec.nodeName").empty() || !IsPodActive(**pod)) {
    return absl::InfiniteDuration();
  }
  const absl::StatusOr<ObjectPtr> node = context_.store->Get({"Node", "", context_.node_name});
  const std::string why = node.ok() ? WhyNot(**pod, **node) : "no nodes available to schedule pods";
  const absl::Time now = context_.clock->Now();
  bool placed = false;
  const absl::Status updated =
      context_.store
          ->Update(key,
                   [&](Json& object) {
                     placed = false;
                     if (!TextAt(object, "spec.nodeName").empty() || !IsPodActive(object)) {
                       return absl::OkStatus();
                     }
                     if (why.empty()) {
                       object["spec"]["nodeName"] = context_.node_name;
                       SetCondition(&object, "PodScheduled", "True", "", "", now);
                       placed = true;
                     } else {
                       SetCondition(&object, "PodScheduled", "False", "Unschedulable", why, now);
                     }
                     return absl::OkStatus();
                   })
          .status();
  if (absl::IsNotFound(updated)) return absl::InfiniteDuration();
  CRISP_RETURN_IF_ERROR(updated);
  if (placed) {
    context_.events->Record(
        **pod, EventType::kNormal, "Scheduled",
        absl::StrCat("Successfully assigned ", key.ns, "/", key.name, " to ", context_.node_name),
        "", kComponent);
    return absl::InfiniteDuration();
  }
  if (why.empty()) return absl::InfiniteDuration();
  context_.events->Record(**pod, EventType::kWarning, "FailedScheduling", why, "", kComponent);
  return kRetry;
}

}  // namespace crisp::agent
