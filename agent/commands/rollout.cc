#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/commands/commands.h"
#include "agent/commands/readiness.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/describe_writer.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

constexpr char kRevision[] = "deployment.kubernetes.io/revision";
constexpr char kCause[] = "kubernetes.io/change-cause";
constexpr char kRestartedAt[] = "kubectl.kubernetes.io/restartedAt";

struct Flags {
  std::vector<std::string> words;
  std::string ns, timeout = "0s";
  std::optional<int64_t> revision;
  bool watch = true;
};

std::string Annotation(const Json& object, const char* name) {
  const auto annotations = TextMap(object, "metadata.annotations");
  const auto found = annotations.find(name);
  return found == annotations.end() ? "" : found->second;
}

absl::Status Status(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const Target target, ParseTarget(flags.words));
  CRISP_ASSIGN_OR_RETURN(absl::Duration timeout, ParseTimeout("--timeout", flags.timeout));
  if (timeout == absl::ZeroDuration()) timeout = absl::InfiniteDuration();
  const ObjectRef ref = RefOf(target, flags.ns);
  CRISP_RETURN_IF_ERROR(session.agent().Get(ref).status());
  std::string said;
  const PodProgress progress(session, ref.ns);
  return WatchUntil(session, ref, timeout, [&](const Json& object) -> absl::StatusOr<bool> {
    if (object.is_null()) {
      return absl::NotFoundError(absl::StrCat("object has been deleted: ", ref.name));
    }
    CRISP_ASSIGN_OR_RETURN(const RolloutState state, RolloutOf(object));
    if (state.text != said) session.out << state.text << std::endl;
    said = state.text;
    return state.done || !flags.watch;
  });
}

// The replica sets of a deployment, by revision.
absl::StatusOr<std::vector<Json>> Revisions(const Json& deployment, Session& session) {
  CRISP_ASSIGN_OR_RETURN(ObjectList sets,
                         session.agent().List({.kind = "ReplicaSet", .ns = Namespace(deployment)}));
  std::vector<Json> own;
  for (Json& set : sets.objects) {
    for (const Json& owner : Items(set, "metadata.ownerReferences")) {
      if (Text(owner, "uid") == Text(deployment, "metadata.uid")) {
        own.push_back(std::move(set));
        break;
      }
    }
  }
  const auto revision = [](const Json& set) {
    int64_t number = 0;
    return absl::SimpleAtoi(Annotation(set, kRevision), &number) ? number : 0;
  };
  std::stable_sort(own.begin(), own.end(),
                   [&](const Json& a, const Json& b) { return revision(a) < revision(b); });
  return own;
}

absl::Status History(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const Target target, ParseTarget(flags.words));
  if (std::string(target.kind->kind) != "Deployment") {
    return absl::InvalidArgumentError(
        absl::StrCat("no history viewer has been implemented for ", target.kind->kind));
  }
  CRISP_ASSIGN_OR_RETURN(const Json deployment, session.agent().Get(RefOf(target, flags.ns)));
  CRISP_ASSIGN_OR_RETURN(const std::vector<Json> sets, Revisions(deployment, session));
  if (flags.revision.has_value()) {
    for (const Json& set : sets) {
      if (Annotation(set, kRevision) != absl::StrCat(*flags.revision)) continue;
      DescribeWriter out;
      DescribePodTemplate(Field(set, "spec.template"), &out);
      session.out << ShownName(deployment) << " with revision #" << *flags.revision << "\n"
                  << out.Aligned();
      return absl::OkStatus();
    }
    return absl::NotFoundError(
        absl::StrCat("unable to find the specified revision ", *flags.revision));
  }
  std::vector<Row> rows = {{"REVISION", "CHANGE-CAUSE"}};
  for (const Json& set : sets) {
    const std::string cause = Annotation(set, kCause);
    rows.push_back({Annotation(set, kRevision), cause.empty() ? "<none>" : cause});
  }
  session.out << ShownName(deployment) << "\n" << FormatTable(rows);
  return absl::OkStatus();
}

// Changes each object by what `change` returns for it: a merge patch.
absl::Status Edit(const Flags& flags, Session& session, const char* done,
                  const std::function<absl::StatusOr<Json>(const Json& object)>& change) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(flags.words));
  if (targets.empty()) return absl::InvalidArgumentError("name what to change: TYPE/NAME");
  for (const Target& target : targets) {
    if (target.name.empty()) return absl::InvalidArgumentError("name what to change: TYPE/NAME");
    const ObjectRef ref = RefOf(target, flags.ns);
    CRISP_ASSIGN_OR_RETURN(const Json object, session.agent().Get(ref));
    CRISP_ASSIGN_OR_RETURN(const Json patch, change(object));
    CRISP_RETURN_IF_ERROR(session.agent().Patch(ref, patch).status());
    session.out << ShownName(object) << " " << done << "\n" << std::flush;
  }
  return absl::OkStatus();
}

absl::Status Restart(const Flags& flags, Session& session) {
  const std::string now =
      absl::FormatTime("%Y-%m-%dT%H:%M:%S%Ez", session.clock->Now(), absl::LocalTimeZone());
  return Edit(flags, session, "restarted", [&](const Json& object) -> absl::StatusOr<Json> {
    const std::string kind = Text(object, "kind");
    if (kind != "Deployment" && kind != "DaemonSet") {
      return absl::InvalidArgumentError(absl::StrCat(kind, " restarting is not supported"));
    }
    if (IsTrue(object, "spec.paused")) {
      return absl::InvalidArgumentError(
          "can't restart paused deployment (run rollout resume first)");
    }
    Json patch;
    patch["spec"]["template"]["metadata"]["annotations"][kRestartedAt] = now;
    return patch;
  });
}

absl::Status SetPaused(const Flags& flags, bool paused, Session& session) {
  return Edit(
      flags, session, paused ? "paused" : "resumed",
      [&](const Json& object) -> absl::StatusOr<Json> {
        if (Text(object, "kind") != "Deployment") {
          return absl::InvalidArgumentError(absl::StrCat(
              Text(object, "kind"), paused ? " pausing" : " resuming", " is not supported"));
        }
        if (IsTrue(object, "spec.paused") == paused) {
          return absl::InvalidArgumentError(
              absl::StrCat(ShownName(object), " is ", paused ? "already paused" : "not paused"));
        }
        return Json{{"spec", {{"paused", paused}}}};
      });
}

Verb AddPart(Verb& rollout, const char* name, const char* help, Flags* flags) {
  Verb verb = rollout.Add(name, help);
  verb.Words("TYPE/NAME|TYPE NAME", &flags->words, "A deployment; for some verbs a daemonset")
      .Required();
  verb.Namespace(&flags->ns);
  return verb;
}

}  // namespace

void AddRollout(Verb& crisp) {
  Verb rollout = crisp.Add("rollout", "See and steer how a workload's change comes to its pods");
  rollout.Notes(R"(Examples:
  crisp rollout status deployment/web --timeout=2m
  crisp rollout history deployment/web
  crisp rollout restart deployment/web
  crisp rollout pause deployment/web      then several changes, then:
  crisp rollout resume deployment/web)");
  rollout.Runs([](Session&) {
    return absl::InvalidArgumentError("rollout status, history, restart, pause or resume?");
  });
  auto flags = std::make_shared<Flags>();
  Verb status = AddPart(rollout, "status", "Wait until a rollout is done, and say how far it is",
                        flags.get());
  status.Switch("-w,--watch", &flags->watch, "Until it is done; =false says how far it is");
  status.Option("--timeout", &flags->timeout, "The longest to wait; 0s: for ever", "DURATION");
  status.Runs([flags](Session& session) { return Status(*flags, session); });
  Verb history = AddPart(rollout, "history", "The revisions of a deployment", flags.get());
  history.Option("--revision", &flags->revision, "The pod template of this one", "N");
  history.Runs([flags](Session& session) { return History(*flags, session); });
  AddPart(rollout, "restart", "New pods from the same template", flags.get())
      .Runs([flags](Session& session) { return Restart(*flags, session); });
  AddPart(rollout, "pause", "Hold changes of the template back", flags.get())
      .Runs([flags](Session& session) { return SetPaused(*flags, true, session); });
  AddPart(rollout, "resume", "Let them come", flags.get()).Runs([flags](Session& session) {
    return SetPaused(*flags, false, session);
  });
}

}  // namespace crisp::cli
