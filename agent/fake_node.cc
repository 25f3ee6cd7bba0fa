#include "agent/fake_node.h"

#include <stdlib.h>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"

namespace crisp::agent {
namespace {

using grpc::Status;
using grpc::StatusCode;

template <typename Wanted, typename Labels>
bool HasLabels(const Labels& labels, const Wanted& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto found = labels.find(key);
    if (found == labels.end() || found->second != value) return false;
  }
  return true;
}

Status NotFound(const std::string& what) {
  return Status(StatusCode::NOT_FOUND, absl::StrCat(what, " not found"));
}

// Created, changed or the same: by value, as the real store decides.
template <typename Map, typename Object>
crisp::volumes::v1::Change Upsert(const Object& object, Map* map) {
  const auto key = std::make_pair(object.key().namespace_(), object.key().name());
  const auto found = map->find(key);
  if (found == map->end()) {
    (*map)[key] = object;
    return crisp::volumes::v1::CHANGE_CREATED;
  }
  Object old = found->second;
  const auto same = [](const auto& a, const auto& b) {
    return std::map<std::string, std::string>(a.begin(), a.end()) ==
           std::map<std::string, std::string>(b.begin(), b.end());
  };
  if (same(old.data(), object.data()) && same(old.labels(), object.labels())) {
    return crisp::volumes::v1::CHANGE_UNCHANGED;
  }
  found->second = object;
  return crisp::volumes::v1::CHANGE_CONFIGURED;
}

}  // namespace

FakeNode::FakeNode() {
  char name[] = "/tmp/crisp-fake-XXXXXX";
  directory_ = ::mkdtemp(name);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(static_cast<runtime::v1::RuntimeService::Service*>(this));
  builder.RegisterService(static_cast<runtime::v1::ImageService::Service*>(this));
  builder.RegisterService(static_cast<crisp::volumes::v1::Volumes::Service*>(this));
  builder.RegisterService(static_cast<crisp::images::v1::Images::Service*>(this));
  // A server that shuts down can wait for its idle threads' poll: 10 s by default.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::CQ_TIMEOUT_MSEC, 100);
  server_ = builder.BuildAndStart();
}

FakeNode::~FakeNode() {
  server_->Shutdown();
  server_->Wait();
  (void)RemoveTree(directory_);
}

void FakeNode::Fail(const std::string& rpc, grpc::Status status) {
  absl::MutexLock lock(&mu_);
  failures_[rpc] = std::move(status);
}

void FakeNode::Exits(const std::string& container, int code) {
  absl::MutexLock lock(&mu_);
  exits_[container] = code;
}

void FakeNode::AddImage(const std::string& name, const std::string& username, int64_t uid) {
  absl::MutexLock lock(&mu_);
  runtime::v1::Image image;
  image.set_id(absl::StrCat("sha256:", name));
  image.set_username(username);
  if (username.empty()) image.mutable_uid()->set_value(uid);
  images_[name] = image;
  images_[image.id()] = image;
}

void FakeNode::SetExec(runtime::v1::ExecSyncResponse reply) {
  absl::MutexLock lock(&mu_);
  exec_reply_ = std::move(reply);
}

std::vector<std::string> FakeNode::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_;
}

size_t FakeNode::sandbox_count() const {
  absl::MutexLock lock(&mu_);
  return sandboxes_.size();
}

runtime::v1::RunPodSandboxRequest FakeNode::sandbox_request() const {
  absl::MutexLock lock(&mu_);
  return last_sandbox_;
}

runtime::v1::ContainerConfig FakeNode::container_config(const std::string& name) const {
  absl::MutexLock lock(&mu_);
  const auto found = configs_.find(name);
  return found == configs_.end() ? runtime::v1::ContainerConfig() : found->second;
}

runtime::v1::PullImageRequest FakeNode::pull_request() const {
  absl::MutexLock lock(&mu_);
  return pull_request_;
}

runtime::v1::ExecSyncRequest FakeNode::exec_request() const {
  absl::MutexLock lock(&mu_);
  return exec_request_;
}

std::string FakeNode::imported() const {
  absl::MutexLock lock(&mu_);
  return imported_;
}

void FakeNode::StopSandboxes() {
  absl::MutexLock lock(&mu_);
  for (auto& [id, sandbox] : sandboxes_) sandbox.listed.set_state(runtime::v1::SANDBOX_NOTREADY);
}

Status FakeNode::Enter(const std::string& rpc) {
  calls_.push_back(rpc);
  const auto found = failures_.find(rpc);
  return found == failures_.end() ? Status::OK : found->second;
}

#define CRISP_FAKE_ENTER(rpc) \
  absl::MutexLock lock(&mu_); \
  if (grpc::Status s = Enter(rpc); !s.ok()) return s

Status FakeNode::Version(Context*, const runtime::v1::VersionRequest*,
                         runtime::v1::VersionResponse* reply) {
  CRISP_FAKE_ENTER("Version");
  reply->set_runtime_name("fake");
  reply->set_runtime_version("1.2.3");
  reply->set_runtime_api_version("v1");
  return Status::OK;
}

Status FakeNode::Status(Context*, const runtime::v1::StatusRequest*,
                        runtime::v1::StatusResponse* reply) {
  CRISP_FAKE_ENTER("Status");
  reply->add_runtime_handlers()->mutable_features()->set_user_namespaces(true);
  reply->add_runtime_handlers()->set_name("runc");
  return Status::OK;
}

Status FakeNode::RunPodSandbox(Context*, const runtime::v1::RunPodSandboxRequest* request,
                               runtime::v1::RunPodSandboxResponse* reply) {
  CRISP_FAKE_ENTER("RunPodSandbox");
  last_sandbox_ = *request;
  const std::string id = absl::StrCat("sandbox-", next_id_++);
  FakeSandbox& sandbox = sandboxes_[id];
  sandbox.request = *request;
  sandbox.listed.set_id(id);
  *sandbox.listed.mutable_metadata() = request->config().metadata();
  *sandbox.listed.mutable_labels() = request->config().labels();
  *sandbox.listed.mutable_annotations() = request->config().annotations();
  sandbox.listed.set_created_at(1'700'000'000'000'000'000);
  reply->set_pod_sandbox_id(id);
  return Status::OK;
}

Status FakeNode::StopPodSandbox(Context*, const runtime::v1::StopPodSandboxRequest* request,
                                runtime::v1::StopPodSandboxResponse*) {
  CRISP_FAKE_ENTER("StopPodSandbox");
  if (const auto found = sandboxes_.find(request->pod_sandbox_id()); found != sandboxes_.end()) {
    found->second.listed.set_state(runtime::v1::SANDBOX_NOTREADY);
  }
  return Status::OK;
}

Status FakeNode::RemovePodSandbox(Context*, const runtime::v1::RemovePodSandboxRequest* request,
                                  runtime::v1::RemovePodSandboxResponse*) {
  CRISP_FAKE_ENTER("RemovePodSandbox");
  sandboxes_.erase(request->pod_sandbox_id());
  for (auto it = containers_.begin(); it != containers_.end();) {
    it = it->second.sandbox_id == request->pod_sandbox_id() ? containers_.erase(it) : std::next(it);
  }
  return Status::OK;
}

Status FakeNode::PodSandboxStatus(Context*, const runtime::v1::PodSandboxStatusRequest* request,
                                  runtime::v1::PodSandboxStatusResponse* reply) {
  CRISP_FAKE_ENTER("PodSandboxStatus");
  const auto found = sandboxes_.find(request->pod_sandbox_id());
  if (found == sandboxes_.end()) return NotFound("sandbox");
  reply->mutable_status()->set_id(found->first);
  reply->mutable_status()->mutable_network()->set_ip("10.85.0.7");
  return Status::OK;
}

Status FakeNode::ListPodSandbox(Context*, const runtime::v1::ListPodSandboxRequest* request,
                                runtime::v1::ListPodSandboxResponse* reply) {
  CRISP_FAKE_ENTER("ListPodSandbox");
  for (const auto& [id, sandbox] : sandboxes_) {
    if (HasLabels(sandbox.listed.labels(), request->filter().label_selector())) {
      *reply->add_items() = sandbox.listed;
    }
  }
  return Status::OK;
}

Status FakeNode::CreateContainer(Context*, const runtime::v1::CreateContainerRequest* request,
                                 runtime::v1::CreateContainerResponse* reply) {
  CRISP_FAKE_ENTER("CreateContainer");
  const auto sandbox = sandboxes_.find(request->pod_sandbox_id());
  if (sandbox == sandboxes_.end()) return NotFound("sandbox");
  const std::string id = absl::StrCat("container-", next_id_++);
  FakeContainer& container = containers_[id];
  container.sandbox_id = request->pod_sandbox_id();
  container.config = request->config();
  configs_[request->config().metadata().name()] = request->config();
  runtime::v1::ContainerStatus& status = container.status;
  status.set_id(id);
  *status.mutable_metadata() = request->config().metadata();
  *status.mutable_labels() = request->config().labels();
  *status.mutable_annotations() = request->config().annotations();
  *status.mutable_image() = request->config().image();
  status.set_created_at(next_id_);
  status.set_log_path(
      JoinPath(sandbox->second.request.config().log_directory(), request->config().log_path()));
  reply->set_container_id(id);
  return Status::OK;
}

Status FakeNode::StartContainer(Context*, const runtime::v1::StartContainerRequest* request,
                                runtime::v1::StartContainerResponse*) {
  CRISP_FAKE_ENTER("StartContainer");
  const auto found = containers_.find(request->container_id());
  if (found == containers_.end()) return NotFound("container");
  runtime::v1::ContainerStatus& status = found->second.status;
  const auto exit = exits_.find(status.metadata().name());
  if (exit == exits_.end()) {
    status.set_state(runtime::v1::CONTAINER_RUNNING);
  } else {
    status.set_state(runtime::v1::CONTAINER_EXITED);
    status.set_exit_code(exit->second);
    status.set_reason(exit->second == 0     ? "Completed"
                      : exit->second == 137 ? "OOMKilled"
                                            : "Error");
  }
  return Status::OK;
}

Status FakeNode::StopContainer(Context*, const runtime::v1::StopContainerRequest* request,
                               runtime::v1::StopContainerResponse*) {
  CRISP_FAKE_ENTER(absl::StrCat("StopContainer:", request->timeout()));
  if (const auto found = containers_.find(request->container_id()); found != containers_.end()) {
    found->second.status.set_state(runtime::v1::CONTAINER_EXITED);
  }
  return Status::OK;
}

Status FakeNode::ListContainers(Context*, const runtime::v1::ListContainersRequest* request,
                                runtime::v1::ListContainersResponse* reply) {
  CRISP_FAKE_ENTER("ListContainers");
  const auto& filter = request->filter();
  for (const auto& [id, container] : containers_) {
    if (!HasLabels(container.status.labels(), filter.label_selector())) continue;
    if (!filter.pod_sandbox_id().empty() && filter.pod_sandbox_id() != container.sandbox_id) {
      continue;
    }
    if (filter.has_state() && filter.state().state() != container.status.state()) continue;
    runtime::v1::Container* listed = reply->add_containers();
    listed->set_id(id);
    listed->set_pod_sandbox_id(container.sandbox_id);
    *listed->mutable_metadata() = container.status.metadata();
    listed->set_state(container.status.state());
  }
  return Status::OK;
}

Status FakeNode::ContainerStatus(Context*, const runtime::v1::ContainerStatusRequest* request,
                                 runtime::v1::ContainerStatusResponse* reply) {
  CRISP_FAKE_ENTER("ContainerStatus");
  const auto found = containers_.find(request->container_id());
  if (found == containers_.end()) return NotFound("container");
  *reply->mutable_status() = found->second.status;
  return Status::OK;
}

Status FakeNode::ExecSync(Context*, const runtime::v1::ExecSyncRequest* request,
                          runtime::v1::ExecSyncResponse* reply) {
  CRISP_FAKE_ENTER("ExecSync");
  exec_request_ = *request;
  *reply = exec_reply_;
  return Status::OK;
}

Status FakeNode::ImageStatus(Context*, const runtime::v1::ImageStatusRequest* request,
                             runtime::v1::ImageStatusResponse* reply) {
  CRISP_FAKE_ENTER("ImageStatus");
  const auto found = images_.find(request->image().image());
  if (found != images_.end()) *reply->mutable_image() = found->second;
  return Status::OK;
}

Status FakeNode::PullImage(Context*, const runtime::v1::PullImageRequest* request,
                           runtime::v1::PullImageResponse* reply) {
  CRISP_FAKE_ENTER("PullImage");
  pull_request_ = *request;
  runtime::v1::Image image;
  image.set_id(absl::StrCat("sha256:", request->image().image()));
  images_[request->image().image()] = image;
  images_[image.id()] = image;
  reply->set_image_ref(image.id());
  return Status::OK;
}

Status FakeNode::ApplyConfigMap(Context*, const crisp::volumes::v1::ApplyConfigMapRequest* request,
                                crisp::volumes::v1::ApplyConfigMapResponse* reply) {
  CRISP_FAKE_ENTER("ApplyConfigMap");
  reply->set_change(Upsert(request->config_map(), &config_maps_));
  return Status::OK;
}

Status FakeNode::GetConfigMap(Context*, const crisp::volumes::v1::GetConfigMapRequest* request,
                              crisp::volumes::v1::GetConfigMapResponse* reply) {
  CRISP_FAKE_ENTER("GetConfigMap");
  const auto found = config_maps_.find({request->key().namespace_(), request->key().name()});
  if (found == config_maps_.end()) return NotFound("configmap");
  *reply->mutable_config_map() = found->second;
  return Status::OK;
}

Status FakeNode::ListConfigMaps(Context*, const crisp::volumes::v1::ListConfigMapsRequest* request,
                                crisp::volumes::v1::ListConfigMapsResponse* reply) {
  CRISP_FAKE_ENTER("ListConfigMaps");
  for (const auto& [key, object] : config_maps_) {
    if (request->namespace_().empty() || request->namespace_() == key.first) {
      *reply->add_config_maps() = object;
    }
  }
  return Status::OK;
}

Status FakeNode::DeleteConfigMap(Context*,
                                 const crisp::volumes::v1::DeleteConfigMapRequest* request,
                                 crisp::volumes::v1::DeleteConfigMapResponse* reply) {
  CRISP_FAKE_ENTER("DeleteConfigMap");
  const Key key(request->key().namespace_(), request->key().name());
  reply->set_existed(config_maps_.erase(key) > 0);
  return Status::OK;
}

Status FakeNode::ApplySecret(Context*, const crisp::volumes::v1::ApplySecretRequest* request,
                             crisp::volumes::v1::ApplySecretResponse* reply) {
  CRISP_FAKE_ENTER("ApplySecret");
  reply->set_change(Upsert(request->secret(), &secrets_));
  return Status::OK;
}

Status FakeNode::GetSecret(Context*, const crisp::volumes::v1::GetSecretRequest* request,
                           crisp::volumes::v1::GetSecretResponse* reply) {
  CRISP_FAKE_ENTER("GetSecret");
  const auto found = secrets_.find({request->key().namespace_(), request->key().name()});
  if (found == secrets_.end()) return NotFound("secret");
  *reply->mutable_secret() = found->second;
  return Status::OK;
}

Status FakeNode::ListSecrets(Context*, const crisp::volumes::v1::ListSecretsRequest* request,
                             crisp::volumes::v1::ListSecretsResponse* reply) {
  CRISP_FAKE_ENTER("ListSecrets");
  for (const auto& [key, object] : secrets_) {
    if (request->namespace_().empty() || request->namespace_() == key.first) {
      *reply->add_secrets() = object;
    }
  }
  return Status::OK;
}

Status FakeNode::ImportImage(Context*,
                             grpc::ServerReader<crisp::images::v1::ImportImageRequest>* reader,
                             crisp::images::v1::ImportImageResponse* reply) {
  crisp::images::v1::ImportImageRequest request;
  std::string name, data;
  while (reader->Read(&request)) {
    if (!request.name().empty()) name = request.name();
    data += request.data();
  }
  CRISP_FAKE_ENTER("ImportImage");
  imported_ = data;
  auto* image = reply->add_images();
  image->set_name(name);
  image->set_id("sha256:0123");
  return Status::OK;
}

#undef CRISP_FAKE_ENTER

}  // namespace crisp::agent
