#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/readiness.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words, files;
  std::string ns, selector, field_selector, cascade = "background", timeout = "0s", output;
  std::optional<int64_t> grace_period;
  bool all = false, all_namespaces = false, now = false, force = false, wait = true;
  bool ignore_not_found = false, recursive = false;
};

class Delete {
 public:
  Delete(const Flags& flags, Session& session) : flags_(flags), session_(session) {}

  absl::Status Run() {
    CRISP_RETURN_IF_ERROR(ReadOptions());
    CRISP_RETURN_IF_ERROR(FindTargets());
    std::vector<ObjectRef> deleted;
    std::vector<std::string> uids;
    for (const ObjectRef& ref : targets_) {
      const absl::StatusOr<Json> result = session_.agent().Delete(ref, options_);
      if (absl::IsNotFound(result.status()) && FromServer(result.status())) {
        if (!flags_.ignore_not_found) session_.Report(result.status());
        continue;
      }
      if (!result.ok()) {
        if (!FromServer(result.status())) return result.status();
        session_.Report(result.status());
        continue;
      }
      const KindInfo* kind = KindOfObject(ref.kind);
      if (flags_.output == "name") {
        session_.out << kind->Qualified() << "/" << ref.name << "\n" << std::flush;
      } else {
        session_.out << kind->Qualified() << " \"" << ref.name << "\" "
                     << (force_ ? "force deleted" : "deleted") << "\n"
                     << std::flush;
      }
      deleted.push_back(ref);
      uids.push_back(Text(*result, "metadata.uid"));
    }
    if (!flags_.wait) return absl::OkStatus();
    return WaitUntilGone(deleted, uids);
  }

 private:
  absl::Status ReadOptions() {
    CRISP_ASSIGN_OR_RETURN(timeout_, ParseTimeout("--timeout", flags_.timeout));
    if (timeout_ == absl::ZeroDuration()) timeout_ = absl::InfiniteDuration();
    if (flags_.now && flags_.grace_period.has_value()) {
      return absl::InvalidArgumentError("--now and --grace-period cannot be specified together");
    }
    options_.grace_period_seconds = flags_.grace_period;
    if (flags_.grace_period.has_value() && *flags_.grace_period < 0) {
      options_.grace_period_seconds.reset();  // The pod's own, as kubectl's -1.
    }
    if (flags_.now) options_.grace_period_seconds = 1;
    if (flags_.force) {
      if (options_.grace_period_seconds.value_or(0) > 0) {
        return absl::InvalidArgumentError(
            "--force and --grace-period greater than 0 cannot be specified together");
      }
      options_.grace_period_seconds = 0;
      force_ = true;
      session_.Warn(
          "Immediate deletion does not wait for confirmation that the running resource has been "
          "terminated.");
    }
    options_.orphan = flags_.cascade == "orphan";
    return absl::OkStatus();
  }

  absl::Status FindTargets() {
    if (!flags_.files.empty()) {
      CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                             LoadManifests(flags_.files, flags_.recursive, session_.in));
      for (Manifest& manifest : manifests) {
        CRISP_RETURN_IF_ERROR(
            Annotate(FillNamespace(flags_.ns, &manifest.object), manifest.source));
        targets_.push_back(RefOf(manifest.object));
      }
    }
    CRISP_ASSIGN_OR_RETURN(const std::vector<Target> words, ParseTargets(flags_.words));
    if (words.empty() && flags_.files.empty()) {
      return absl::InvalidArgumentError(
          "you must provide one or more resources: a manifest with -f, TYPE NAME or TYPE/NAME");
    }
    const bool selects = flags_.all || !flags_.selector.empty() || !flags_.field_selector.empty();
    for (const Target& target : words) {
      if (!target.name.empty()) {
        if (selects) {
          return absl::InvalidArgumentError("name cannot be provided when a selector is specified");
        }
        targets_.push_back(RefOf(target, flags_.ns));
        continue;
      }
      if (!selects) {
        return absl::InvalidArgumentError(
            "resource(s) were provided, but no name was specified: give names, -l or --all");
      }
      Selection selection = {
          .kind = target.kind->kind, .labels = flags_.selector, .fields = flags_.field_selector};
      if (target.kind->namespaced && !flags_.all_namespaces) {
        selection.ns = Session::NamespaceOr(flags_.ns);
      }
      CRISP_ASSIGN_OR_RETURN(const ObjectList list, session_.agent().List(selection));
      for (const Json& object : list.objects) targets_.push_back(RefOf(object));
    }
    if (targets_.empty()) session_.out << "No resources found\n";
    return absl::OkStatus();
  }

  absl::Status WaitUntilGone(const std::vector<ObjectRef>& refs,
                             const std::vector<std::string>& uids) {
    const absl::Duration give_up = session_.clock->Steady() + timeout_;
    for (size_t i = 0; i < refs.size(); ++i) {
      const absl::Duration left =
          std::max(absl::ZeroDuration(), give_up - session_.clock->Steady());
      const absl::Status gone =
          WatchUntil(session_, refs[i], left, [&](const Json& now) -> absl::StatusOr<bool> {
            // Another object of the same name may have come.
            return now.is_null() || Text(now, "metadata.uid") != uids[i];
          });
      if (absl::IsDeadlineExceeded(gone)) {
        return absl::DeadlineExceededError(absl::StrCat("timed out waiting for the condition on ",
                                                        KindOfObject(refs[i].kind)->plural, "/",
                                                        refs[i].name));
      }
      CRISP_RETURN_IF_ERROR(gone);
    }
    return absl::OkStatus();
  }

  const Flags& flags_;
  Session& session_;
  DeleteOptions options_;
  absl::Duration timeout_;
  bool force_ = false;
  std::vector<ObjectRef> targets_;
};

}  // namespace

void AddDelete(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("delete", "Delete objects, and wait until they are gone");
  verb.Words("TYPE [NAME...]|TYPE/NAME...", &flags->words, "What to delete");
  verb.Option("-f,--filename", &flags->files, "The objects of this manifest", "FILE|DIR|-");
  verb.Switch("-R,--recursive", &flags->recursive, "Directories of -f with what is below them");
  verb.Option("-l,--selector", &flags->selector, "Objects with these labels", "SELECTOR");
  verb.Option("--field-selector", &flags->field_selector, "Objects with these fields", "SELECTOR");
  verb.Switch("--all", &flags->all, "Every object of the type in the namespace");
  verb.Switch("-A,--all-namespaces", &flags->all_namespaces, "With --all or -l: everywhere");
  verb.Option("--grace-period", &flags->grace_period,
              "Seconds that a pod has to end; the pod's own by default", "SECONDS");
  verb.Switch("--now", &flags->now, "A grace period of 1 s");
  verb.Switch("--force", &flags->force, "Kill at once");
  verb.Option("--cascade", &flags->cascade, "orphan keeps the pods of a workload", "")
      .OneOf({"background", "orphan"});
  verb.Switch("--wait", &flags->wait, "Until the objects are gone; --wait=false returns at once");
  verb.Option("--timeout", &flags->timeout, "The longest to wait; 0s: for ever", "DURATION");
  verb.Switch("--ignore-not-found", &flags->ignore_not_found, "What is gone already is no error");
  verb.Option("-o,--output", &flags->output, "name: print TYPE/NAME", "").OneOf({"name"});
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Examples:
  crisp delete pod web
  crisp delete -f pod.yaml --ignore-not-found
  crisp delete pods -l app=web --now
  crisp delete deployment,configmap --all -n shop
  crisp delete rs/web-5d9f --cascade=orphan)");
  verb.Runs([flags](Session& session) { return Delete(*flags, session).Run(); });
}

}  // namespace crisp::cli
