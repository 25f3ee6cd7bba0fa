#include "tests/perf/podbench/target.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status_macros.h"

namespace crisp::podbench {
namespace {

using runtime::v1::RuntimeService;

constexpr absl::Duration kCallTimeout = absl::Minutes(2);

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kCallTimeout));
}

runtime::v1::PodSandboxConfig PodConfig(const PodOptions& options, int serial) {
  runtime::v1::PodSandboxConfig config;
  const std::string name = absl::StrCat("bench-", serial);
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_namespace_("podbench");
  config.mutable_metadata()->set_uid(name);
  (*config.mutable_labels())["app"] = "podbench";
  if (options.host_network) {
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
        runtime::v1::NODE);
  } else {
    config.set_hostname(name);  // On the host's network there is none to set.
  }
  return config;
}

runtime::v1::ContainerConfig ContainerConfig(const PodOptions& options) {
  runtime::v1::ContainerConfig config;
  config.mutable_metadata()->set_name("main");
  config.mutable_image()->set_image(options.image);
  // Ends at once on SIGTERM, so that stopping measures the runtime and no grace.
  config.add_command("/bin/sh");
  config.add_command("-c");
  config.add_command("trap 'exit 0' TERM; while :; do sleep 3600 & wait; done");
  return config;
}

}  // namespace

Target::Target(std::string name, const std::string& address)
    : name_(std::move(name)),
      channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
      runtime_(RuntimeService::NewStub(channel_)),
      images_(runtime::v1::ImageService::NewStub(channel_)) {}

template <typename Request, typename Response>
absl::Status Target::Call(const char* operation,
                          grpc::Status (RuntimeService::Stub::*rpc)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                          const Request& request, Response* response, const Timing& timing) {
  grpc::ClientContext context;
  SetDeadline(&context);
  const absl::Duration start = Clock::Real()->Steady();
  const grpc::Status status = (runtime_.get()->*rpc)(&context, request, response);
  const absl::Duration took = Clock::Real()->Steady() - start;
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        absl::StrCat(name_, ": ", operation, ": ", status.error_message()));
  }
  timing(operation, took);
  return absl::OkStatus();
}

absl::Status Target::Prepare(const std::string& image) {
  grpc::ClientContext context;
  SetDeadline(&context);
  context.set_wait_for_ready(true);
  runtime::v1::ImageStatusRequest request;
  request.mutable_image()->set_image(image);
  runtime::v1::ImageStatusResponse response;
  const grpc::Status status = images_->ImageStatus(&context, request, &response);
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat(name_, ": ", status.error_message()));
  }
  if (!response.has_image()) {
    return absl::NotFoundError(absl::StrCat(name_, ": image ", image, " is not there"));
  }
  return absl::OkStatus();
}

absl::Status Target::StartPod(const PodOptions& options, int serial, const Timing& timing,
                              std::string* pod_id, std::string* container_id) {
  runtime::v1::RunPodSandboxRequest run;
  *run.mutable_config() = PodConfig(options, serial);
  run.set_runtime_handler(options.runtime_handler);
  runtime::v1::RunPodSandboxResponse ran;
  CRISP_RETURN_IF_ERROR(
      Call("RunPodSandbox", &RuntimeService::Stub::RunPodSandbox, run, &ran, timing));
  *pod_id = ran.pod_sandbox_id();

  runtime::v1::CreateContainerRequest create;
  create.set_pod_sandbox_id(*pod_id);
  *create.mutable_config() = ContainerConfig(options);
  *create.mutable_sandbox_config() = run.config();
  runtime::v1::CreateContainerResponse created;
  CRISP_RETURN_IF_ERROR(
      Call("CreateContainer", &RuntimeService::Stub::CreateContainer, create, &created, timing));
  *container_id = created.container_id();

  runtime::v1::StartContainerRequest start;
  start.set_container_id(*container_id);
  runtime::v1::StartContainerResponse started;
  return Call("StartContainer", &RuntimeService::Stub::StartContainer, start, &started, timing);
}

absl::Status Target::EndPod(const std::string& pod_id, const std::string& container_id,
                            const Timing& timing) {
  if (!container_id.empty()) {
    runtime::v1::StopContainerRequest stop;
    stop.set_container_id(container_id);
    stop.set_timeout(10);
    runtime::v1::StopContainerResponse stopped;
    CRISP_RETURN_IF_ERROR(
        Call("StopContainer", &RuntimeService::Stub::StopContainer, stop, &stopped, timing));
    runtime::v1::RemoveContainerRequest remove;
    remove.set_container_id(container_id);
    runtime::v1::RemoveContainerResponse removed;
    CRISP_RETURN_IF_ERROR(
        Call("RemoveContainer", &RuntimeService::Stub::RemoveContainer, remove, &removed, timing));
  }
  runtime::v1::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(pod_id);
  runtime::v1::StopPodSandboxResponse stopped;
  CRISP_RETURN_IF_ERROR(
      Call("StopPodSandbox", &RuntimeService::Stub::StopPodSandbox, stop, &stopped, timing));
  runtime::v1::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(pod_id);
  runtime::v1::RemovePodSandboxResponse removed;
  return Call("RemovePodSandbox", &RuntimeService::Stub::RemovePodSandbox, remove, &removed,
              timing);
}

absl::Status Target::LivePod(const PodOptions& options, int serial, const Timing& timing) {
  std::string pod_id, container_id;
  const Clock* clock = Clock::Real();
  const absl::Duration start = clock->Steady();
  absl::Status lived = StartPod(options, serial, timing, &pod_id, &container_id);
  if (lived.ok()) timing("pod start", clock->Steady() - start);
  if (lived.ok() && options.exec) {
    runtime::v1::ExecSyncRequest exec;
    exec.set_container_id(container_id);
    exec.add_cmd("/bin/true");
    exec.set_timeout(30);
    runtime::v1::ExecSyncResponse executed;
    lived = Call("ExecSync", &RuntimeService::Stub::ExecSync, exec, &executed, timing);
  }
  if (pod_id.empty()) return lived;
  const absl::Duration end = clock->Steady();
  const absl::Status ended = EndPod(pod_id, container_id, timing);
  if (ended.ok()) timing("pod end", clock->Steady() - end);
  return lived.ok() ? ended : lived;
}

}  // namespace crisp::podbench
