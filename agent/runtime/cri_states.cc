#include "agent/runtime/cri_states.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "agent/pod_config.h"

namespace crisp::agent {
namespace {

absl::Time ToTime(int64_t ns) { return ns == 0 ? absl::InfinitePast() : absl::FromUnixNanos(ns); }

ContainerState::Phase ToPhase(runtime::v1::ContainerState state) {
  switch (state) {
    case runtime::v1::CONTAINER_CREATED:
      return ContainerState::Phase::kCreated;
    case runtime::v1::CONTAINER_RUNNING:
      return ContainerState::Phase::kRunning;
    case runtime::v1::CONTAINER_EXITED:
      return ContainerState::Phase::kExited;
    default:
      return ContainerState::Phase::kUnknown;
  }
}

template <typename Message>
int64_t NumberAt(const Message& message, const char* key, int64_t otherwise) {
  const auto found = message.annotations().find(key);
  int64_t value = 0;
  if (found == message.annotations().end() || !absl::SimpleAtoi(found->second, &value)) {
    return otherwise;
  }
  return value < 0 ? otherwise : value;
}

// What a list and a status have in common.
template <typename Message>
ContainerState Common(const Message& message) {
  ContainerState out;
  out.id = message.id();
  out.name = message.metadata().name();
  out.phase = ToPhase(message.state());
  out.created_at = ToTime(message.created_at());
  out.restart_count = static_cast<int>(std::min<int64_t>(
      NumberAt(message, kRestartCountAnnotation, message.metadata().attempt()), INT32_MAX - 1));
  if (const auto found = message.annotations().find(kImageAnnotation);
      found != message.annotations().end()) {
    out.made_of = found->second;
  }
  out.next_back_off = absl::Milliseconds(NumberAt(message, kBackOffAnnotation, 0));
  return out;
}

}  // namespace

SandboxState ToSandboxState(const runtime::v1::PodSandbox& listed) {
  SandboxState out;
  out.id = listed.id();
  out.attempt = listed.metadata().attempt();
  out.ready = listed.state() == runtime::v1::SANDBOX_READY;
  out.created_at = ToTime(listed.created_at());
  return out;
}

ContainerState ToContainerState(const runtime::v1::Container& listed) {
  ContainerState out = Common(listed);
  out.sandbox_id = listed.pod_sandbox_id();
  return out;
}

ContainerState ToContainerState(const runtime::v1::ContainerStatus& status,
                                const std::string& sandbox_id) {
  ContainerState out = Common(status);
  out.sandbox_id = sandbox_id;
  out.started_at = ToTime(status.started_at());
  out.finished_at = ToTime(status.finished_at());
  out.exit_code = status.exit_code();
  out.reason = status.reason();
  out.message = status.message();
  out.image = status.image().user_specified_image().empty() ? status.image().image()
                                                            : status.image().user_specified_image();
  out.image_id = status.image_id().empty() ? status.image_ref() : status.image_id();
  out.log_path = status.log_path();
  return out;
}

std::vector<std::string> AddressesOf(const runtime::v1::PodSandboxStatus& status) {
  std::vector<std::string> out;
  if (!status.network().ip().empty()) out.push_back(status.network().ip());
  for (const auto& ip : status.network().additional_ips()) out.push_back(ip.ip());
  return out;
}

bool IsOurs(const runtime::v1::PodSandbox& sandbox) {
  return sandbox.annotations().contains(kNodeAgentAnnotation);
}

void SortNewestFirst(std::vector<SandboxState>* sandboxes) {
  std::sort(sandboxes->begin(), sandboxes->end(), [](const SandboxState& a, const SandboxState& b) {
    return std::tie(a.attempt, a.created_at, a.id) > std::tie(b.attempt, b.created_at, b.id);
  });
}

}  // namespace crisp::agent
