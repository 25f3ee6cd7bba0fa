#include "agent/output/object_json.h"

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/pod_config.h"

namespace crisp::agent {
namespace {

using nlohmann::ordered_json;

std::string Timestamp(int64_t ns) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixNanos(ns), absl::UTCTimeZone());
}

// Protobuf's maps have no order; people want one.
template <typename Map>
std::map<std::string, std::string> Sorted(const Map& map) {
  return {map.begin(), map.end()};
}

template <typename Map>
void PutText(const char* name, const Map& map, ordered_json* out) {
  if (map.empty()) return;
  for (const auto& [key, value] : Sorted(map)) (*out)[name][key] = value;
}

template <typename Map>
void PutBase64(const char* name, const Map& map, ordered_json* out) {
  for (const auto& [key, value] : Sorted(map)) (*out)[name][key] = absl::Base64Escape(value);
}

template <typename Object>
ordered_json Metadata(const Object& object) {
  ordered_json meta;
  meta["name"] = object.key().name();
  if (!object.key().namespace_().empty()) meta["namespace"] = object.key().namespace_();
  PutText("labels", object.labels(), &meta);
  PutText("annotations", object.annotations(), &meta);
  if (object.created_at() > 0) meta["creationTimestamp"] = Timestamp(object.created_at());
  if (object.resource_version() > 0) {
    meta["resourceVersion"] = absl::StrCat(object.resource_version());
  }
  return meta;
}

ordered_json ContainerStatusJson(const runtime::v1::ContainerStatus& status) {
  ordered_json out;
  out["name"] = status.metadata().name();
  out["image"] = status.image().user_specified_image().empty()
                     ? status.image().image()
                     : status.image().user_specified_image();
  out["imageID"] = status.image_ref();
  out["containerID"] = absl::StrCat("crisp://", status.id());
  out["ready"] = status.state() == runtime::v1::CONTAINER_RUNNING;
  out["restartCount"] = status.metadata().attempt();
  ordered_json& state = out["state"];
  if (status.state() == runtime::v1::CONTAINER_RUNNING) {
    state["running"]["startedAt"] = Timestamp(status.started_at());
  } else if (status.state() == runtime::v1::CONTAINER_EXITED) {
    ordered_json& terminated = state["terminated"];
    terminated["exitCode"] = status.exit_code();
    terminated["reason"] = ExitReason(status);
    if (!status.message().empty()) terminated["message"] = status.message();
    if (status.started_at() > 0) terminated["startedAt"] = Timestamp(status.started_at());
    terminated["finishedAt"] = Timestamp(status.finished_at());
  } else {
    state["waiting"]["reason"] = "ContainerCreating";
  }
  return out;
}

}  // namespace

ordered_json ObjectJson(const crisp::volumes::v1::ConfigMap& config_map) {
  ordered_json out = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}};
  out["metadata"] = Metadata(config_map);
  PutText("data", config_map.data(), &out);
  PutBase64("binaryData", config_map.binary_data(), &out);
  if (config_map.immutable()) out["immutable"] = true;
  return out;
}

ordered_json ObjectJson(const crisp::volumes::v1::Secret& secret) {
  ordered_json out = {{"apiVersion", "v1"}, {"kind", "Secret"}};
  out["metadata"] = Metadata(secret);
  out["type"] = secret.type().empty() ? "Opaque" : secret.type();
  PutBase64("data", secret.data(), &out);
  if (secret.immutable()) out["immutable"] = true;
  return out;
}

ordered_json ObjectJson(const PodView& pod) {
  const auto& sandbox = pod.sandbox;
  ordered_json out = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  ordered_json& meta = out["metadata"];
  meta["name"] = pod.name();
  meta["namespace"] = pod.ns();
  meta["uid"] = sandbox.metadata().uid();
  meta["creationTimestamp"] = Timestamp(sandbox.created_at());
  for (const auto& [key, value] : Sorted(sandbox.labels())) {
    if (!absl::StartsWith(key, "io.kubernetes.pod.")) meta["labels"][key] = value;
  }
  for (const auto& [key, value] : Sorted(sandbox.annotations())) {
    if (!IsAgentAnnotation(key)) meta["annotations"][key] = value;
  }
  if (pod.spec.is_object()) out["spec"] = ordered_json::parse(pod.spec.dump());
  ordered_json& status = out["status"];
  status["phase"] = Summarise(pod).phase;
  if (!pod.ips.empty()) status["podIP"] = pod.ips[0];
  for (const std::string& ip : pod.ips) status["podIPs"].push_back({{"ip", ip}});
  status["startTime"] = Timestamp(sandbox.created_at());
  for (const std::string& name : pod.InitContainerNames()) {
    if (const auto* container = pod.Find(name); container != nullptr) {
      status["initContainerStatuses"].push_back(ContainerStatusJson(*container));
    }
  }
  for (const std::string& name : pod.ContainerNames()) {
    if (const auto* container = pod.Find(name); container != nullptr) {
      status["containerStatuses"].push_back(ContainerStatusJson(*container));
    }
  }
  return out;
}

ordered_json ListJson(const std::vector<ordered_json>& items) {
  ordered_json out = {{"apiVersion", "v1"}};
  out["items"] = ordered_json::array();
  for (const ordered_json& item : items) out["items"].push_back(item);
  out["kind"] = "List";
  return out;
}

}  // namespace crisp::agent
