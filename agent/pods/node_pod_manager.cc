#include "agent/pods/node_pod_manager.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr int kSyncThreads = 16;
constexpr int kPullThreads = 8;
// One for each container that is being stopped, and each hook.
constexpr int kKillThreads = 256;
constexpr int kProbeThreads = 128;
// When a stream of events may be asked for again that a runtime does not have: it may
// have been replaced.
constexpr absl::Duration kNoEventsPause = absl::Minutes(5);
// After which a subscription that was asked for surely holds.
constexpr absl::Duration kSubscribed = absl::Milliseconds(200);

constexpr absl::Duration kRetryPod = absl::Seconds(1);

// The runtime as a whole, not one pod of it.
bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

BackOffOptions BackOffOf(const PodManagerOptions& options) {
  return {options.back_off, options.max_back_off, options.back_off_reset};
}

// What of an object a pod's work depends on; its status is our own.
bool SameForUs(const Json& a, const Json& b) {
  for (const char* path :
       {"metadata.generation", "metadata.labels", "metadata.annotations",
        "metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds", "spec.nodeName"}) {
    if (At(a, path) != At(b, path)) return false;
  }
  return true;
}

}  // namespace

NodePodManager::NodePodManager(ObjectStore* store, EventRecorder* events,
                               std::unique_ptr<PodRuntime> runtime, Clock* clock,
                               PodManagerOptions options, PodManagerPace pace)
    : runtime_(std::move(runtime)),
      pace_(pace),
      probe_runner_(MakeProbeRunner(runtime_.get())),
      sync_pool_(kSyncThreads),
      pull_pool_(kPullThreads),
      kill_pool_(kKillThreads),
      probe_pool_(kProbeThreads),
      user_namespaces_(options.pod_root),
      images_(store, runtime_.get(), events, clock, &pull_pool_, BackOffOf(options),
              [this](const std::string& uid) { Wake(uid); }),
      killer_(runtime_.get(), events, clock, &kill_pool_, &stop_,
              [this](const std::string& uid) { Wake(uid); }),
      probes_(probe_runner_.get(), events, clock, &probe_pool_,
              [this](const std::string& uid) { Wake(uid); }),
      away_since_(clock->Steady()) {
  services_.store = store;
  services_.events = events;
  services_.runtime = runtime_.get();
  services_.clock = clock;
  services_.back_off = BackOffOf(options);
  services_.options = std::move(options);
  services_.user_namespaces = &user_namespaces_;
  services_.images = &images_;
  services_.killer = &killer_;
  services_.probes = &probes_;
  services_.hooks = &kill_pool_;
  services_.stop = &stop_;
  services_.wake = [this](const std::string& uid) { Wake(uid); };
}

absl::Status NodePodManager::Start() {
  CRISP_RETURN_IF_ERROR(Annotate(user_namespaces_.Recover(), "read the pods' user namespaces"));
  subscriptions_.push_back(services_.store->Subscribe(
      "Pod", [this](const ObjectChange& change) { OnPodChange(change); }));
  for (const char* kind : {"ConfigMap", "Secret"}) {
    subscriptions_.push_back(services_.store->Subscribe(
        kind, [this](const ObjectChange& change) { OnDataChange(change); }));
  }
  relist_ = std::thread([this] { RelistLoop(); });
  watch_ = std::thread([this] { WatchLoop(); });
  return absl::OkStatus();
}

void NodePodManager::Stop() {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    stopped_ = true;
  }
  stop_.Notify();
  subscriptions_.clear();
  runtime_->CancelAll();
  timers_.Stop();
  probes_.Stop();
  for (std::thread* thread : {&relist_, &watch_}) {
    if (thread->joinable()) thread->join();
  }
  for (ElasticPool* pool : {&sync_pool_, &pull_pool_, &kill_pool_, &probe_pool_}) pool->Stop();
}

absl::StatusOr<PodInstances> NodePodManager::Instances(const std::string& uid) const {
  std::shared_ptr<PodWorker> worker;
  {
    absl::MutexLock lock(&mu_);
    const auto found = pods_.find(uid);
    if (found != pods_.end()) worker = found->second.worker;
  }
  if (worker == nullptr) return absl::NotFoundError("no pod of this node has that uid");
  return worker->Instances();
}

NodePodManager::Entry& NodePodManager::EntryOf(const std::string& uid) {
  Entry& entry = pods_[uid];
  if (entry.worker == nullptr) entry.worker = std::make_shared<PodWorker>(&services_, uid);
  return entry;
}

void NodePodManager::OnPodChange(const ObjectChange& change) {
  const std::string uid = UidOf(*change.object);
  absl::MutexLock lock(&mu_);
  const auto found = pods_.find(uid);
  if (change.type == ObjectChange::Type::kDeleted) {
    if (found == pods_.end()) return;
    found->second.object = change.object;
    found->second.removed = true;
    return WakeLocked(uid, found->second);
  }
  if (TextAt(*change.object, "spec.nodeName") != services_.options.node_name) return;
  Entry& entry = EntryOf(uid);
  const bool same = entry.object != nullptr && SameForUs(*entry.object, *change.object);
  entry.object = change.object;
  entry.removed = false;
  entry.ns = TextAt(*change.object, "metadata.namespace");
  if (!same) WakeLocked(uid, entry);
}

void NodePodManager::OnDataChange(const ObjectChange& change) {
  if (change.type == ObjectChange::Type::kDeleted) return;
  const std::string ns = TextAt(*change.object, "metadata.namespace");
  absl::MutexLock lock(&mu_);
  for (auto& [uid, entry] : pods_) {
    // A pod that runs well looks once and goes on; there is no harm in it.
    if (entry.ns != ns) continue;
    entry.worker->ObjectsChanged();
    WakeLocked(uid, entry);
  }
}

void NodePodManager::Wake(const std::string& uid) {
  absl::MutexLock lock(&mu_);
  const auto found = pods_.find(uid);
  if (found != pods_.end()) WakeLocked(uid, found->second);
}

void NodePodManager::WakeLocked(const std::string& uid, Entry& entry) {
  if (stopped_) return;
  if (entry.running) {
    entry.again = true;
    return;
  }
  // Without an answer there is nothing to look at; RuntimeAnswers wakes everybody.
  if (entry.queued || !answers_) return;
  entry.queued = true;
  sync_pool_.Post([this, uid] { WorkOn(uid); });
}

void NodePodManager::WorkOn(const std::string& uid) {
  std::shared_ptr<PodWorker> worker;
  ObjectPtr object;
  bool removed = false;
  RuntimeTraits traits;
  {
    absl::MutexLock lock(&mu_);
    const auto found = pods_.find(uid);
    if (found == pods_.end()) return;
    Entry& entry = found->second;
    entry.queued = false;
    if (!answers_) return;
    entry.running = true;
    entry.again = false;
    timers_.Cancel(std::exchange(entry.timer, 0));
    worker = entry.worker;
    object = entry.object;
    removed = entry.removed;
    traits = traits_;
  }
  Settle(uid, worker->Sync(object, removed, traits));
}

void NodePodManager::Settle(const std::string& uid, const PodWorker::Outcome& outcome) {
  absl::Time wake_at = outcome.wake_at;
  if (!outcome.runtime.ok() && !absl::IsCancelled(outcome.runtime)) {
    LogWarn("the runtime could not be asked about a pod",
            {{"uid", uid}, {"error", outcome.runtime}});
    if (IsAway(outcome.runtime)) {
      RuntimeAnswers(false);
    } else {
      wake_at = services_.clock->Now() + kRetryPod;
    }
  }
  absl::MutexLock lock(&mu_);
  const auto found = pods_.find(uid);
  if (found == pods_.end()) return;
  Entry& entry = found->second;
  entry.running = false;
  entry.signature = outcome.signature;
  if (outcome.gone) {
    pods_.erase(found);
    return;
  }
  if (entry.again) return WakeLocked(uid, entry);
  if (wake_at == absl::InfiniteFuture()) return;
  entry.timer = timers_.After(wake_at - services_.clock->Now(), [this, uid] { Wake(uid); });
}

void NodePodManager::Poke() {
  absl::MutexLock lock(&mu_);
  poked_ = true;
}

// What depends on whether the runtime can be reached.
void NodePodManager::RuntimeAnswers(bool answers) {
  struct Lost {
    std::string uid;
    std::shared_ptr<PodWorker> worker;
    ObjectPtr object;
  };
  std::vector<Lost> lost;
  {
    absl::MutexLock lock(&mu_);
    if (!answers) {
      if (answers_) {
        away_since_ = services_.clock->Steady();
        LogWarn("the container runtime does not answer");
      }
      answers_ = false;
      poked_ = true;
      if (lost_told_ || services_.clock->Steady() - away_since_ < pace_.runtime_lost_after) return;
      lost_told_ = true;
      // A worker that runs is waiting for the runtime; it writes when it is back.
      for (auto& [uid, entry] : pods_) {
        if (entry.running || entry.removed) continue;
        entry.running = true;
        lost.push_back({uid, entry.worker, entry.object});
      }
    } else {
      if (answers_) return;
      answers_ = true;
      lost_told_ = false;
      for (auto& [uid, entry] : pods_) WakeLocked(uid, entry);
    }
  }
  for (const Lost& pod : lost) {
    pod.worker->RuntimeIsAway(pod.object);
    absl::MutexLock lock(&mu_);
    const auto found = pods_.find(pod.uid);
    if (found == pods_.end()) continue;
    found->second.running = false;
    if (std::exchange(found->second.again, false)) WakeLocked(pod.uid, found->second);
  }
}

absl::Status NodePodManager::Relist() {
  bool known;
  {
    absl::MutexLock lock(&mu_);
    known = traits_known_ && answers_;
  }
  if (!known) {
    RuntimeTraits traits;
    CRISP_ASSIGN_OR_RETURN(traits.name, runtime_->Name());
    CRISP_ASSIGN_OR_RETURN(traits.has_volumes, runtime_->HasVolumes());
    absl::MutexLock lock(&mu_);
    traits_ = traits;
    traits_known_ = true;
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<RuntimePod> listed, runtime_->ListPods());
  // No pod is worked on until RuntimeAnswers, so none takes what is freed.
  if (!known) FreeUserNamespaces(listed);
  std::map<std::string, std::string> signatures;
  {
    absl::MutexLock lock(&mu_);
    for (const RuntimePod& pod : listed) {
      signatures[pod.uid] = SignatureOf(pod);
      if (!pod.ours || pods_.count(pod.uid) > 0) continue;
      // Its object went while no agent ran.
      Entry& entry = EntryOf(pod.uid);
      entry.removed = true;
      entry.ns = pod.ns;
      WakeLocked(pod.uid, entry);
    }
    for (auto& [uid, entry] : pods_) {
      const auto found = signatures.find(uid);
      const std::string now = found == signatures.end() ? "" : found->second;
      if (now != entry.signature) WakeLocked(uid, entry);
    }
  }
  RuntimeAnswers(true);
  return absl::OkStatus();
}

void NodePodManager::FreeUserNamespaces(const std::vector<RuntimePod>& listed) {
  std::set<std::string> uids;
  for (const RuntimePod& pod : listed) uids.insert(pod.uid);
  for (const ObjectPtr& pod : services_.store->List("Pod")) uids.insert(UidOf(*pod));
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [uid, entry] : pods_) uids.insert(uid);
  }
  const absl::Status freed = user_namespaces_.KeepOnly(uids);
  if (!freed.ok()) LogWarn("user namespaces of pods that are gone stay taken", {{"error", freed}});
}

void NodePodManager::RelistLoop() {
  bool failed = false;
  while (!stop_.HasBeenNotified()) {
    const absl::Status status = Relist();
    if (!status.ok() && !stop_.HasBeenNotified()) {
      if (!failed) LogWarn("the runtime's pods could not be listed", {{"error", status}});
      RuntimeAnswers(false);
    }
    failed = !status.ok();
    absl::MutexLock lock(&mu_);
    if (failed) {
      // Not sooner, however many pods complain.
      poked_ = false;
      mu_.AwaitWithTimeout(absl::Condition(&stopped_), pace_.retry_runtime);
      continue;
    }
    mu_.AwaitWithTimeout(absl::Condition(this, &NodePodManager::PokedOrStopped),
                         has_events_ ? pace_.relist_with_events : pace_.relist_without);
    poked_ = false;
  }
}

void NodePodManager::WatchLoop() {
  while (!stop_.HasBeenNotified()) {
    const absl::Status status = runtime_->Watch(
        [this] {
          {
            absl::MutexLock lock(&mu_);
            has_events_ = true;
          }
          timers_.After(kSubscribed, [this] { Poke(); });
        },
        [this](const std::string& uid) {
          if (uid.empty()) {
            Poke();
          } else {
            Wake(uid);
          }
        });
    {
      absl::MutexLock lock(&mu_);
      has_events_ = false;
      poked_ = true;
    }
    if (stop_.HasBeenNotified()) return;
    const bool never = absl::IsUnimplemented(status);
    if (never) LogInfo("the runtime has no stream of events; its pods are listed instead");
    stop_.WaitForNotificationWithTimeout(never ? kNoEventsPause : pace_.retry_runtime);
  }
}

}  // namespace crisp::agent
