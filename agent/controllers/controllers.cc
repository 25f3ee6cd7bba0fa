#include "agent/controllers/controllers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/controllers/daemon_set_controller.h"
#include "agent/controllers/deployment_controller.h"
#include "agent/controllers/endpoints_controller.h"
#include "agent/controllers/garbage_collector.h"
#include "agent/controllers/job_controller.h"
#include "agent/controllers/pod_facts.h"
#include "agent/controllers/replica_set_controller.h"
#include "agent/controllers/scheduler.h"
#include "agent/objects/kinds.h"
#include "base/log.h"

namespace crisp::agent {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetry = absl::Minutes(1);
constexpr const char* kPodOwners[] = {"DaemonSet", "Job", "ReplicaSet", "ReplicationController"};

}  // namespace

Controllers::Controllers(ControllerContext context)
    : context_(std::move(context)), queue_(context_.clock) {
  controllers_[kScheduler] = std::make_unique<Scheduler>(context_);
  controllers_[kReplicas] = std::make_unique<ReplicaSetController>(context_);
  controllers_[kDeployments] = std::make_unique<DeploymentController>(context_);
  controllers_[kDaemonSets] = std::make_unique<DaemonSetController>(context_);
  controllers_[kJobs] = std::make_unique<JobController>(context_);
  controllers_[kEndpoints] = std::make_unique<EndpointsController>(context_);
  controllers_[kGarbage] = std::make_unique<GarbageCollector>(context_);
}

Controllers::~Controllers() { Stop(); }

void Controllers::Subscribe() {
  subscription_ =
      context_.store->Subscribe("", [this](const ObjectChange& change) { OnChange(change); });
}

void Controllers::Start() {
  Subscribe();
  thread_ = std::thread([this] {
    while (const std::optional<WorkQueue::Item> item = queue_.Take()) Process(*item);
  });
}

void Controllers::Stop() {
  subscription_.reset();
  queue_.Stop();
  if (thread_.joinable()) thread_.join();
}

void Controllers::RunUntilIdle() {
  while (true) {
    context_.store->WaitDelivered();
    std::optional<WorkQueue::Item> item = queue_.TakeDue();
    if (!item.has_value()) return;
    Process(*item);
  }
}

void Controllers::Process(const WorkQueue::Item& item) {
  const absl::StatusOr<absl::Duration> again = controllers_[item.controller]->Reconcile(item.key);
  if (absl::IsNotFound(again.status())) {
    // It went while it was worked on.
    queue_.Add(item, kFirstRetry);
    return;
  }
  if (!again.ok()) {
    const int failures = ++failures_[item];
    const absl::Duration wait =
        std::min(kMaxRetry, kFirstRetry * (int64_t{1} << std::min(failures - 1, 16)));
    LogWarn("an object is not yet what it says", {{"kind", item.key.kind},
                                                  {"namespace", item.key.ns},
                                                  {"name", item.key.name},
                                                  {"reason", again.status()},
                                                  {"again_in", wait}});
    queue_.Add(item, wait);
    return;
  }
  failures_.erase(item);
  if (*again != absl::InfiniteDuration()) queue_.Add(item, std::max(*again, absl::ZeroDuration()));
}

void Controllers::EnqueueOwner(const Json& object) {
  const std::optional<Owner> owner = ControllerOf(object);
  if (!owner.has_value()) return;
  const ObjectKey key{owner->kind, KeyOf(object).ns, owner->name};
  if (owner->kind == "Deployment") queue_.Add({kDeployments, key});
  if (owner->kind == "ReplicaSet" || owner->kind == "ReplicationController") {
    queue_.Add({kReplicas, key});
  }
  if (owner->kind == "DaemonSet") queue_.Add({kDaemonSets, key});
  if (owner->kind == "Job") queue_.Add({kJobs, key});
}

void Controllers::EnqueueKind(const std::string& kind, const std::string& ns) {
  for (const ObjectPtr& object : context_.store->List(kind, ns)) {
    const ObjectKey key = KeyOf(*object);
    if (kind == "Deployment") queue_.Add({kDeployments, key});
    if (kind == "ReplicaSet" || kind == "ReplicationController") queue_.Add({kReplicas, key});
    if (kind == "DaemonSet") queue_.Add({kDaemonSets, key});
    if (kind == "Job") queue_.Add({kJobs, key});
  }
}

void Controllers::OnPod(const Json& pod, bool gone) {
  const ObjectKey key = KeyOf(pod);
  const bool unplaced = TextAt(pod, "spec.nodeName").empty();
  if (!gone && unplaced) {
    // A pod that could not be placed waits for more than a change of its own status.
    if (ConditionOf(pod, "PodScheduled").is_null()) queue_.Add({kScheduler, key});
  }
  if (ControllerOf(pod).has_value()) {
    EnqueueOwner(pod);
  } else if (!gone) {
    for (const char* kind : kPodOwners) EnqueueKind(kind, key.ns);  // Who may adopt it.
  }
  // What this pod had, or who it is, may be what another one waits for.
  bool news = gone || IsPodFinished(pod);
  if (news) {
    placed_.erase(UidOf(pod));
  } else if (!unplaced) {
    const auto [known, first] = placed_.try_emplace(UidOf(pod), At(pod, "metadata.labels"));
    news = first || known->second != At(pod, "metadata.labels");
    known->second = At(pod, "metadata.labels");
  }
  if (news) OnNode();
  const std::string endpoints = EndpointsNameOf(*context_.store, pod);
  if (!endpoints.empty()) queue_.Add({kEndpoints, {"Endpoints", key.ns, endpoints}});
  // A recreating deployment waits for pods, not for sets.
  const std::optional<Owner> owner = ControllerOf(pod);
  if (gone && owner.has_value() && owner->kind == "ReplicaSet") {
    const auto set = context_.store->Get({"ReplicaSet", key.ns, owner->name});
    if (set.ok()) EnqueueOwner(**set);
  }
}

void Controllers::OnNode() {
  for (const ObjectPtr& pod : context_.store->List("Pod")) {
    if (TextAt(*pod, "spec.nodeName").empty()) queue_.Add({kScheduler, KeyOf(*pod)});
  }
}

void Controllers::OnGone(const Json& object) {
  const ObjectKey owner = KeyOf(object);
  queue_.Add({kEndpoints, {"Endpoints", owner.ns, owner.name}});
  const std::string uid = UidOf(object);
  for (const KindInfo& kind : AllKinds()) {
    for (const ObjectPtr& dependent : context_.store->List(kind.kind, owner.ns)) {
      const Json& owners = At(*dependent, "metadata.ownerReferences");
      if (!owners.is_array()) continue;
      const bool mine = std::any_of(owners.begin(), owners.end(),
                                    [&](const Json& one) { return TextAt(one, "uid") == uid; });
      if (mine) queue_.Add({kGarbage, KeyOf(*dependent)});
    }
  }
}

void Controllers::OnChange(const ObjectChange& change) {
  const Json& object = *change.object;
  const ObjectKey key = KeyOf(object);
  const bool gone = change.type == ObjectChange::Type::kDeleted;
  if (key.kind == "Event" || key.kind == "Endpoints") return;
  if (At(object, "metadata.ownerReferences").is_array() &&
      change.type == ObjectChange::Type::kAdded) {
    queue_.Add({kGarbage, key});
  }
  if (key.kind == "Pod") return OnPod(object, gone);
  if (gone && key.kind != "ConfigMap" && key.kind != "Secret") OnGone(object);
  if (key.kind == "Deployment") {
    queue_.Add({kDeployments, key});
  } else if (key.kind == "ReplicaSet" || key.kind == "ReplicationController") {
    queue_.Add({kReplicas, key});
    EnqueueOwner(object);
  } else if (key.kind == "DaemonSet") {
    queue_.Add({kDaemonSets, key});
  } else if (key.kind == "Job") {
    queue_.Add({kJobs, key});
  } else if (key.kind == "Node" && !gone) {
    OnNode();
    EnqueueKind("DaemonSet", "");
  }
}

}  // namespace crisp::agent
