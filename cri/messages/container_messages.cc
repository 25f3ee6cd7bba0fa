#include "cri/messages/container_messages.h"

#include <nlohmann/json.hpp>

#include "cri/spec/stop_signal.h"

namespace crisp::cri {

using state::v1::ContainerRecord;

void FillContainer(const Container& container, runtime::v1::Container* out) {
  out->set_id(container.id());
  out->set_pod_sandbox_id(container.pod()->id());
  *out->mutable_metadata() = container.config().metadata();
  *out->mutable_image() = container.config().image();
  *out->mutable_labels() = container.config().labels();
  *out->mutable_annotations() = container.config().annotations();
  out->set_created_at(container.created_at());
  container.facts().Read([out](const ContainerRecord& facts) {
    out->set_image_ref(facts.image_ref());
    out->set_image_id(facts.image_id());
    out->set_state(ContainerStateOf(facts));
    return 0;
  });
}

void FillContainerStatus(const Container& container, runtime::v1::ContainerStatus* out) {
  const runtime::v1::ContainerConfig& config = container.config();
  out->set_id(container.id());
  *out->mutable_metadata() = config.metadata();
  out->set_created_at(container.created_at());
  *out->mutable_image() = config.image();
  *out->mutable_labels() = config.labels();
  *out->mutable_annotations() = config.annotations();
  // As given: kubelet finds its termination message file among them.
  *out->mutable_mounts() = config.mounts();
  container.facts().Read([out](const ContainerRecord& facts) {
    out->set_state(ContainerStateOf(facts));
    out->set_started_at(facts.started_at());
    out->set_finished_at(facts.finished_at());
    out->set_exit_code(facts.exit_code());
    out->set_reason(facts.reason());
    out->set_message(facts.message());
    out->set_image_ref(facts.image_ref());
    out->set_image_id(facts.image_id());
    out->set_log_path(facts.log_path());
    *out->mutable_resources() = facts.resources();
    *out->mutable_user() = facts.user();
    out->set_stop_signal(SignalToCri(facts.stop_signal()));
    for (const auto& [index, image_id] : facts.image_volumes()) {
      out->mutable_mounts(index)->mutable_image()->set_image_ref(image_id);
    }
    return 0;
  });
}

Encoded EncodedContainerStatus(const Container& container) {
  return container.encoded_status().Get(container.facts().version(), [&container] {
    runtime::v1::ContainerStatus status;
    FillContainerStatus(container, &status);
    return status.SerializeAsString();
  });
}

std::string ContainerInfoJson(const Container& container) {
  const ContainerRecord facts = container.facts().Get();
  nlohmann::ordered_json info;
  info["pid"] = facts.finished_at() == 0 ? facts.pid() : 0;
  info["sandboxID"] = container.pod()->id();
  info["snapshotKey"] = facts.snapshot_key();
  info["cgroup"] = facts.cgroup_path();
  info["runtimeHandler"] = container.pod()->runtime_handler();
  nlohmann::ordered_json spec =
      nlohmann::ordered_json::parse(facts.spec_json(), nullptr, /*allow_exceptions=*/false);
  if (spec.is_object() && spec.contains("process") && spec["process"].contains("env")) {
    for (auto& entry : spec["process"]["env"]) {
      const std::string text = entry.get<std::string>();
      entry = text.substr(0, text.find('=')) + "=<redacted>";
    }
  }
  info["runtimeSpec"] = spec;
  return info.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace crisp::cri
