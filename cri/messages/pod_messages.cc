#include "cri/messages/pod_messages.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

namespace crisp::cri {
namespace {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return nullptr;
  return nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

using state::v1::PodRecord;

void FillPodSandbox(const Pod& pod, runtime::v1::PodSandbox* out) {
  out->set_id(pod.id());
  *out->mutable_metadata() = pod.config().metadata();
  out->set_state(pod.state());
  out->set_created_at(pod.created_at());
  *out->mutable_labels() = pod.config().labels();
  *out->mutable_annotations() = pod.config().annotations();
  out->set_runtime_handler(pod.runtime_handler());
}

void FillPodSandboxStatus(const Pod& pod, runtime::v1::PodSandboxStatus* out) {
  out->set_id(pod.id());
  *out->mutable_metadata() = pod.config().metadata();
  out->set_state(pod.state());
  out->set_created_at(pod.created_at());
  *out->mutable_linux()->mutable_namespaces()->mutable_options() =
      pod.config().linux().security_context().namespace_options();
  *out->mutable_labels() = pod.config().labels();
  *out->mutable_annotations() = pod.config().annotations();
  out->set_runtime_handler(pod.runtime_handler());
  runtime::v1::PodSandboxNetworkStatus* network = out->mutable_network();
  pod.facts().Read([&](const PodRecord& facts) {
    // A stopped pod's addresses may belong to another pod by now.
    if (facts.network_released()) return 0;
    for (int i = 0; i < facts.ips_size(); ++i) {
      if (i == 0) {
        network->set_ip(facts.ips(i));
      } else {
        network->add_additional_ips()->set_ip(facts.ips(i));
      }
    }
    return 0;
  });
}

Encoded EncodedPodSandboxStatus(const Pod& pod) {
  return pod.encoded_status().Get(pod.facts().version(), [&pod] {
    runtime::v1::PodSandboxStatus status;
    FillPodSandboxStatus(pod, &status);
    return status.SerializeAsString();
  });
}

std::string PodInfoJson(const Pod& pod) {
  const PodRecord facts = pod.facts().Get();
  nlohmann::ordered_json info;
  info["pid"] = facts.pause_pid();
  info["runtimeHandler"] = pod.runtime_handler();
  info["netns"] = facts.netns_path();
  info["cgroup"] = pod.cgroup_path();
  info["directory"] = pod.directory();
  if (!facts.network_result().empty()) {
    info["cniResult"] =
        nlohmann::ordered_json::parse(facts.network_result(), nullptr, /*allow_exceptions=*/false);
  }
  info["config"] = ToJson(pod.config());
  info["resources"] = {{"containers", ToJson(facts.resources())},
                       {"overhead", ToJson(facts.overhead())},
                       {"held", ToJson(facts.held())}};
  return info.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace crisp::cri
