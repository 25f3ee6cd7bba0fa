#include "agent/pod_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/pod_config.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::ContainerStatus;
using runtime::v1::RuntimeService;

std::vector<std::string> NamesIn(const nlohmann::json& spec, const char* field) {
  std::vector<std::string> names;
  const auto list = spec.find(field);
  if (list == spec.end() || !list->is_array()) return names;
  for (const auto& container : *list) {
    if (container.is_object()) names.push_back(container.value("name", ""));
  }
  return names;
}

bool Newer(const runtime::v1::PodSandbox& a, const runtime::v1::PodSandbox& b) {
  const bool a_ready = a.state() == runtime::v1::SANDBOX_READY;
  const bool b_ready = b.state() == runtime::v1::SANDBOX_READY;
  if (a_ready != b_ready) return a_ready;
  return a.created_at() > b.created_at();
}

// A container or sandbox that went away since it was listed is left out.
absl::Status Fill(CriClient& node, const std::vector<runtime::v1::Container>& containers,
                  PodView* pod) {
  const auto& annotations = pod->sandbox.annotations();
  if (const auto spec = annotations.find(kSpecAnnotation); spec != annotations.end()) {
    pod->spec = nlohmann::json::parse(spec->second, nullptr, false);
  }
  if (!pod->spec.is_object()) pod->spec = nullptr;
  for (const auto& container : containers) {
    runtime::v1::ContainerStatusRequest request;
    request.set_container_id(container.id());
    const auto reply = node.Runtime(&RuntimeService::Stub::ContainerStatus, request);
    if (absl::IsNotFound(reply.status())) continue;
    if (!reply.ok()) return reply.status();
    pod->containers.push_back(reply->status());
  }
  std::map<std::string, size_t> order;
  for (const std::string& name : pod->InitContainerNames()) order.emplace(name, order.size());
  for (const std::string& name : NamesIn(pod->spec, "containers")) {
    order.emplace(name, order.size());
  }
  const auto place = [&](const ContainerStatus& c) {
    const auto found = order.find(c.metadata().name());
    return found == order.end() ? order.size() : found->second;
  };
  std::stable_sort(pod->containers.begin(), pod->containers.end(),
                   [&](const ContainerStatus& a, const ContainerStatus& b) {
                     return std::make_tuple(place(a), b.metadata().attempt(), b.created_at()) <
                            std::make_tuple(place(b), a.metadata().attempt(), a.created_at());
                   });
  runtime::v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(pod->sandbox.id());
  const auto reply = node.Runtime(&RuntimeService::Stub::PodSandboxStatus, request);
  if (absl::IsNotFound(reply.status())) return absl::OkStatus();
  if (!reply.ok()) return reply.status();
  const auto& network = reply->status().network();
  if (!network.ip().empty()) pod->ips.push_back(network.ip());
  for (const auto& ip : network.additional_ips()) pod->ips.push_back(ip.ip());
  return absl::OkStatus();
}

uint64_t Restarts(const ContainerStatus& status) {
  uint64_t count = status.metadata().attempt();
  const auto found = status.annotations().find(kRestartCountAnnotation);
  uint64_t said = 0;
  if (found != status.annotations().end() && absl::SimpleAtoi(found->second, &said)) {
    count = std::max(count, said);
  }
  return count;
}

// "Init:..." while the init containers are not done, else "".
std::string InitStatus(const PodView& pod) {
  const std::vector<std::string> names = pod.InitContainerNames();
  for (size_t done = 0; done < names.size(); ++done) {
    const ContainerStatus* status = pod.Find(names[done]);
    if (status != nullptr && status->state() == runtime::v1::CONTAINER_EXITED) {
      if (status->exit_code() == 0) continue;
      return absl::StrCat("Init:", ExitReason(*status));
    }
    return absl::StrCat("Init:", done, "/", names.size());
  }
  return "";
}

}  // namespace

std::vector<std::string> PodView::ContainerNames() const {
  std::vector<std::string> names = NamesIn(spec, "containers");
  if (!names.empty()) return names;
  for (const ContainerStatus& status : containers) {
    const std::string& name = status.metadata().name();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<std::string> PodView::InitContainerNames() const {
  return NamesIn(spec, "initContainers");
}

const ContainerStatus* PodView::Find(const std::string& container) const {
  for (const ContainerStatus& status : containers) {
    if (status.metadata().name() == container) return &status;
  }
  return nullptr;
}

absl::StatusOr<std::vector<PodView>> ListPods(CriClient& node, const std::string& ns,
                                              const std::string& name) {
  runtime::v1::ListPodSandboxRequest sandboxes_request;
  runtime::v1::ListContainersRequest containers_request;
  for (auto* labels : {sandboxes_request.mutable_filter()->mutable_label_selector(),
                       containers_request.mutable_filter()->mutable_label_selector()}) {
    if (!ns.empty()) (*labels)[kPodNamespaceLabel] = ns;
    if (!name.empty()) (*labels)[kPodNameLabel] = name;
  }
  CRISP_ASSIGN_OR_RETURN(auto sandboxes,
                         node.Runtime(&RuntimeService::Stub::ListPodSandbox, sandboxes_request));
  CRISP_ASSIGN_OR_RETURN(auto containers,
                         node.Runtime(&RuntimeService::Stub::ListContainers, containers_request));
  std::map<std::string, std::vector<runtime::v1::Container>> by_sandbox;
  for (auto& container : *containers.mutable_containers()) {
    by_sandbox[container.pod_sandbox_id()].push_back(std::move(container));
  }
  std::map<std::pair<std::string, std::string>, std::vector<runtime::v1::PodSandbox>> by_name;
  for (auto& sandbox : *sandboxes.mutable_items()) {
    const auto& metadata = sandbox.metadata();
    by_name[{metadata.namespace_(), metadata.name()}].push_back(std::move(sandbox));
  }
  std::vector<PodView> pods;
  for (auto& [key, group] : by_name) {
    std::sort(group.begin(), group.end(), Newer);
    PodView& pod = pods.emplace_back();
    pod.sandbox = std::move(group[0]);
    pod.older.assign(std::make_move_iterator(group.begin() + 1),
                     std::make_move_iterator(group.end()));
    CRISP_RETURN_IF_ERROR(Fill(node, by_sandbox[pod.sandbox.id()], &pod));
  }
  return pods;
}

absl::StatusOr<PodView> FindPod(CriClient& node, const std::string& ns, const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(std::vector<PodView> pods, ListPods(node, ns, name));
  if (pods.empty()) return absl::NotFoundError(absl::StrCat("pods \"", name, "\" not found"));
  return std::move(pods[0]);
}

std::string ExitReason(const ContainerStatus& status) {
  if (!status.reason().empty()) return status.reason();
  return status.exit_code() == 0 ? "Completed" : "Error";
}

PodSummary Summarise(const PodView& pod) {
  PodSummary out;
  size_t running = 0, failed = 0, exited = 0;
  std::string waiting, terminated;
  for (const std::string& name : pod.ContainerNames()) {
    ++out.total;
    const ContainerStatus* status = pod.Find(name);
    if (status == nullptr || status->state() == runtime::v1::CONTAINER_CREATED) {
      waiting = "ContainerCreating";
      continue;
    }
    out.restarts += Restarts(*status);
    if (status->state() == runtime::v1::CONTAINER_RUNNING) {
      ++running;
      ++out.ready;
    } else if (status->state() == runtime::v1::CONTAINER_EXITED) {
      ++exited;
      if (status->exit_code() != 0) ++failed;
      // The first container that failed says why; else that it is over.
      if (terminated.empty() || (terminated == "Completed" && status->exit_code() != 0)) {
        terminated = ExitReason(*status);
      }
    } else {
      terminated = "ContainerStatusUnknown";
    }
  }
  const std::string init = InitStatus(pod);
  if (!init.empty()) {
    out.status = init;
    out.phase = "Pending";
  } else if (!waiting.empty() || out.total == 0) {
    out.status = pod.ready() ? "ContainerCreating" : "NotReady";
    out.phase = "Pending";
  } else if (exited == out.total) {
    out.status = terminated;
    out.phase = failed > 0 ? "Failed" : "Succeeded";
  } else if (terminated.empty() || terminated == "Completed") {
    out.status = running == out.total ? "Running" : "NotReady";
    out.phase = "Running";
  } else {
    out.status = terminated;
    out.phase = "Running";
  }
  if (!pod.ready()) out.ready = 0;
  return out;
}

}  // namespace crisp::agent
