#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/object_output.h"
#include "agent/commands/readiness.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string ns, output, dry_run = "none", timeout = "5m";
  bool recursive = false, wait = false;
};

const char* ChangeWord(Applied::Change change) {
  switch (change) {
    case Applied::Change::kCreated:
      return "created";
    case Applied::Change::kConfigured:
      return "configured";
    default:
      return "unchanged";
  }
}

absl::Status WaitFor(const std::vector<Json>& objects, absl::Duration timeout, Session& session) {
  const absl::Duration give_up = session.clock->Steady() + timeout;
  for (const Json& object : objects) {
    const PodProgress progress(session, Namespace(object));
    const absl::Duration left = std::max(absl::ZeroDuration(), give_up - session.clock->Steady());
    const absl::Status ready =
        WatchUntil(session, RefOf(object), left, [&](const Json& now) -> absl::StatusOr<bool> {
          if (now.is_null()) {
            return absl::NotFoundError(absl::StrCat(ShownName(object), " was deleted meanwhile"));
          }
          return IsReady(now);
        });
    if (absl::IsDeadlineExceeded(ready)) {
      return absl::DeadlineExceededError(absl::StrCat("timed out waiting for ", ShownName(object),
                                                      " to become ready; \"crisp "
                                                      "describe ",
                                                      ShownName(object), " -n ", Namespace(object),
                                                      "\" says why"));
    }
    CRISP_RETURN_IF_ERROR(ready);
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const OutputFormat format, OutputFormat::Parse(flags.output));
  CRISP_ASSIGN_OR_RETURN(const absl::Duration timeout, ParseTimeout("--timeout", flags.timeout));
  CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                         LoadManifests(flags.files, flags.recursive, session.in));
  for (Manifest& manifest : manifests) {
    CRISP_RETURN_IF_ERROR(Annotate(FillNamespace(flags.ns, &manifest.object), manifest.source));
  }
  std::vector<Json> applied;
  for (const Manifest& manifest : manifests) {
    absl::StatusOr<Applied> result =
        session.agent().Apply(manifest.object, flags.dry_run != "none");
    if (!result.ok()) {
      // One that fails does not hold up the others; an agent that is away does.
      if (!FromServer(result.status())) return result.status();
      session.Report(result.status());
      continue;
    }
    for (const std::string& warning : result->warnings) session.Warn(warning);
    if (format.IsTable()) {
      session.out << ShownName(result->object) << " " << ChangeWord(result->change)
                  << (flags.dry_run == "client" ? " (dry run)" : "")
                  << (flags.dry_run == "server" ? " (server dry run)" : "") << "\n"
                  << std::flush;
    }
    applied.push_back(std::move(result->object));
  }
  if (!format.IsTable() && !applied.empty()) {
    session.out << FormatObjects(format, applied, applied.size() == 1);
  }
  if (flags.wait && flags.dry_run == "none") return WaitFor(applied, timeout, session);
  return absl::OkStatus();
}

}  // namespace

void AddApply(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("apply", "Create objects, or bring them to what a manifest says");
  verb.Option("-f,--filename", &flags->files, "A manifest, a directory of them, - for stdin",
              "FILE|DIR|-")
      .Required();
  verb.Switch("-R,--recursive", &flags->recursive, "Directories with what is below them");
  verb.Option("--dry-run", &flags->dry_run, "Check and say what would be done; change nothing", "")
      .OneOf({"none", "client", "server"});
  verb.Option("-o,--output", &flags->output, "yaml, json, name, jsonpath=...: print the objects",
              "FORMAT");
  verb.Switch("--wait", &flags->wait, "Until pods are ready, workloads rolled out, Jobs complete");
  verb.Option("--timeout", &flags->timeout, "The longest to wait (5m)", "DURATION");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Manifests are YAML or JSON as Kubernetes' documentation shows them. What a manifest
no longer says is taken back; what it never said is left alone.

Examples:
  crisp apply -f pod.yaml
  crisp apply -f pod.yaml --wait
  crisp apply -R -f manifests/
  crisp create deployment web --image=nginx --dry-run=client -o yaml | crisp apply -f -)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
