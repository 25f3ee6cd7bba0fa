#include "agent/commands/readiness.h"

#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(500);
// What lasts shorter is not worth a line.
constexpr absl::Duration kPatience = absl::Seconds(1);

absl::StatusOr<RolloutState> RolloutOfDeployment(const Json& object) {
  const std::string name = Name(object);
  if (Number(object, "metadata.generation") > Number(object, "status.observedGeneration")) {
    return RolloutState{"Waiting for deployment spec update to be observed..."};
  }
  for (const Json& condition : Items(object, "status.conditions")) {
    if (Text(condition, "type") == "Progressing" &&
        Text(condition, "reason") == "ProgressDeadlineExceeded") {
      return absl::FailedPreconditionError(
          absl::StrCat("deployment \"", name, "\" exceeded its progress deadline"));
    }
  }
  const int64_t wanted = Number(object, "spec.replicas", 1);
  const int64_t updated = Number(object, "status.updatedReplicas");
  const int64_t all = Number(object, "status.replicas");
  const int64_t available = Number(object, "status.availableReplicas");
  const std::string begin =
      absl::StrCat("Waiting for deployment \"", name, "\" rollout to finish: ");
  if (updated < wanted) {
    return RolloutState{
        absl::StrCat(begin, updated, " out of ", wanted, " new replicas have been updated...")};
  }
  if (all > updated) {
    return RolloutState{
        absl::StrCat(begin, all - updated, " old replicas are pending termination...")};
  }
  if (available < updated) {
    return RolloutState{
        absl::StrCat(begin, available, " of ", updated, " updated replicas are available...")};
  }
  return RolloutState{absl::StrCat("deployment \"", name, "\" successfully rolled out"), true};
}

RolloutState RolloutOfDaemonSet(const Json& object) {
  const std::string name = Name(object);
  if (Number(object, "metadata.generation") > Number(object, "status.observedGeneration")) {
    return {"Waiting for daemon set spec update to be observed..."};
  }
  const int64_t wanted = Number(object, "status.desiredNumberScheduled");
  const int64_t updated = Number(object, "status.updatedNumberScheduled");
  const int64_t available = Number(object, "status.numberAvailable");
  const std::string begin =
      absl::StrCat("Waiting for daemon set \"", name, "\" rollout to finish: ");
  if (updated < wanted) {
    return {absl::StrCat(begin, updated, " out of ", wanted, " new pods have been updated...")};
  }
  if (available < wanted) {
    return {absl::StrCat(begin, available, " of ", wanted, " updated pods are available...")};
  }
  return {absl::StrCat("daemon set \"", name, "\" successfully rolled out"), true};
}

}  // namespace

absl::Status WatchUntil(Session& session, const ObjectRef& ref, absl::Duration timeout,
                        const std::function<absl::StatusOr<bool>(const Json& object)>& done) {
  const auto watch = session.agent().Watch({.kind = ref.kind, .ns = ref.ns, .name = ref.name},
                                           /*only_changes=*/false, timeout);
  bool seen = false;
  while (true) {
    absl::StatusOr<WatchEvent> event = watch->Next();
    if (absl::IsDeadlineExceeded(event.status())) {
      return absl::DeadlineExceededError("timed out waiting for the condition");
    }
    if (!event.ok()) return event.status();
    Json object;
    switch (event->type) {
      case WatchEvent::Type::kSynced:
        if (seen) continue;
        break;
      case WatchEvent::Type::kDeleted:
        break;
      default:
        object = std::move(event->object);
    }
    seen = true;
    CRISP_ASSIGN_OR_RETURN(const bool enough, done(object));
    if (enough) return absl::OkStatus();
  }
}

absl::StatusOr<bool> IsReady(const Json& object) {
  const std::string kind = Text(object, "kind");
  const auto failed = [&](absl::string_view why) {
    return absl::FailedPreconditionError(
        absl::StrCat(ShownName(object), " failed", why.empty() ? "" : ": ", why));
  };
  if (kind == "Pod") {
    const std::string phase = Text(object, "status.phase");
    if (phase == "Failed") {
      const std::string message = Text(object, "status.message");
      return failed(message.empty() ? Text(object, "status.reason") : message);
    }
    return phase == "Succeeded" || ConditionStatus(object, "Ready") == "True";
  }
  if (kind == "Deployment" || kind == "DaemonSet") {
    CRISP_ASSIGN_OR_RETURN(const RolloutState state, RolloutOf(object));
    return state.done;
  }
  if (kind == "ReplicaSet" || kind == "ReplicationController") {
    return Number(object, "metadata.generation") <= Number(object, "status.observedGeneration") &&
           Number(object, "status.readyReplicas") >= Number(object, "spec.replicas", 1);
  }
  if (kind == "Job") {
    if (ConditionStatus(object, "Failed") == "True") return failed("");
    return ConditionStatus(object, "Complete") == "True";
  }
  return true;
}

absl::StatusOr<RolloutState> RolloutOf(const Json& object) {
  const std::string kind = Text(object, "kind");
  if (kind == "Deployment") return RolloutOfDeployment(object);
  if (kind == "DaemonSet") return RolloutOfDaemonSet(object);
  return absl::InvalidArgumentError(
      absl::StrCat("no status viewer has been implemented for ", kind));
}

struct PodProgress::Work {
  Work(Session& session, const std::string& ns)
      : session(session),
        watch(session.agent().Watch({.kind = "Event", .ns = ns}, /*only_changes=*/true)),
        reader([this] { Read(); }),
        painter([this] { Paint(); }) {}
  ~Work() {
    watch->Cancel();
    {
      absl::MutexLock lock(&mutex);
      ended = true;
    }
    reader.join();
    painter.join();
  }

  void Read() {
    while (true) {
      const absl::StatusOr<WatchEvent> event = watch->Next();
      if (!event.ok()) return;
      const std::string reason = Text(event->object, "reason");
      if (reason.empty()) continue;
      absl::MutexLock lock(&mutex);
      if (reason == "Pulling") {
        doing = absl::StrCat("pod/", Text(event->object, "involvedObject.name"), ": ",
                             Text(event->object, "message"));
        since = absl::Now();
      } else {
        doing.clear();
      }
    }
  }

  void Paint() {
    bool drawn = false;
    while (true) {
      std::string line;
      bool last = false;
      {
        absl::MutexLock lock(&mutex);
        last = mutex.AwaitWithTimeout(absl::Condition(&ended), kRedraw);
        const absl::Duration age = absl::Now() - since;
        if (!last && !doing.empty() && age > kPatience) {
          line = absl::StrCat(Printable(doing), " (", absl::ToInt64Seconds(age), "s)");
        }
      }
      if (drawn || !line.empty()) session.err << "\r\033[K" << line << std::flush;
      drawn = !line.empty();
      if (last) return;
    }
  }

  Session& session;
  const std::unique_ptr<AgentWatch> watch;
  absl::Mutex mutex;
  bool ended ABSL_GUARDED_BY(mutex) = false;
  std::string doing ABSL_GUARDED_BY(mutex);
  absl::Time since ABSL_GUARDED_BY(mutex);
  std::thread reader, painter;
};

PodProgress::PodProgress(Session& session, const std::string& ns) {
  if (session.IsTerminal(session.streams.err_fd)) work_ = std::make_unique<Work>(session, ns);
}

PodProgress::~PodProgress() = default;

}  // namespace crisp::cli
