#include "agent/output/describe.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words, files;
  std::string ns, selector;
  bool all_namespaces = false, show_events = true, recursive = false;
};

absl::StatusOr<DescribeContext> ContextOf(const Json& object, const Flags& flags,
                                          Session& session) {
  DescribeContext context;
  context.now = session.clock->Now();
  const std::string kind = Text(object, "kind"), ns = Namespace(object);
  const auto list = [&](const char* of) -> absl::StatusOr<std::vector<Json>> {
    CRISP_ASSIGN_OR_RETURN(ObjectList all, session.agent().List({.kind = of, .ns = ns}));
    return std::move(all.objects);
  };
  if (flags.show_events && kind != "Event" && kind != "Secret") {
    CRISP_ASSIGN_OR_RETURN(
        ObjectList events,
        session.agent().List({.kind = "Event",
                              .ns = ns,
                              .fields = absl::StrCat("involvedObject.kind=", kind,
                                                     ",involvedObject.name=", Name(object))}));
    const std::string uid = Text(object, "metadata.uid");
    for (Json& event : events.objects) {
      // Of the object that bears the name now.
      const std::string about = Text(event, "involvedObject.uid");
      if (about.empty() || kind == "Node" || about == uid) {
        context.events.push_back(std::move(event));
      }
    }
  }
  if (kind == "ReplicaSet" || kind == "ReplicationController" || kind == "DaemonSet" ||
      kind == "Job" || kind == "Node") {
    CRISP_ASSIGN_OR_RETURN(context.pods, list("Pod"));
  }
  if (kind == "Deployment") {
    CRISP_ASSIGN_OR_RETURN(context.replica_sets, list("ReplicaSet"));
  }
  return context;
}

absl::StatusOr<std::vector<Json>> Find(const Flags& flags, Session& session) {
  std::vector<Json> objects;
  if (!flags.files.empty()) {
    CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                           LoadManifests(flags.files, flags.recursive, session.in));
    for (Manifest& manifest : manifests) {
      CRISP_RETURN_IF_ERROR(FillNamespace(flags.ns, &manifest.object));
      CRISP_ASSIGN_OR_RETURN(Json object, session.agent().Get(RefOf(manifest.object)));
      objects.push_back(std::move(object));
    }
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(flags.words));
  if (targets.empty() && flags.files.empty()) {
    return absl::InvalidArgumentError("you must specify the type of resource to describe");
  }
  for (const Target& target : targets) {
    Selection selection = {.kind = target.kind->kind, .labels = flags.selector};
    if (target.kind->namespaced && !flags.all_namespaces) {
      selection.ns = Session::NamespaceOr(flags.ns);
    }
    if (target.name.empty()) {
      CRISP_ASSIGN_OR_RETURN(ObjectList list, session.agent().List(selection));
      for (Json& object : list.objects) objects.push_back(std::move(object));
      continue;
    }
    absl::StatusOr<Json> exact = session.agent().Get(RefOf(target, flags.ns));
    if (exact.ok()) {
      objects.push_back(*std::move(exact));
      continue;
    }
    if (!absl::IsNotFound(exact.status())) return exact.status();
    // As kubectl: a name may be the beginning of several.
    CRISP_ASSIGN_OR_RETURN(ObjectList list, session.agent().List(selection));
    const size_t before = objects.size();
    for (Json& object : list.objects) {
      if (absl::StartsWith(Name(object), target.name)) objects.push_back(std::move(object));
    }
    if (objects.size() == before) session.Report(exact.status());
  }
  return objects;
}

absl::Status Run(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<Json> objects, Find(flags, session));
  bool first = true;
  for (const Json& object : objects) {
    CRISP_ASSIGN_OR_RETURN(const DescribeContext context, ContextOf(object, flags, session));
    session.out << (first ? "" : "\n\n") << Describe(object, context);
    first = false;
  }
  if (objects.empty() && session.exit_code == 0) {
    session.err << "No resources found in " << Session::NamespaceOr(flags.ns) << " namespace.\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddDescribe(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("describe", "Show objects in detail, with their events");
  verb.Words("TYPE [NAME...]|TYPE/NAME...", &flags->words,
             "What to describe; the beginning of a name is enough");
  verb.Option("-f,--filename", &flags->files, "The objects of this manifest", "FILE|DIR|-");
  verb.Switch("-R,--recursive", &flags->recursive, "Directories of -f with what is below them");
  verb.Option("-l,--selector", &flags->selector, "Only objects with these labels", "SELECTOR");
  verb.Switch("-A,--all-namespaces", &flags->all_namespaces, "In every namespace");
  verb.Switch("--show-events", &flags->show_events, "Events at the end; =false leaves them out");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Values of Secrets are not shown.

Examples:
  crisp describe pod web
  crisp describe deployment/shop
  crisp describe node
  crisp describe pods -l app=web)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
