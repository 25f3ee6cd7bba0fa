#include "agent/runtime/cri_runtime.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "agent/cri_client.h"
#include "agent/pod_config.h"
#include "agent/runtime/cri_states.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::Volumes;
using runtime::v1::ImageService;
using runtime::v1::RuntimeService;

// kubelet's bounds: what the runtime may take, besides what the call itself asks for.
constexpr absl::Duration kTimeout = absl::Minutes(2);
constexpr absl::Duration kSandboxTimeout = absl::Minutes(4);

// Gone is as good as stopped and removed.
absl::Status Gone(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

std::string Label(const google::protobuf::Map<std::string, std::string>& labels, const char* key) {
  const auto found = labels.find(key);
  return found == labels.end() ? "" : found->second;
}

class CriRuntime : public PodRuntime {
 public:
  explicit CriRuntime(const std::string& address) : client_(address) {}

  absl::StatusOr<std::string> Name() override {
    runtime::v1::VersionRequest request;
    CRISP_ASSIGN_OR_RETURN(const auto reply,
                           client_.Runtime(&RuntimeService::Stub::Version, request));
    return reply.runtime_name();
  }

  absl::StatusOr<bool> HasVolumes() override {
    crisp::volumes::v1::ListConfigMapsRequest request;
    // No such namespace can be, so the answer is short.
    request.set_namespace_("-");
    const auto reply = client_.Volumes(&Volumes::Stub::ListConfigMaps, request);
    if (absl::IsUnimplemented(reply.status())) return false;
    if (absl::IsUnavailable(reply.status())) return reply.status();
    return true;
  }

  absl::StatusOr<bool> HasUserNamespaces(const std::string& handler) override {
    CRISP_ASSIGN_OR_RETURN(const auto reply, client_.Runtime(&RuntimeService::Stub::Status,
                                                             runtime::v1::StatusRequest()));
    for (const auto& known : reply.runtime_handlers()) {
      if (known.name() == handler) return known.features().user_namespaces();
    }
    return absl::NotFoundError(absl::StrCat("the handler \"", handler, "\" is not known"));
  }

  absl::StatusOr<std::vector<RuntimePod>> ListPods() override;
  absl::StatusOr<RuntimePod> GetPod(const std::string& uid) override;

  absl::Status Watch(const std::function<void()>& connected,
                     const std::function<void(const std::string& uid)>& changed) override;
  void CancelAll() override {
    client_.CancelAll();
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    if (watch_ != nullptr) watch_->TryCancel();
  }

  absl::StatusOr<std::string> RunPodSandbox(const runtime::v1::PodSandboxConfig& config,
                                            const std::string& handler) override {
    runtime::v1::RunPodSandboxRequest request;
    *request.mutable_config() = config;
    request.set_runtime_handler(handler);
    CRISP_ASSIGN_OR_RETURN(const auto reply, client_.Runtime(&RuntimeService::Stub::RunPodSandbox,
                                                             request, kSandboxTimeout));
    return reply.pod_sandbox_id();
  }
  absl::Status StopPodSandbox(const std::string& id) override {
    runtime::v1::StopPodSandboxRequest request;
    request.set_pod_sandbox_id(id);
    return Gone(client_.Runtime(&RuntimeService::Stub::StopPodSandbox, request, kTimeout).status());
  }
  absl::Status RemovePodSandbox(const std::string& id) override {
    runtime::v1::RemovePodSandboxRequest request;
    request.set_pod_sandbox_id(id);
    return Gone(
        client_.Runtime(&RuntimeService::Stub::RemovePodSandbox, request, kTimeout).status());
  }

  absl::StatusOr<std::string> CreateContainer(
      const std::string& sandbox_id, const runtime::v1::ContainerConfig& config,
      const runtime::v1::PodSandboxConfig& sandbox_config) override {
    runtime::v1::CreateContainerRequest request;
    request.set_pod_sandbox_id(sandbox_id);
    *request.mutable_config() = config;
    *request.mutable_sandbox_config() = sandbox_config;
    CRISP_ASSIGN_OR_RETURN(const auto reply, client_.Runtime(&RuntimeService::Stub::CreateContainer,
                                                             request, kTimeout));
    return reply.container_id();
  }
  absl::Status StartContainer(const std::string& id) override {
    runtime::v1::StartContainerRequest request;
    request.set_container_id(id);
    return client_.Runtime(&RuntimeService::Stub::StartContainer, request, kTimeout).status();
  }
  absl::Status StopContainer(const std::string& id, absl::Duration grace) override {
    runtime::v1::StopContainerRequest request;
    request.set_container_id(id);
    // A fraction of a second is a second: 0 would be no grace at all.
    request.set_timeout(absl::ToInt64Seconds(absl::Ceil(grace, absl::Seconds(1))));
    return Gone(
        client_.Runtime(&RuntimeService::Stub::StopContainer, request, grace + kTimeout).status());
  }
  absl::Status RemoveContainer(const std::string& id) override {
    runtime::v1::RemoveContainerRequest request;
    request.set_container_id(id);
    return Gone(
        client_.Runtime(&RuntimeService::Stub::RemoveContainer, request, kTimeout).status());
  }

  absl::Status UpdatePod(const std::string& sandbox_id,
                         const std::map<std::string, std::string>& labels,
                         const std::map<std::string, std::string>& annotations) override {
    crisp::volumes::v1::UpdatePodRequest request;
    request.set_sandbox_id(sandbox_id);
    request.mutable_labels()->insert(labels.begin(), labels.end());
    request.mutable_annotations()->insert(annotations.begin(), annotations.end());
    return Gone(client_.Volumes(&Volumes::Stub::UpdatePod, request).status());
  }

  absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                      const std::vector<std::string>& command,
                                      absl::Duration timeout) override {
    runtime::v1::ExecSyncRequest request;
    request.set_container_id(id);
    for (const std::string& word : command) request.add_cmd(word);
    request.set_timeout(absl::ToInt64Seconds(absl::Ceil(timeout, absl::Seconds(1))));
    CRISP_ASSIGN_OR_RETURN(const auto reply, client_.Runtime(&RuntimeService::Stub::ExecSync,
                                                             request, timeout + kTimeout));
    return ExecResult{reply.exit_code(), absl::StrCat(reply.stdout(), reply.stderr())};
  }

  absl::StatusOr<std::optional<ImageFacts>> ImageStatus(const std::string& image) override {
    runtime::v1::ImageStatusRequest request;
    request.mutable_image()->set_image(image);
    CRISP_ASSIGN_OR_RETURN(const auto reply,
                           client_.Image(&ImageService::Stub::ImageStatus, request));
    if (reply.image().id().empty()) return std::nullopt;
    ImageFacts facts;
    facts.id = reply.image().id();
    facts.has_uid = reply.image().has_uid();
    facts.uid = reply.image().uid().value();
    facts.username = reply.image().username();
    facts.size_bytes = reply.image().size();
    return facts;
  }
  absl::StatusOr<std::string> PullImage(const std::string& image,
                                        const std::optional<RegistryCredentials>& credentials,
                                        const runtime::v1::PodSandboxConfig& pod) override {
    runtime::v1::PullImageRequest request;
    request.mutable_image()->set_image(image);
    if (credentials.has_value()) {
      request.mutable_auth()->set_username(credentials->username);
      request.mutable_auth()->set_password(credentials->password);
    }
    *request.mutable_sandbox_config() = pod;
    // As long as the runtime sees progress; it ends a pull that has none.
    CRISP_ASSIGN_OR_RETURN(const auto reply, client_.Image(&ImageService::Stub::PullImage, request,
                                                           absl::InfiniteDuration()));
    return reply.image_ref();
  }

 private:
  CriClient client_;
  absl::Mutex mu_;
  grpc::ClientContext* watch_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

absl::StatusOr<std::vector<RuntimePod>> CriRuntime::ListPods() {
  CRISP_ASSIGN_OR_RETURN(
      const auto sandboxes,
      client_.Runtime(&RuntimeService::Stub::ListPodSandbox, runtime::v1::ListPodSandboxRequest()));
  CRISP_ASSIGN_OR_RETURN(
      const auto containers,
      client_.Runtime(&RuntimeService::Stub::ListContainers, runtime::v1::ListContainersRequest()));
  std::map<std::string, RuntimePod> pods;
  for (const auto& sandbox : sandboxes.items()) {
    RuntimePod& pod = pods[sandbox.metadata().uid()];
    pod.uid = sandbox.metadata().uid();
    pod.ns = sandbox.metadata().namespace_();
    pod.name = sandbox.metadata().name();
    pod.ours = pod.ours || IsOurs(sandbox);
    pod.sandboxes.push_back(ToSandboxState(sandbox));
  }
  for (const auto& container : containers.containers()) {
    const auto pod = pods.find(Label(container.labels(), kPodUidLabel));
    if (pod != pods.end()) pod->second.containers.push_back(ToContainerState(container));
  }
  std::vector<RuntimePod> out;
  for (auto& [uid, pod] : pods) {
    SortNewestFirst(&pod.sandboxes);
    out.push_back(std::move(pod));
  }
  return out;
}

absl::StatusOr<RuntimePod> CriRuntime::GetPod(const std::string& uid) {
  RuntimePod pod;
  pod.uid = uid;
  runtime::v1::ListPodSandboxRequest list;
  (*list.mutable_filter()->mutable_label_selector())[kPodUidLabel] = uid;
  CRISP_ASSIGN_OR_RETURN(const auto sandboxes,
                         client_.Runtime(&RuntimeService::Stub::ListPodSandbox, list));
  bool list_containers = false;
  for (const auto& sandbox : sandboxes.items()) {
    runtime::v1::PodSandboxStatusRequest request;
    request.set_pod_sandbox_id(sandbox.id());
    const auto reply = client_.Runtime(&RuntimeService::Stub::PodSandboxStatus, request);
    if (absl::IsNotFound(reply.status())) continue;  // It went since it was listed.
    if (!reply.ok()) return reply.status();
    SandboxState state = ToSandboxState(sandbox);
    state.ready = reply->status().state() == runtime::v1::SANDBOX_READY;
    state.ips = AddressesOf(reply->status());
    pod.sandboxes.push_back(std::move(state));
    pod.ns = sandbox.metadata().namespace_();
    pod.name = sandbox.metadata().name();
    pod.ours = pod.ours || IsOurs(sandbox);
    // With a timestamp the containers are here, whole; else they must be asked for.
    if (reply->timestamp() == 0) list_containers = true;
    for (const auto& status : reply->containers_statuses()) {
      if (reply->timestamp() != 0) pod.containers.push_back(ToContainerState(status, sandbox.id()));
    }
  }
  SortNewestFirst(&pod.sandboxes);
  if (!list_containers) return pod;
  pod.containers.clear();
  runtime::v1::ListContainersRequest containers_request;
  (*containers_request.mutable_filter()->mutable_label_selector())[kPodUidLabel] = uid;
  CRISP_ASSIGN_OR_RETURN(
      const auto containers,
      client_.Runtime(&RuntimeService::Stub::ListContainers, containers_request));
  for (const auto& container : containers.containers()) {
    runtime::v1::ContainerStatusRequest request;
    request.set_container_id(container.id());
    const auto reply = client_.Runtime(&RuntimeService::Stub::ContainerStatus, request);
    if (absl::IsNotFound(reply.status())) continue;
    if (!reply.ok()) return reply.status();
    pod.containers.push_back(ToContainerState(reply->status(), container.pod_sandbox_id()));
  }
  return pod;
}

absl::Status CriRuntime::Watch(const std::function<void()>& connected,
                               const std::function<void(const std::string& uid)>& changed) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mu_);
    if (cancelled_) return absl::OkStatus();
    watch_ = &context;
  }
  const auto reader = client_.runtime().GetContainerEvents(&context, {});
  // Servers send no headers before the first event, so there is no telling when the
  // subscription holds; the caller's relist covers the gap.
  connected();
  runtime::v1::ContainerEventResponse event;
  while (reader->Read(&event)) {
    std::string uid = event.pod_sandbox_status().metadata().uid();
    for (const auto& status : event.containers_statuses()) {
      if (uid.empty()) uid = Label(status.labels(), kPodUidLabel);
    }
    changed(uid);
  }
  const grpc::Status status = reader->Finish();
  absl::MutexLock lock(&mu_);
  watch_ = nullptr;
  if (cancelled_) return absl::OkStatus();
  if (status.ok()) return absl::UnavailableError("the stream of container events ended");
  return client_.Explain(status);
}

}  // namespace

std::unique_ptr<PodRuntime> MakeCriRuntime(const CriClient& client) {
  return std::make_unique<CriRuntime>(client.address());
}

}  // namespace crisp::agent
