#include "agent/node/node_keeper.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/controllers/pod_facts.h"
#include "base/boot_id.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/version.h"

namespace crisp::agent {
namespace {

constexpr absl::Duration kHeartbeat = absl::Minutes(5);

// GOARCH's words, which Kubernetes uses.
std::string Architecture(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (absl::StartsWith(machine, "arm")) return "arm";
  if (machine == "i686" || machine == "i386") return "386";
  return machine;
}

std::string OsImage() {
  const auto text = ReadFile("/etc/os-release", 1 << 16);
  if (!text.ok()) return "";
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "PRETTY_NAME=")) continue;
    absl::ConsumePrefix(&line, "\"");
    absl::ConsumeSuffix(&line, "\"");
    return std::string(line);
  }
  return "";
}

std::string TextOf(const char* file) {
  const auto text = ReadFile(file, 4096);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : "";
}

Json Capacity(const NodeFacts& facts) {
  Json capacity = {{"cpu", absl::StrCat(::sysconf(_SC_NPROCESSORS_ONLN))},
                   {"memory", absl::StrCat(facts.memory_bytes / 1024, "Ki")},
                   {"pods", absl::StrCat(kMaxPods)}};
  struct statvfs disk = {};
  if (::statvfs("/var/lib", &disk) == 0) {
    capacity["ephemeral-storage"] = absl::StrCat(disk.f_blocks * disk.f_frsize / 1024, "Ki");
  }
  return capacity;
}

}  // namespace

std::string StoredNodeName(const ObjectStore& store) {
  const std::vector<ObjectPtr> nodes = store.List("Node");
  return nodes.size() == 1 ? KeyOf(*nodes[0]).name : "";
}

absl::Status NodeKeeper::TakeOver() {
  for (const ObjectPtr& node : store_->List("Node")) {
    const std::string other = KeyOf(*node).name;
    if (other == facts_.name) continue;
    for (const ObjectPtr& pod : store_->List("Pod")) {
      if (TextAt(*pod, "spec.nodeName") != other) continue;
      CRISP_RETURN_IF_ERROR(store_
                                ->Update(KeyOf(*pod),
                                         [&](Json& object) {
                                           object["spec"]["nodeName"] = facts_.name;
                                           return absl::OkStatus();
                                         })
                                .status());
    }
    CRISP_RETURN_IF_ERROR(store_->Remove(KeyOf(*node)));
  }
  return absl::OkStatus();
}

absl::Status NodeKeeper::Register() {
  CRISP_RETURN_IF_ERROR(TakeOver());
  utsname system = {};
  ::uname(&system);
  const std::string arch = Architecture(system.machine);
  const Json labels = {{"kubernetes.io/hostname", facts_.name},
                       {"kubernetes.io/os", "linux"},
                       {"kubernetes.io/arch", arch},
                       {"beta.kubernetes.io/os", "linux"},
                       {"beta.kubernetes.io/arch", arch}};
  const ObjectKey key{"Node", "", facts_.name};
  if (absl::IsNotFound(store_->Get(key).status())) {
    CRISP_RETURN_IF_ERROR(store_
                              ->Create({{"apiVersion", "v1"},
                                        {"kind", "Node"},
                                        {"metadata", {{"name", facts_.name}, {"labels", labels}}},
                                        {"spec", Json::object()},
                                        {"status", Json::object()}})
                              .status());
  }
  return store_
      ->Update(key,
               [&](Json& node) {
                 node["metadata"]["labels"].update(labels);
                 node["status"] = StatusOf(node, RuntimeInfo());
                 return absl::OkStatus();
               })
      .status();
}

Json NodeKeeper::StatusOf(const Json& old, const RuntimeInfo& runtime) const {
  utsname system = {};
  ::uname(&system);
  Json status = {{"capacity", Capacity(facts_)}, {"allocatable", Capacity(facts_)}};
  status["addresses"] = Json::array();
  if (!facts_.ip.empty()) {
    status["addresses"].push_back({{"type", "InternalIP"}, {"address", facts_.ip}});
  }
  status["addresses"].push_back({{"type", "Hostname"}, {"address", facts_.name}});
  const std::string known = TextAt(old, "status.nodeInfo.containerRuntimeVersion");
  status["nodeInfo"] = {{"architecture", Architecture(system.machine)},
                        {"bootID", BootId().value_or("")},
                        {"containerRuntimeVersion",
                         runtime.away ? known : absl::StrCat(runtime.name, "://", runtime.version)},
                        {"kernelVersion", system.release},
                        {"kubeletVersion", absl::StrCat("crisp-", kCrispVersion)},
                        {"machineID", TextOf("/etc/machine-id")},
                        {"operatingSystem", "linux"},
                        {"osImage", OsImage()},
                        {"systemUUID", TextOf("/sys/class/dmi/id/product_uuid")}};
  if (At(old, "status.conditions").is_array()) status["conditions"] = old["status"]["conditions"];
  return status;
}

absl::Status NodeKeeper::Update(const RuntimeInfo& runtime) {
  const absl::Time now = clock_->Now();
  const bool ready = !runtime.away && runtime.error.empty();
  bool was_ready = false;
  const absl::StatusOr<ObjectPtr> updated =
      store_->Update({"Node", "", facts_.name}, [&](Json& node) {
        const Json before = node["status"];
        was_ready = TextAt(ConditionOf(node, "Ready"), "status") == "True";
        node["status"] = StatusOf(node, runtime);
        if (ready) {
          SetCondition(&node, "Ready", "True", "KubeletReady", "the agent is posting ready status",
                       now);
        } else {
          SetCondition(&node, "Ready", "False", "KubeletNotReady",
                       absl::StrCat("container runtime is down: ", runtime.error), now);
        }
        const bool due =
            now - ReadTimestamp(TextAt(ConditionOf(node, "Ready"), "lastHeartbeatTime")) >=
            kHeartbeat;
        const bool first = !ConditionOf(node, "Ready").contains("lastHeartbeatTime");
        if (node["status"] == before && !due && !first) return absl::OkStatus();
        for (Json& condition : node["status"]["conditions"]) {
          condition["lastHeartbeatTime"] = Timestamp(now);
        }
        return absl::OkStatus();
      });
  CRISP_RETURN_IF_ERROR(updated.status());
  if (ready == was_ready) return absl::OkStatus();
  events_->Record(
      **updated, EventType::kNormal, ready ? "NodeReady" : "NodeNotReady",
      absl::StrCat("Node ", facts_.name, " status is now: ", ready ? "NodeReady" : "NodeNotReady"),
      "", "kubelet");
  return absl::OkStatus();
}

}  // namespace crisp::agent
