#include "agent/runtime/fake_runtime.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/pod_config.h"

namespace crisp::agent {

using Phase = ContainerState::Phase;

class FakeRuntime : public PodRuntime {
 public:
  explicit FakeRuntime(FakeNodeState* node) : node_(*node) {}

  absl::StatusOr<std::string> Name() override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("Version"); !s.ok()) return s;
    return "fake";
  }
  absl::StatusOr<bool> HasVolumes() override {
    absl::MutexLock lock(&node_.mu_);
    return node_.has_volumes_;
  }

  absl::StatusOr<bool> HasUserNamespaces(const std::string& handler) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("Status"); !s.ok()) return s;
    const auto found = node_.user_namespaces_.find(handler);
    if (found == node_.user_namespaces_.end()) return absl::NotFoundError("no such handler");
    return found->second;
  }

  absl::StatusOr<std::vector<RuntimePod>> ListPods() override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("ListPods"); !s.ok()) return s;
    std::set<std::string> uids;
    for (const auto& [id, box] : node_.boxes_) uids.insert(box.config.metadata().uid());
    std::vector<RuntimePod> out;
    for (const std::string& uid : uids) out.push_back(node_.PodOf(uid));
    return out;
  }
  absl::StatusOr<RuntimePod> GetPod(const std::string& uid) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("GetPod"); !s.ok()) return s;
    return node_.PodOf(uid);
  }

  absl::Status Watch(const std::function<void()>& connected,
                     const std::function<void(const std::string& uid)>& changed) override {
    {
      absl::MutexLock lock(&node_.mu_);
      if (!node_.has_events_) return absl::UnimplementedError("no events");
      node_.events_.clear();
    }
    connected();
    while (true) {
      std::vector<std::string> uids;
      {
        absl::MutexLock lock(&node_.mu_);
        node_.mu_.Await(absl::Condition(this, &FakeRuntime::HasEventOrEnds));
        if (cancelled_) return absl::OkStatus();
        if (node_.away_) return absl::UnavailableError("away");
        uids.swap(node_.events_);
      }
      for (const std::string& uid : uids) changed(uid);
    }
  }
  void CancelAll() override {
    absl::MutexLock lock(&node_.mu_);
    cancelled_ = true;
  }

  absl::StatusOr<std::string> RunPodSandbox(const runtime::v1::PodSandboxConfig& config,
                                            const std::string&) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("RunPodSandbox"); !s.ok()) return s;
    const std::string id = absl::StrCat("sandbox-", node_.next_id_++);
    FakeNodeState::Box& box = node_.boxes_[id];
    box.config = config;
    box.state = {id, config.metadata().attempt(), true, absl::Now(), {"10.85.0.7"}};
    node_.Tell(config.metadata().uid());
    return id;
  }
  absl::Status StopPodSandbox(const std::string& id) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("StopPodSandbox"); !s.ok()) return s;
    const auto found = node_.boxes_.find(id);
    if (found == node_.boxes_.end()) return absl::OkStatus();
    found->second.state.ready = false;
    for (auto& [cid, container] : node_.containers_) {
      if (container.state.sandbox_id == id && container.state.phase == Phase::kRunning) {
        node_.End(container, 137, "Error");
      }
    }
    node_.Tell(found->second.config.metadata().uid());
    return absl::OkStatus();
  }
  absl::Status RemovePodSandbox(const std::string& id) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("RemovePodSandbox"); !s.ok()) return s;
    node_.boxes_.erase(id);
    for (auto it = node_.containers_.begin(); it != node_.containers_.end();) {
      it = it->second.state.sandbox_id == id ? node_.containers_.erase(it) : std::next(it);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> CreateContainer(const std::string& sandbox_id,
                                              const runtime::v1::ContainerConfig& config,
                                              const runtime::v1::PodSandboxConfig& pod) override {
    absl::MutexLock lock(&node_.mu_);
    const std::string& name = config.metadata().name();
    if (absl::Status s =
            node_.Enter("CreateContainer", absl::StrCat(name, ":", config.metadata().attempt()));
        !s.ok()) {
      return s;
    }
    for (const auto& [id, held] : node_.containers_) {
      if (held.uid == pod.metadata().uid() && held.state.name == name &&
          held.config.metadata().attempt() == config.metadata().attempt()) {
        return absl::AlreadyExistsError(absl::StrCat("name ", name, " is reserved for ", id));
      }
    }
    const std::string id = absl::StrCat("container-", node_.next_id_++);
    FakeNodeState::Held& held = node_.containers_[id];
    held.config = config;
    held.uid = pod.metadata().uid();
    held.state.id = id;
    held.state.name = name;
    held.state.sandbox_id = sandbox_id;
    held.state.restart_count = static_cast<int>(config.metadata().attempt());
    held.state.created_at = absl::Now();
    held.state.image = config.image().user_specified_image();
    held.state.image_id = config.image().image();
    if (const auto made_of = config.annotations().find(kImageAnnotation);
        made_of != config.annotations().end()) {
      held.state.made_of = made_of->second;
    }
    const auto delay = config.annotations().find(kBackOffAnnotation);
    int64_t ms = 0;
    if (delay != config.annotations().end() && absl::SimpleAtoi(delay->second, &ms)) {
      held.state.next_back_off = absl::Milliseconds(ms);
    }
    return id;
  }
  absl::Status StartContainer(const std::string& id) override {
    absl::MutexLock lock(&node_.mu_);
    const auto found = node_.containers_.find(id);
    if (found == node_.containers_.end()) return absl::NotFoundError("no such container");
    FakeNodeState::Held& held = found->second;
    if (absl::Status s = node_.Enter("StartContainer", held.state.name); !s.ok()) return s;
    if (held.state.phase != Phase::kCreated) return absl::FailedPreconditionError("not created");
    held.state.phase = Phase::kRunning;
    held.state.started_at = absl::Now();
    if (const auto exit = node_.exits_.find(held.state.name); exit != node_.exits_.end()) {
      node_.End(held, exit->second, "");
    }
    node_.Tell(held.uid);
    return absl::OkStatus();
  }
  absl::Status StopContainer(const std::string& id, absl::Duration grace) override {
    absl::MutexLock lock(&node_.mu_);
    const auto found = node_.containers_.find(id);
    if (found == node_.containers_.end()) return absl::OkStatus();
    FakeNodeState::Held& held = found->second;
    if (absl::Status s =
            node_.Enter("StopContainer",
                        absl::StrCat(held.state.name, ":",
                                     absl::ToInt64Seconds(absl::Ceil(grace, absl::Seconds(1)))));
        !s.ok()) {
      return s;
    }
    if (held.state.phase == Phase::kRunning) node_.End(held, 143, "");
    node_.Tell(held.uid);
    return absl::OkStatus();
  }
  absl::Status RemoveContainer(const std::string& id) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("RemoveContainer", id); !s.ok()) return s;
    node_.containers_.erase(id);
    return absl::OkStatus();
  }

  absl::Status UpdatePod(const std::string& sandbox_id,
                         const std::map<std::string, std::string>& labels,
                         const std::map<std::string, std::string>&) override {
    absl::MutexLock lock(&node_.mu_);
    return node_.Enter(
        "UpdatePod",
        absl::StrCat(sandbox_id, ":", absl::StrJoin(labels, ",", absl::PairFormatter("="))));
  }

  absl::StatusOr<ExecResult> ExecSync(const std::string& id, const std::vector<std::string>&,
                                      absl::Duration) override {
    std::function<absl::StatusOr<ExecResult>(const std::string&)> exec;
    std::string name;
    {
      absl::MutexLock lock(&node_.mu_);
      const auto found = node_.containers_.find(id);
      if (found == node_.containers_.end()) return absl::NotFoundError("no such container");
      name = found->second.state.name;
      if (absl::Status s = node_.Enter("ExecSync", name); !s.ok()) return s;
      exec = node_.exec_;
    }
    return exec == nullptr ? ExecResult() : exec(name);
  }

  absl::StatusOr<std::optional<ImageFacts>> ImageStatus(const std::string& image) override {
    absl::MutexLock lock(&node_.mu_);
    if (absl::Status s = node_.Enter("ImageStatus", image); !s.ok()) return s;
    if (node_.images_.count(image) == 0) return std::nullopt;
    ImageFacts facts;
    facts.id = image;
    facts.size_bytes = 1234;
    return facts;
  }
  absl::StatusOr<std::string> PullImage(const std::string& image,
                                        const std::optional<RegistryCredentials>& credentials,
                                        const runtime::v1::PodSandboxConfig&) override {
    absl::MutexLock lock(&node_.mu_);
    const std::string who = credentials.has_value() ? credentials->username : "";
    if (absl::Status s =
            node_.Enter("PullImage", who.empty() ? image : absl::StrCat(image, " as ", who));
        !s.ok()) {
      return s;
    }
    if (!node_.login_.username.empty() && credentials != node_.login_) {
      return absl::UnknownError(absl::StrCat("401 Unauthorized for \"", who, "\""));
    }
    node_.images_.insert(image);
    return image;
  }

 private:
  bool HasEventOrEnds() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return cancelled_ || node_.away_ || !node_.events_.empty();
  }

  FakeNodeState& node_;
  bool cancelled_ = false;  // Guarded by the node's lock.
};

std::unique_ptr<PodRuntime> FakeNodeState::Connect() { return std::make_unique<FakeRuntime>(this); }

void FakeNodeState::AddImage(const std::string& image) {
  absl::MutexLock lock(&mu_);
  images_.insert(image);
}

void FakeNodeState::NeedsLogin(const RegistryCredentials& credentials) {
  absl::MutexLock lock(&mu_);
  login_ = credentials;
}

void FakeNodeState::ExitsAtOnce(const std::string& container, int code) {
  absl::MutexLock lock(&mu_);
  exits_[container] = code;
}

void FakeNodeState::RunsAgain(const std::string& container) {
  absl::MutexLock lock(&mu_);
  exits_.erase(container);
}

void FakeNodeState::Fail(const std::string& call, absl::Status status) {
  absl::MutexLock lock(&mu_);
  failures_[call] = std::move(status);
}

void FakeNodeState::SetExec(
    std::function<absl::StatusOr<ExecResult>(const std::string& container)> exec) {
  absl::MutexLock lock(&mu_);
  exec_ = std::move(exec);
}

void FakeNodeState::SetEvents(bool has) {
  absl::MutexLock lock(&mu_);
  has_events_ = has;
}

void FakeNodeState::SetVolumes(bool has) {
  absl::MutexLock lock(&mu_);
  has_volumes_ = has;
}

void FakeNodeState::SetUserNamespaces(const std::string& handler, bool has) {
  absl::MutexLock lock(&mu_);
  user_namespaces_[handler] = has;
}

void FakeNodeState::SetAway(bool away) {
  absl::MutexLock lock(&mu_);
  away_ = away;
}

void FakeNodeState::Exit(const std::string& container, int code, const std::string& reason) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, held] : containers_) {
    if (held.state.name == container && held.state.phase == Phase::kRunning) {
      End(held, code, reason);
      Tell(held.uid);
    }
  }
}

void FakeNodeState::StopSandboxes() {
  absl::MutexLock lock(&mu_);
  for (auto& [id, box] : boxes_) {
    box.state.ready = false;
    Tell(box.config.metadata().uid());
  }
  for (auto& [id, held] : containers_) {
    if (held.state.phase == Phase::kRunning) End(held, 137, "Error");
  }
}

void FakeNodeState::LoseEverything() {
  absl::MutexLock lock(&mu_);
  boxes_.clear();
  containers_.clear();
}

void FakeNodeState::SetStartedAt(const std::string& container, absl::Time at) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, held] : containers_) {
    if (held.state.name == container) held.state.started_at = at;
  }
}

std::vector<std::string> FakeNodeState::calls() const {
  absl::MutexLock lock(&mu_);
  return calls_;
}

size_t FakeNodeState::CountCalls(const std::string& prefix) const {
  absl::MutexLock lock(&mu_);
  return static_cast<size_t>(
      std::count_if(calls_.begin(), calls_.end(),
                    [&](const std::string& call) { return absl::StartsWith(call, prefix); }));
}

size_t FakeNodeState::sandbox_count() const {
  absl::MutexLock lock(&mu_);
  return boxes_.size();
}

size_t FakeNodeState::Running(const std::string& container) const {
  absl::MutexLock lock(&mu_);
  size_t count = 0;
  for (const auto& [id, held] : containers_) {
    if (held.state.name == container && held.state.phase == Phase::kRunning) ++count;
  }
  return count;
}

runtime::v1::ContainerConfig FakeNodeState::config(const std::string& container) const {
  absl::MutexLock lock(&mu_);
  const Held* newest = nullptr;
  for (const auto& [id, held] : containers_) {
    if (held.state.name != container) continue;
    if (newest == nullptr || held.state.restart_count > newest->state.restart_count) {
      newest = &held;
    }
  }
  return newest == nullptr ? runtime::v1::ContainerConfig() : newest->config;
}

runtime::v1::PodSandboxConfig FakeNodeState::sandbox_config() const {
  absl::MutexLock lock(&mu_);
  return boxes_.empty() ? runtime::v1::PodSandboxConfig() : boxes_.rbegin()->second.config;
}

absl::Status FakeNodeState::Enter(const std::string& call, const std::string& detail) {
  calls_.push_back(detail.empty() ? call : absl::StrCat(call, ":", detail));
  if (away_) return absl::UnavailableError("the runtime is away");
  const auto found = failures_.find(call);
  return found == failures_.end() ? absl::OkStatus() : found->second;
}

void FakeNodeState::Tell(const std::string& uid) {
  if (has_events_) events_.push_back(uid);
}

void FakeNodeState::End(Held& container, int code, const std::string& reason) {
  container.state.phase = Phase::kExited;
  container.state.exit_code = code;
  container.state.reason = !reason.empty() ? reason : code == 0 ? "Completed" : "Error";
  container.state.finished_at = absl::Now();
}

RuntimePod FakeNodeState::PodOf(const std::string& uid) const {
  RuntimePod out;
  out.uid = uid;
  for (const auto& [id, box] : boxes_) {
    if (box.config.metadata().uid() != uid) continue;
    out.ns = box.config.metadata().namespace_();
    out.name = box.config.metadata().name();
    out.ours = out.ours || box.config.annotations().contains(kNodeAgentAnnotation);
    out.sandboxes.push_back(box.state);
  }
  std::sort(out.sandboxes.begin(), out.sandboxes.end(),
            [](const SandboxState& a, const SandboxState& b) { return a.attempt > b.attempt; });
  for (const auto& [id, held] : containers_) {
    if (held.uid == uid) out.containers.push_back(held.state);
  }
  return out;
}

}  // namespace crisp::agent
