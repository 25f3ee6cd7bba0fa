// The part of PodWorker that tells of the pod: its status, its instances, its events.
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/pod_config.h"
#include "agent/pods/pod_worker.h"
#include "agent/pods/pod_worker_view.h"
#include "base/log.h"

namespace crisp::agent {

void PodWorker::RuntimeIsAway(const ObjectPtr& object) {
  if (object == nullptr) return;
  if (!parsed_from_object_) status_ = At(*object, "status");
  WriteStatus(KeyOf(*object), UnknownPodStatus(status_, s_.options.node_name, s_.clock->Now()));
}

void PodWorker::ReadLastWords(const View& view) {
  std::map<std::string, std::string> words;
  for (const ContainerState& ended : view.observed.containers) {
    if (ended.phase != ContainerState::Phase::kExited) continue;
    bool init = false;
    const Container* container = Find(ended.name, &init);
    if (container == nullptr) continue;
    const auto known = last_words_.find(ended.id);
    words[ended.id] = known != last_words_.end()
                          ? known->second
                          : pod_->files.ReadLastWords(*container, ended.restart_count,
                                                      ended.exit_code != 0, ended.log_path);
  }
  last_words_ = std::move(words);
}

void PodWorker::WriteStatus(const View& view) {
  if (!parsed_from_object_) return;
  StatusInput in;
  in.init = view.input.init;
  in.main = view.input.main;
  in.restart_policy = view.input.restart_policy;
  in.qos_class = QosClass(pod_->spec);
  in.host_network = pod_->spec.host_network;
  in.host_ip = s_.options.node.ip;
  in.runtime_name = pod_->traits.name;
  in.observed = &view.observed;
  in.history = &view.history;
  in.progress = view.input.progress;
  in.ready = view.ready;
  in.waiting = view.plan.waiting;
  in.last_words = last_words_;
  in.previous = status_;
  in.now = view.input.now;
  in.failed = view.failed;
  WriteStatus(KeyOf(*pod_->object), BuildPodStatus(in));
}

void PodWorker::WriteStatus(const ObjectKey& key, Json status) {
  if (status == status_) return;
  const auto written = s_.store->Update(key, [&](Json& object) {
    if (UidOf(object) != uid_) return absl::NotFoundError("another pod has the name by now");
    object["status"] = status;
    return absl::OkStatus();
  });
  if (!written.ok() && !absl::IsNotFound(written.status())) {
    LogError("a pod's status could not be written",
             {{"pod", key.name}, {"namespace", key.ns}, {"error", written.status()}});
    return;  // status_ stays, so that the next look tries again.
  }
  status_ = std::move(status);
}

void PodWorker::Publish(const View& view) {
  PodInstances out;
  if (const SandboxState* sandbox = view.observed.ReadySandbox(); sandbox != nullptr) {
    out.sandbox_id = sandbox->id;
    const auto addresses = PodAddresses(pod_->spec, *sandbox, s_.options.node.ip);
    if (!addresses.empty()) out.pod_ip = addresses[0];
  }
  const auto path_of = [&](const ContainerState& container) {
    return container.log_path.empty() ? pod_->files.LogPath(container.name, container.restart_count)
                                      : container.log_path;
  };
  for (const bool init : {true, false}) {
    for (const Container& container : init ? pod_->spec.init_containers : pod_->spec.containers) {
      ContainerInstance& one = out.containers.emplace_back();
      one.name = container.name;
      one.init = init;
      if (const auto* newest = view.history.Newest(container.name); newest != nullptr) {
        one.id = newest->id;
        one.running = !newest->lost && newest->phase == ContainerState::Phase::kRunning;
        one.log_path = path_of(*newest);
        one.restart_count = newest->restart_count;
      }
      if (const auto* before = view.history.Previous(container.name); before != nullptr) {
        one.previous_id = before->id;
        one.previous_log_path = path_of(*before);
      }
      const auto waiting = view.plan.waiting.find(container.name);
      if (waiting != view.plan.waiting.end()) {
        one.waiting_reason = waiting->second.reason;
      } else if (one.id.empty()) {
        one.waiting_reason =
            pod_->spec.init_containers.empty() ? "ContainerCreating" : "PodInitializing";
      }
    }
  }
  absl::MutexLock lock(&mu_);
  instances_ = std::move(out);
}

void PodWorker::TellBackOff(const View& view) {
  for (const auto& [name, waiting] : view.plan.waiting) {
    const ContainerState* newest = view.history.Newest(name);
    if (waiting.reason != "CrashLoopBackOff" || newest == nullptr) continue;
    {
      absl::MutexLock lock(&mu_);
      Memory& memory = memory_[name];
      if (memory.back_off_told_for == newest->id) continue;
      memory.back_off_told_for = newest->id;
    }
    bool init = false;
    Find(name, &init);
    s_.events->Record(*pod_->object, EventType::kWarning, "BackOff",
                      absl::StrCat("Back-off restarting failed container ", name, " in pod ",
                                   view.input.full_name),
                      FieldPath(name, init));
  }
}

}  // namespace crisp::agent
