#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/commands/commands.h"
#include "agent/manifest/documents.h"
#include "agent/pod_runner.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::ApplyConfigMapRequest;
using crisp::volumes::v1::ApplySecretRequest;
using crisp::volumes::v1::Change;
using crisp::volumes::v1::Volumes;

struct Flags {
  std::vector<std::string> files;
  std::string ns;
  std::string timeout = "5m";
  std::string log_root = PodRunner::kDefaultLogRoot;
  bool wait = false;
};

const char* ChangeWord(Change change) {
  switch (change) {
    case crisp::volumes::v1::CHANGE_CREATED:
      return "created";
    case crisp::volumes::v1::CHANGE_CONFIGURED:
      return "configured";
    default:
      return "unchanged";
  }
}

const char* OutcomeWord(PodRunner::Outcome outcome) {
  switch (outcome) {
    case PodRunner::Outcome::kCreated:
      return "created";
    case PodRunner::Outcome::kRecreated:
      return "recreated";
    case PodRunner::Outcome::kUnchanged:
      break;
  }
  return "unchanged";
}

absl::StatusOr<std::string> ApplyObject(Session& session, const volumes::v1::ConfigMap& object) {
  ApplyConfigMapRequest request;
  *request.mutable_config_map() = object;
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         session.node().Volumes(&Volumes::Stub::ApplyConfigMap, request));
  return absl::StrCat("configmap/", object.key().name(), " ", ChangeWord(reply.change()));
}

absl::StatusOr<std::string> ApplyObject(Session& session, const volumes::v1::Secret& object) {
  ApplySecretRequest request;
  *request.mutable_secret() = object;
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         session.node().Volumes(&Volumes::Stub::ApplySecret, request));
  return absl::StrCat("secret/", object.key().name(), " ", ChangeWord(reply.change()));
}

// The namespace that a document says, or the command line's; both must agree.
absl::Status FillNamespace(const std::string& wanted, bool said, std::string* ns) {
  if (ns->empty()) {
    *ns = wanted;
  } else if (said && *ns != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata.namespace: is \"", *ns, "\", but -n says \"", wanted, "\""));
  }
  return absl::OkStatus();
}

absl::Status FillNamespaces(const Flags& flags, bool said, std::vector<Document>* documents) {
  for (Document& document : *documents) {
    if (Pod* pod = std::get_if<Pod>(&document.object); pod != nullptr) {
      CRISP_RETURN_IF_ERROR(
          Annotate(FillNamespace(flags.ns, said, &pod->ns), document.source, ": Pod/", pod->name));
    }
    if (auto* object = std::get_if<volumes::v1::ConfigMap>(&document.object); object != nullptr) {
      CRISP_RETURN_IF_ERROR(
          Annotate(FillNamespace(flags.ns, said, object->mutable_key()->mutable_namespace_()),
                   document.source, ": ConfigMap/", object->key().name()));
    }
    if (auto* object = std::get_if<volumes::v1::Secret>(&document.object); object != nullptr) {
      CRISP_RETURN_IF_ERROR(
          Annotate(FillNamespace(flags.ns, said, object->mutable_key()->mutable_namespace_()),
                   document.source, ": Secret/", object->key().name()));
    }
  }
  return absl::OkStatus();
}

void Say(Session& session, const absl::StatusOr<std::string>& line, const std::string& object) {
  if (line.ok()) {
    session.out << *line << std::endl;
  } else {
    session.Report(Annotate(line.status(), object));
  }
}

absl::Status Run(const Flags& flags, bool namespace_said, Session& session) {
  PodRunner::Options options;
  if (!absl::ParseDuration(flags.timeout, &options.timeout) ||
      options.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--timeout \"", flags.timeout, "\" is not a duration such as 30s or 5m"));
  }
  options.log_root = flags.log_root;
  // Everything is read before anything is done.
  CRISP_ASSIGN_OR_RETURN(std::vector<Document> documents, LoadDocuments(flags.files, session.in));
  CRISP_RETURN_IF_ERROR(FillNamespaces(flags, namespace_said, &documents));

  // What pods use comes first, wherever it stands in the files.
  for (const Document& document : documents) {
    if (const auto* object = std::get_if<volumes::v1::ConfigMap>(&document.object)) {
      Say(session, ApplyObject(session, *object), absl::StrCat("configmap/", object->key().name()));
    } else if (const auto* object = std::get_if<volumes::v1::Secret>(&document.object)) {
      Say(session, ApplyObject(session, *object), absl::StrCat("secret/", object->key().name()));
    }
  }
  options.node = ReadNodeFacts();
  PodRunner runner(&session.node(), session.clock, options);
  for (const Document& document : documents) {
    const Pod* pod = std::get_if<Pod>(&document.object);
    if (pod == nullptr) continue;
    const std::string name = absl::StrCat("pod/", pod->name);
    const absl::StatusOr<PodRunner::Outcome> outcome = runner.Apply(*pod);
    if (!outcome.ok()) {
      session.Report(Annotate(outcome.status(), name));
      continue;
    }
    session.out << name << " " << OutcomeWord(*outcome) << std::endl;
    if (flags.wait) session.Report(Annotate(runner.WaitStarted(pod->ns, pod->name), name));
  }
  return absl::OkStatus();
}

}  // namespace

void AddApply(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("apply", "Bring the node to what manifests say");
  auto flags = std::make_shared<Flags>();
  verb->add_option("-f,--filename", flags->files,
                   "A manifest, a directory of manifests, or - for standard input; may be repeated")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  AddNamespaceOption(verb, &flags->ns);
  verb->add_option("--timeout", flags->timeout, "How long one pod may take, images included")
      ->type_name("DURATION")
      ->capture_default_str();
  verb->add_flag("--wait", flags->wait,
                 "Also fail if a container has ended with an error once all were started");
  verb->add_option("--log-root", flags->log_root, "Where container logs are kept")
      ->envname("CRISP_LOG_ROOT")
      ->type_name("DIR")
      ->capture_default_str();
  verb->footer(R"(ConfigMaps and Secrets are applied before Pods. A pod that runs as its manifest
says is left alone; a pod that would have to change is an error: delete it first.

Examples:
  crisp apply -f pod.yaml
  crisp apply -f manifests/ -n test
  kubectl create configmap app --from-file=app.conf --dry-run=client -o yaml | crisp apply -f -)");
  verb->callback([flags, verb, action] {
    *action = [flags, said = verb->count("--namespace") > 0](Session& session) {
      return Run(*flags, said, session);
    };
  });
}

}  // namespace crisp::agent
