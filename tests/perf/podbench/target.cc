#include "tests/perf/podbench/target.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/unix_socket.h"

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
  config.set_log_directory(options.log_directory);
  return config;
}

runtime::v1::ContainerConfig ContainerConfig(const PodOptions& options, int serial) {
  runtime::v1::ContainerConfig config;
  config.mutable_metadata()->set_name("main");
  config.mutable_image()->set_image(options.image);
  for (const std::string& word : options.command) config.add_command(word);
  if (options.command.empty()) {
    // Ends at once on SIGTERM, so that stopping measures the runtime and no grace.
    for (const char* word :
         {"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"}) {
      config.add_command(word);
    }
  }
  runtime::v1::KeyValue* mark = config.add_envs();
  mark->set_key(kWorkloadVariable);
  mark->set_value(absl::StrCat(serial));
  if (!options.log_directory.empty()) config.set_log_path(kLogFile);
  if (!options.data_directory.empty()) {
    runtime::v1::Mount* mount = config.add_mounts();
    mount->set_host_path(options.data_directory);
    mount->set_container_path("/data");
    mount->set_readonly(true);
  }
  return config;
}

}  // namespace

Target::Target(std::string name, const std::string& address, std::string handler)
    : name_(std::move(name)),
      socket_(absl::StripPrefix(address, "unix://")),
      handler_(std::move(handler)),
      channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
      runtime_(RuntimeService::NewStub(channel_)),
      images_(runtime::v1::ImageService::NewStub(channel_)) {}

absl::StatusOr<pid_t> Target::ServerPid() const {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, ConnectUnix(socket_));
  return PeerPid(fd.get());
}

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
                              PodIds* ids) {
  const absl::Duration began = Clock::Real()->Steady();
  runtime::v1::RunPodSandboxRequest run;
  *run.mutable_config() = PodConfig(options, serial);
  run.set_runtime_handler(handler_);
  runtime::v1::RunPodSandboxResponse ran;
  CRISP_RETURN_IF_ERROR(
      Call("RunPodSandbox", &RuntimeService::Stub::RunPodSandbox, run, &ran, timing));
  ids->pod = ran.pod_sandbox_id();

  runtime::v1::CreateContainerRequest create;
  create.set_pod_sandbox_id(ids->pod);
  *create.mutable_config() = ContainerConfig(options, serial);
  *create.mutable_sandbox_config() = run.config();
  runtime::v1::CreateContainerResponse created;
  CRISP_RETURN_IF_ERROR(
      Call("CreateContainer", &RuntimeService::Stub::CreateContainer, create, &created, timing));
  ids->container = created.container_id();

  runtime::v1::StartContainerRequest start;
  start.set_container_id(ids->container);
  runtime::v1::StartContainerResponse started;
  CRISP_RETURN_IF_ERROR(
      Call("StartContainer", &RuntimeService::Stub::StartContainer, start, &started, timing));
  timing("pod start", Clock::Real()->Steady() - began);
  return absl::OkStatus();
}

absl::Status Target::EndPod(const PodIds& ids, const Timing& timing) {
  const absl::Duration began = Clock::Real()->Steady();
  if (!ids.container.empty()) {
    runtime::v1::StopContainerRequest stop;
    stop.set_container_id(ids.container);
    stop.set_timeout(10);
    runtime::v1::StopContainerResponse stopped;
    CRISP_RETURN_IF_ERROR(
        Call("StopContainer", &RuntimeService::Stub::StopContainer, stop, &stopped, timing));
    runtime::v1::RemoveContainerRequest remove;
    remove.set_container_id(ids.container);
    runtime::v1::RemoveContainerResponse removed;
    CRISP_RETURN_IF_ERROR(
        Call("RemoveContainer", &RuntimeService::Stub::RemoveContainer, remove, &removed, timing));
  }
  runtime::v1::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(ids.pod);
  runtime::v1::StopPodSandboxResponse stopped;
  CRISP_RETURN_IF_ERROR(
      Call("StopPodSandbox", &RuntimeService::Stub::StopPodSandbox, stop, &stopped, timing));
  runtime::v1::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(ids.pod);
  runtime::v1::RemovePodSandboxResponse removed;
  CRISP_RETURN_IF_ERROR(
      Call("RemovePodSandbox", &RuntimeService::Stub::RemovePodSandbox, remove, &removed, timing));
  timing("pod end", Clock::Real()->Steady() - began);
  return absl::OkStatus();
}

absl::Status Target::AddContainer(const PodIds& ids, const PodOptions& options, int serial) {
  runtime::v1::CreateContainerRequest create;
  create.set_pod_sandbox_id(ids.pod);
  *create.mutable_config() = ContainerConfig(options, serial);
  create.mutable_config()->mutable_metadata()->set_name(absl::StrCat("more-", serial));
  *create.mutable_sandbox_config() = PodConfig(options, serial);
  runtime::v1::CreateContainerResponse created;
  return Call("CreateContainer", &RuntimeService::Stub::CreateContainer, create, &created,
              [](const std::string&, absl::Duration) {});
}

absl::Status Target::ExecTrue(const PodIds& ids, const Timing& timing) {
  runtime::v1::ExecSyncRequest exec;
  exec.set_container_id(ids.container);
  exec.add_cmd("/bin/true");
  exec.set_timeout(30);
  runtime::v1::ExecSyncResponse executed;
  return Call("ExecSync", &RuntimeService::Stub::ExecSync, exec, &executed, timing);
}

absl::StatusOr<runtime::v1::ContainerState> Target::State(const PodIds& ids) {
  runtime::v1::ContainerStatusRequest request;
  request.set_container_id(ids.container);
  runtime::v1::ContainerStatusResponse response;
  CRISP_RETURN_IF_ERROR(Call("ContainerStatus", &RuntimeService::Stub::ContainerStatus, request,
                             &response, [](const std::string&, absl::Duration) {}));
  return response.status().state();
}

absl::Status Target::LivePod(const PodOptions& options, int serial, const Timing& timing) {
  PodIds ids;
  absl::Status lived = StartPod(options, serial, timing, &ids);
  if (lived.ok() && options.exec) lived = ExecTrue(ids, timing);
  if (ids.pod.empty()) return lived;
  const absl::Status ended = EndPod(ids, timing);
  return lived.ok() ? ended : lived;
}

}  // namespace crisp::podbench
