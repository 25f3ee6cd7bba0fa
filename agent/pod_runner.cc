#include "agent/pod_runner.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/log_reader.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::ImageService;
using runtime::v1::RuntimeService;

// Undoing has its own time: the apply's may be what ran out.
constexpr absl::Duration kUndoTimeout = absl::Minutes(2);
constexpr absl::Duration kPoll = absl::Milliseconds(50);

// RFC 4122, version 4.
std::string NewUid() {
  std::string hex = RandomHex(32);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] & 3];
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string Annotation(const runtime::v1::PodSandbox& sandbox, const char* key) {
  const auto found = sandbox.annotations().find(key);
  return found == sandbox.annotations().end() ? "" : found->second;
}

// Every container of the spec was started: an apply that was cut short leaves
// some out, or created only.
bool IsComplete(const PodView& pod) {
  for (const std::string& name : pod.ContainerNames()) {
    const auto* status = pod.Find(name);
    if (status == nullptr || status->state() == runtime::v1::CONTAINER_CREATED) return false;
  }
  return true;
}

// The server often names the container itself; once is enough.
absl::Status Naming(const absl::Status& status, const std::string& doing) {
  return absl::StartsWith(status.message(), doing) ? status : Annotate(status, doing);
}

int64_t OwnGrace(const PodView& pod) {
  constexpr int64_t kDefault = 30;
  if (!pod.spec.is_object()) return kDefault;
  const auto found = pod.spec.find("terminationGracePeriodSeconds");
  return found != pod.spec.end() && found->is_number_integer() ? found->get<int64_t>() : kDefault;
}

absl::StatusOr<ImageFacts> ImageOnNode(CriClient& node, const std::string& image) {
  runtime::v1::ImageStatusRequest request;
  request.mutable_image()->set_image(image);
  CRISP_ASSIGN_OR_RETURN(const auto reply, node.Image(&ImageService::Stub::ImageStatus, request));
  ImageFacts facts;
  facts.id = reply.image().id();
  facts.has_uid = reply.image().has_uid();
  facts.uid = reply.image().uid().value();
  facts.username = reply.image().username();
  return facts;
}

// The node's own ConfigMaps and Secrets.
class NodeObjects : public ObjectSource {
 public:
  explicit NodeObjects(CriClient* node) : node_(*node) {}

  absl::StatusOr<Data> Read(ObjectKind kind, const std::string& ns,
                            const std::string& name) override {
    using crisp::volumes::v1::Volumes;
    Data data;
    if (kind == ObjectKind::kConfigMap) {
      crisp::volumes::v1::GetConfigMapRequest request;
      request.mutable_key()->set_namespace_(ns);
      request.mutable_key()->set_name(name);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             node_.Volumes(&Volumes::Stub::GetConfigMap, request));
      data.insert(reply.config_map().data().begin(), reply.config_map().data().end());
    } else {
      crisp::volumes::v1::GetSecretRequest request;
      request.mutable_key()->set_namespace_(ns);
      request.mutable_key()->set_name(name);
      CRISP_ASSIGN_OR_RETURN(const auto reply, node_.Volumes(&Volumes::Stub::GetSecret, request));
      data.insert(reply.secret().data().begin(), reply.secret().data().end());
    }
    return data;
  }

 private:
  CriClient& node_;
};

}  // namespace

struct PodRunner::Launch {
  const Pod& pod;
  PodInstance instance;
  runtime::v1::PodSandboxConfig config;
  EnvironmentSources sources;
  PodFacts facts;
  std::map<std::string, ImageFacts> images;  // By container.
  std::string sandbox_id;
  absl::Duration deadline;
};

absl::Duration PodRunner::Left(absl::Duration deadline) const {
  return std::max(deadline - clock_.Steady(), absl::ZeroDuration());
}

std::string PodRunner::LogDirectory(const std::string& ns, const std::string& name,
                                    const std::string& uid) const {
  return JoinPath(options_.log_root, absl::StrCat(ns, "_", name, "_", uid));
}

absl::StatusOr<ImageFacts> PodRunner::EnsureImage(const Container& container,
                                                  const runtime::v1::PodSandboxConfig& sandbox,
                                                  absl::Duration deadline) {
  const std::string& policy = container.image_pull_policy;
  if (policy != "Always") {
    CRISP_ASSIGN_OR_RETURN(ImageFacts present, ImageOnNode(node_, container.image));
    if (!present.id.empty()) return present;
    if (policy == "Never") {
      return absl::NotFoundError(
          absl::StrCat("container ", container.name, ": the image ", container.image,
                       " is not on this node and imagePullPolicy is Never; \"crisp import\" "
                       "brings one from a file"));
    }
  }
  runtime::v1::PullImageRequest request;
  request.mutable_image()->set_image(container.image);
  *request.mutable_sandbox_config() = sandbox;
  CRISP_ASSIGN_OR_RETURN(
      const auto pulled,
      Annotate(node_.Image(&ImageService::Stub::PullImage, request, Left(deadline)), "container ",
               container.name, ": pull image ", container.image));
  CRISP_ASSIGN_OR_RETURN(ImageFacts facts, ImageOnNode(node_, pulled.image_ref()));
  if (facts.id.empty()) {
    return absl::NotFoundError(absl::StrCat("container ", container.name, ": the image ",
                                            container.image, " was pulled and is gone again"));
  }
  return facts;
}

absl::StatusOr<PodRunner::Outcome> PodRunner::Apply(const Pod& pod) {
  Outcome outcome = Outcome::kCreated;
  Launch launch{.pod = pod};
  launch.deadline = clock_.Steady() + options_.timeout;
  launch.instance.uid = NewUid();
  launch.instance.log_directory = LogDirectory(pod.ns, pod.name, launch.instance.uid);
  launch.instance.host_resolv_conf = options_.node.resolv_conf;

  absl::StatusOr<PodView> existing = FindPod(node_, pod.ns, pod.name);
  if (!existing.ok() && !absl::IsNotFound(existing.status())) return existing.status();
  bool replace = false;
  if (existing.ok()) {
    const std::string hash = Annotation(existing->sandbox, kSpecHashAnnotation);
    if (existing->ready() && hash != SpecHash(pod)) {
      return absl::FailedPreconditionError(absl::StrCat(
          hash.empty() ? "a pod of this name runs that another client made"
                       : "the pod runs with another spec, and a pod cannot change while it runs",
          ": first \"crisp delete pod ", pod.name, " -n ", pod.ns, "\", then apply again"));
    }
    if (existing->ready() && IsComplete(*existing)) return Outcome::kUnchanged;
    // What an interrupted apply, a reboot or a death of the sandbox left.
    replace = true;
    outcome = Outcome::kRecreated;
  }

  launch.facts.uid = launch.instance.uid;
  launch.facts.node_name = options_.node.name;
  launch.facts.host_ip = options_.node.ip;
  NodeObjects objects(&node_);
  CRISP_ASSIGN_OR_RETURN(launch.sources, EnvironmentSources::Fetch(objects, pod));
  launch.config = MakeSandboxConfig(pod, launch.instance);
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      CRISP_RETURN_IF_ERROR(launch.sources.Resolve(pod, container, launch.facts).status());
    }
  }
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      CRISP_ASSIGN_OR_RETURN(launch.images[container.name],
                             EnsureImage(container, launch.config, launch.deadline));
    }
  }
  if (replace) {
    CRISP_RETURN_IF_ERROR(Annotate(Delete(pod.ns, pod.name, std::nullopt), "replace what is left"));
  }
  if (absl::Status status = Run(launch); !status.ok()) {
    if (const absl::Status undone = Undo(launch); !undone.ok()) {
      return Annotate(status, "(not everything could be undone: ", undone.message(),
                      "; \"crisp delete pod ", pod.name, " -n ", pod.ns, "\" tries again)");
    }
    return status;
  }
  return outcome;
}

absl::Status PodRunner::Run(Launch& launch) {
  for (const auto* list : {&launch.pod.init_containers, &launch.pod.containers}) {
    for (const Container& container : *list) {
      const std::string directory = JoinPath(launch.instance.log_directory, container.name);
      CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(directory, 0755), "make the log directory"));
    }
  }
  runtime::v1::RunPodSandboxRequest request;
  *request.mutable_config() = launch.config;
  request.set_runtime_handler(launch.pod.runtime_class_name);
  CRISP_ASSIGN_OR_RETURN(const auto sandbox, node_.Runtime(&RuntimeService::Stub::RunPodSandbox,
                                                           request, Left(launch.deadline)));
  launch.sandbox_id = sandbox.pod_sandbox_id();

  runtime::v1::PodSandboxStatusRequest status_request;
  status_request.set_pod_sandbox_id(launch.sandbox_id);
  CRISP_ASSIGN_OR_RETURN(const auto status,
                         node_.Runtime(&RuntimeService::Stub::PodSandboxStatus, status_request));
  const auto& network = status.status().network();
  launch.facts.pod_ip = launch.pod.host_network ? launch.facts.host_ip : network.ip();
  launch.facts.pod_ips = {launch.facts.pod_ip};
  if (!launch.pod.host_network) {
    for (const auto& ip : network.additional_ips()) launch.facts.pod_ips.push_back(ip.ip());
  }
  for (const Container& container : launch.pod.init_containers) {
    std::string id;
    CRISP_RETURN_IF_ERROR(StartContainer(launch, container, &id));
    CRISP_RETURN_IF_ERROR(AwaitInit(launch, container, id));
  }
  for (const Container& container : launch.pod.containers) {
    std::string id;
    CRISP_RETURN_IF_ERROR(StartContainer(launch, container, &id));
  }
  return absl::OkStatus();
}

absl::Status PodRunner::StartContainer(Launch& launch, const Container& container,
                                       std::string* id) {
  CRISP_ASSIGN_OR_RETURN(const Environment environment,
                         launch.sources.Resolve(launch.pod, container, launch.facts));
  runtime::v1::CreateContainerRequest create;
  create.set_pod_sandbox_id(launch.sandbox_id);
  *create.mutable_sandbox_config() = launch.config;
  CRISP_ASSIGN_OR_RETURN(
      *create.mutable_config(),
      MakeContainerConfig(launch.pod, container, launch.instance, launch.images[container.name],
                          environment, options_.node.memory_bytes));
  const auto created =
      node_.Runtime(&RuntimeService::Stub::CreateContainer, create, Left(launch.deadline));
  if (!created.ok()) return Naming(created.status(), "create container " + container.name);
  *id = created->container_id();
  runtime::v1::StartContainerRequest start;
  start.set_container_id(*id);
  return Naming(
      node_.Runtime(&RuntimeService::Stub::StartContainer, start, Left(launch.deadline)).status(),
      "start container " + container.name);
}

absl::Status PodRunner::AwaitInit(Launch& launch, const Container& container,
                                  const std::string& id) {
  runtime::v1::ContainerStatusRequest request;
  request.set_container_id(id);
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const auto reply,
                           node_.Runtime(&RuntimeService::Stub::ContainerStatus, request));
    const auto& status = reply.status();
    if (status.state() == runtime::v1::CONTAINER_EXITED) {
      if (status.exit_code() == 0) return absl::OkStatus();
      // The log goes with the pod, so its last words come along.
      const std::string words = LastLogLine(status.log_path());
      return absl::AbortedError(absl::StrCat("init container ", container.name,
                                             " exited with code ", status.exit_code(),
                                             words.empty() ? "" : ": ", words));
    }
    if (Left(launch.deadline) == absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat("init container ", container.name,
                                                      " did not end within ",
                                                      absl::FormatDuration(options_.timeout)));
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status PodRunner::Undo(const Launch& launch) {
  // Found by its uid, because a RunPodSandbox that we stopped waiting for may
  // have come through since.
  runtime::v1::ListPodSandboxRequest request;
  (*request.mutable_filter()->mutable_label_selector())[kPodUidLabel] = launch.instance.uid;
  CRISP_ASSIGN_OR_RETURN(const auto found,
                         node_.Runtime(&RuntimeService::Stub::ListPodSandbox, request));
  for (const auto& sandbox : found.items()) CRISP_RETURN_IF_ERROR(RemoveSandbox(sandbox, 0));
  return RemoveTree(launch.instance.log_directory);
}

absl::Status PodRunner::WaitStarted(const std::string& ns, const std::string& name) {
  const absl::Duration deadline = clock_.Steady() + options_.timeout;
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const PodView pod, FindPod(node_, ns, name));
    bool settled = true;
    for (const std::string& container : pod.ContainerNames()) {
      const auto* status = pod.Find(container);
      if (status != nullptr && status->state() == runtime::v1::CONTAINER_EXITED &&
          status->exit_code() != 0) {
        return absl::AbortedError(absl::StrCat("container ", container, " ended with ",
                                               ExitReason(*status), " (exit code ",
                                               status->exit_code(), "): see \"crisp logs ", name,
                                               " -c ", container, " -n ", ns, "\""));
      }
      settled = settled && status != nullptr &&
                (status->state() == runtime::v1::CONTAINER_RUNNING ||
                 status->state() == runtime::v1::CONTAINER_EXITED);
    }
    if (settled) return absl::OkStatus();
    if (Left(deadline) == absl::ZeroDuration()) {
      return absl::DeadlineExceededError("not every container runs yet");
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status PodRunner::RemoveSandbox(const runtime::v1::PodSandbox& sandbox,
                                      int64_t grace_seconds) {
  runtime::v1::ListContainersRequest list;
  list.mutable_filter()->set_pod_sandbox_id(sandbox.id());
  list.mutable_filter()->mutable_state()->set_state(runtime::v1::CONTAINER_RUNNING);
  CRISP_ASSIGN_OR_RETURN(const auto containers,
                         node_.Runtime(&RuntimeService::Stub::ListContainers, list));
  // All at once, so that the pod's grace period passes once.
  std::vector<absl::Status> stopped(static_cast<size_t>(containers.containers_size()));
  std::vector<std::thread> threads;
  for (int i = 0; i < containers.containers_size(); ++i) {
    threads.emplace_back([&, i] {
      runtime::v1::StopContainerRequest stop;
      stop.set_container_id(containers.containers(i).id());
      stop.set_timeout(grace_seconds);
      stopped[static_cast<size_t>(i)] = node_
                                            .Runtime(&RuntimeService::Stub::StopContainer, stop,
                                                     kUndoTimeout + absl::Seconds(grace_seconds))
                                            .status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : stopped) {
    if (!absl::IsNotFound(status)) CRISP_RETURN_IF_ERROR(Annotate(status, "stop container"));
  }
  runtime::v1::StopPodSandboxRequest stop;
  stop.set_pod_sandbox_id(sandbox.id());
  absl::Status status =
      node_.Runtime(&RuntimeService::Stub::StopPodSandbox, stop, kUndoTimeout).status();
  if (!absl::IsNotFound(status)) CRISP_RETURN_IF_ERROR(Annotate(status, "stop sandbox"));
  runtime::v1::RemovePodSandboxRequest remove;
  remove.set_pod_sandbox_id(sandbox.id());
  status = node_.Runtime(&RuntimeService::Stub::RemovePodSandbox, remove, kUndoTimeout).status();
  if (!absl::IsNotFound(status)) CRISP_RETURN_IF_ERROR(Annotate(status, "remove sandbox"));
  return absl::OkStatus();
}

absl::Status PodRunner::Delete(const std::string& ns, const std::string& name,
                               std::optional<int64_t> grace_seconds) {
  CRISP_ASSIGN_OR_RETURN(const PodView pod, FindPod(node_, ns, name));
  const int64_t grace = grace_seconds.value_or(OwnGrace(pod));
  std::vector<runtime::v1::PodSandbox> sandboxes = pod.older;
  sandboxes.push_back(pod.sandbox);
  for (const auto& sandbox : sandboxes) {
    CRISP_RETURN_IF_ERROR(RemoveSandbox(sandbox, grace));
    // Another client's uid may hold anything; only one path element is a log directory.
    if (absl::StrContains(absl::StrCat(ns, name, sandbox.metadata().uid()), '/')) continue;
    CRISP_RETURN_IF_ERROR(RemoveTree(LogDirectory(ns, name, sandbox.metadata().uid())));
  }
  return absl::OkStatus();
}

}  // namespace crisp::agent
