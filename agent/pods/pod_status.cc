#include "agent/pods/pod_status.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace crisp::agent {
namespace {

using Phase = ContainerState::Phase;

std::string PhaseOf(const Json& status) {
  return status.is_object() ? status.value("phase", "") : "";
}

const char* const kOwnConditions[] = {"PodReadyToStartContainers", "Initialized", "Ready",
                                      "ContainersReady", "PodScheduled"};

// A condition with the time of its last change, which `previous` keeps.
Json Condition(const Json& previous, const char* type, bool is, const std::string& reason,
               const std::string& message, absl::Time now, const char* status = nullptr) {
  Json condition = {{"type", type},
                    {"status", status != nullptr ? status
                               : is              ? "True"
                                                 : "False"},
                    {"lastProbeTime", nullptr},
                    {"lastTransitionTime", FormatTimestamp(now)}};
  if (!reason.empty()) condition["reason"] = reason;
  if (!message.empty()) condition["message"] = message;
  if (!previous.is_object() || !previous.contains("conditions")) return condition;
  for (const Json& old : previous["conditions"]) {
    if (!old.is_object() || old.value("type", "") != type) continue;
    if (old.value("status", "") == condition["status"] && old.contains("lastTransitionTime")) {
      condition["lastTransitionTime"] = old["lastTransitionTime"];
    }
  }
  return condition;
}

std::string NameList(const std::vector<std::string>& names) {
  return absl::StrCat("[", absl::StrJoin(names, " "), "]");
}

class StatusBuilder {
 public:
  explicit StatusBuilder(const StatusInput& input) : in_(input) {}

  Json Build() {
    status_ = Json::object();
    for (const ContainerRole& role : in_.init) AddContainer(role, true);
    for (const ContainerRole& role : in_.main) AddContainer(role, false);
    SetPhase();
    SetAddresses();
    SetConditions();
    status_["qosClass"] = in_.qos_class;
    const bool started = in_.previous.is_object() && in_.previous.contains("startTime");
    status_["startTime"] = started ? in_.previous["startTime"] : Json(FormatTimestamp(in_.now));
    return std::move(status_);
  }

 private:
  struct Seen {  // What the phase is made from.
    bool running = false, ready = false, started = false, waiting = false, none = false;
    bool exited = false;  // Now, or before it began to wait.
    bool succeeded = false;
    bool replaced = false;  // Another one of another definition takes its place.
  };

  std::string FullId(const std::string& id) const {
    return id.empty() ? "" : absl::StrCat(in_.runtime_name, "://", id);
  }

  Json Terminated(const ContainerState& container) const {
    Json out = {{"exitCode", container.exit_code},
                {"reason", !container.reason.empty()  ? container.reason
                           : container.exit_code == 0 ? "Completed"
                                                      : "Error"},
                {"containerID", FullId(container.id)}};
    // Kubernetes writes null for a time that nobody knows.
    const auto time = [](absl::Time at) {
      return at == absl::InfinitePast() ? Json(nullptr) : Json(FormatTimestamp(at));
    };
    out["startedAt"] = time(container.started_at);
    out["finishedAt"] = time(container.finished_at);
    const auto words = in_.last_words.find(container.id);
    const std::string& message =
        words != in_.last_words.end() && !words->second.empty() ? words->second : container.message;
    if (!message.empty()) out["message"] = message;
    return Json{{"terminated", std::move(out)}};
  }

  Json WaitingState(const std::string& name) const {
    Json out = {{"reason", in_.init.empty() ? "ContainerCreating" : "PodInitializing"}};
    if (const auto why = in_.waiting.find(name); why != in_.waiting.end()) {
      out["reason"] = why->second.reason;
      if (!why->second.message.empty()) out["message"] = why->second.message;
    }
    return Json{{"waiting", std::move(out)}};
  }

  void AddContainer(const ContainerRole& role, bool init) {
    const ContainerState* newest = in_.history->Newest(role.name);
    const auto found = in_.progress.find(role.name);
    const ContainerProgress progress =
        found == in_.progress.end() ? ContainerProgress() : found->second;
    Seen seen;
    seen.replaced = newest != nullptr && !newest->id.empty() && newest->id == progress.replaced;
    Json state, last = Json::object();
    const bool runs = newest != nullptr && newest->runs();
    if (runs && !progress.busy) {
      state = {{"running", {{"startedAt", FormatTimestamp(newest->started_at)}}}};
      const auto ready = in_.ready.find(role.name);
      seen.running = true;
      seen.started = progress.started;
      seen.ready = progress.started && (ready == in_.ready.end() || ready->second);
    } else if (newest != nullptr && newest->phase == Phase::kExited &&
               in_.waiting.count(role.name) == 0) {
      state = Terminated(*newest);
      seen.exited = true;
      seen.succeeded = newest->exit_code == 0;
      // Of an init container this is what it was to become.
      seen.ready = init && !role.sidecar && seen.succeeded;
    } else {
      state = WaitingState(role.name);
      seen.none = newest == nullptr;
      seen.waiting = true;
      if (newest != nullptr && newest->phase == Phase::kExited) {
        last = Terminated(*newest);
        seen.exited = true;
        seen.succeeded = newest->exit_code == 0;
      }
    }
    if (const ContainerState* before = in_.history->Previous(role.name);
        last.empty() && before != nullptr && before->phase == Phase::kExited) {
      last = Terminated(*before);
    }
    Json out = {{"name", role.name},
                {"image", newest == nullptr || newest->image.empty() ? role.image : newest->image},
                {"imageID", newest == nullptr ? "" : newest->image_id},
                {"ready", seen.ready},
                {"started", seen.started},
                {"restartCount", newest == nullptr ? 0 : newest->restart_count},
                {"state", std::move(state)},
                {"lastState", std::move(last)}};
    if (newest != nullptr && !newest->id.empty()) out["containerID"] = FullId(newest->id);
    status_[init ? "initContainerStatuses" : "containerStatuses"].push_back(std::move(out));
    if (init) {
      init_.push_back(seen);
    } else {
      main_.push_back(seen);
    }
  }

  // kubelet's rules.
  std::string DerivePhase() const {
    size_t pending_init = 0, failed_init = 0;
    for (size_t i = 0; i < init_.size(); ++i) {
      const Seen& seen = init_[i];
      if (in_.init[i].sidecar) {
        if (!seen.started) ++pending_init;
      } else if (seen.exited && !seen.succeeded) {
        ++failed_init;
      } else if (!seen.exited || seen.waiting) {
        ++pending_init;
      }
    }
    if (failed_init > 0 && in_.restart_policy == "Never") return "Failed";
    size_t waiting = 0, running = 0, stopped = 0, succeeded = 0;
    for (const Seen& seen : main_) {
      if (seen.running || seen.replaced) {
        ++running;
      } else if (seen.exited) {
        ++stopped;
        if (seen.succeeded) ++succeeded;
      } else {
        ++waiting;
      }
    }
    const bool begun = running + stopped > 0;
    if ((pending_init > 0 || failed_init > 0) && !begun) return "Pending";
    if (waiting > 0) return "Pending";
    if (running > 0 || in_.restart_policy == "Always") return "Running";
    if (stopped == succeeded) return "Succeeded";
    return in_.restart_policy == "Never" ? "Failed" : "Running";
  }

  void SetPhase() {
    if (IsTerminalPhase(in_.previous)) {
      for (const char* field : {"phase", "reason", "message"}) {
        if (in_.previous.contains(field)) status_[field] = in_.previous[field];
      }
    } else if (in_.failed.has_value()) {
      status_["phase"] = "Failed";
      status_["reason"] = in_.failed->reason;
      status_["message"] = in_.failed->message;
    } else {
      status_["phase"] = DerivePhase();
    }
  }

  void SetAddresses() {
    std::vector<std::string> ips;
    const SandboxState* sandbox = in_.observed->ReadySandbox();
    if (sandbox != nullptr) ips = sandbox->ips;
    if (in_.host_network && sandbox != nullptr && !in_.host_ip.empty()) ips = {in_.host_ip};
    if (sandbox == nullptr && IsTerminalPhase(status_) && in_.previous.is_object() &&
        in_.previous.contains("podIPs")) {
      // Where it was is worth knowing still.
      status_["podIPs"] = in_.previous["podIPs"];
      status_["podIP"] = in_.previous.value("podIP", "");
    }
    if (!in_.host_ip.empty()) {
      status_["hostIP"] = in_.host_ip;
      status_["hostIPs"] = Json::array({{{"ip", in_.host_ip}}});
    }
    if (ips.empty()) return;
    status_["podIP"] = ips[0];
    for (const std::string& ip : ips) status_["podIPs"].push_back({{"ip", ip}});
  }

  void SetConditions() {
    const std::string phase = PhaseOf(status_);
    const bool completed = phase == "Succeeded";
    std::vector<std::string> incomplete, unready;
    for (size_t i = 0; i < init_.size(); ++i) {
      const bool done = in_.init[i].sidecar ? init_[i].started : init_[i].ready;
      if (!done) incomplete.push_back(in_.init[i].name);
      if (in_.init[i].sidecar && !init_[i].ready) unready.push_back(in_.init[i].name);
    }
    for (size_t i = 0; i < main_.size(); ++i) {
      if (!main_[i].ready) unready.push_back(in_.main[i].name);
    }
    const bool begun = std::any_of(main_.begin(), main_.end(),
                                   [](const Seen& s) { return s.running || s.exited; });
    // What has begun stays initialized, though a sidecar may be on its way back.
    const bool initialized = incomplete.empty() || begun;
    const bool ready = unready.empty() && phase == "Running";

    std::string ready_reason, ready_message;
    if (completed) {
      ready_reason = "PodCompleted";
    } else if (phase == "Failed") {
      ready_reason = "PodFailed";
    } else if (!ready) {
      ready_reason = "ContainersNotReady";
      ready_message = absl::StrCat("containers with unready status: ", NameList(unready));
    }
    const auto add = [&](const char* type, bool is, const std::string& reason,
                         const std::string& message) {
      status_["conditions"].push_back(Condition(in_.previous, type, is, reason, message, in_.now));
    };
    add("PodReadyToStartContainers", in_.observed->ReadySandbox() != nullptr, "", "");
    add("Initialized", completed || initialized,
        completed     ? "PodCompleted"
        : initialized ? ""
                      : "ContainersNotInitialized",
        completed || initialized
            ? ""
            : absl::StrCat("containers with incomplete status: ", NameList(incomplete)));
    add("Ready", ready, ready_reason, ready_message);
    add("ContainersReady", ready, ready_reason, ready_message);
    add("PodScheduled", true, "", "");
    KeepForeignConditions();
  }

  void KeepForeignConditions() {
    if (!in_.previous.is_object() || !in_.previous.contains("conditions")) return;
    for (const Json& old : in_.previous["conditions"]) {
      const std::string type = old.is_object() ? old.value("type", "") : "";
      if (type.empty() || std::count(std::begin(kOwnConditions), std::end(kOwnConditions), type)) {
        continue;
      }
      status_["conditions"].push_back(old);
    }
  }

  const StatusInput& in_;
  Json status_;
  std::vector<Seen> init_, main_;
};

}  // namespace

bool IsTerminalPhase(const Json& status) {
  const std::string phase = PhaseOf(status);
  return phase == "Succeeded" || phase == "Failed";
}

Json BuildPodStatus(const StatusInput& input) { return StatusBuilder(input).Build(); }

Json UnknownPodStatus(const Json& previous, const std::string& node_name, absl::Time now) {
  if (IsTerminalPhase(previous)) return previous;
  Json status = previous.is_object() ? previous : Json::object();
  status["phase"] = "Unknown";
  status["reason"] = "NodeLost";
  status["message"] = absl::StrCat("The container runtime of node ", node_name, " does not answer");
  Json conditions = Json::array();
  for (const Json& old : status.value("conditions", Json::array())) {
    const std::string type = old.is_object() ? old.value("type", "") : "";
    if (type != "Ready" && type != "ContainersReady") {
      conditions.push_back(old);
      continue;
    }
    conditions.push_back(Condition(previous, type.c_str(), false, "NodeStatusUnknown",
                                   status["message"], now, "Unknown"));
  }
  status["conditions"] = std::move(conditions);
  return status;
}

}  // namespace crisp::agent
