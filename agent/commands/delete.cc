#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/manifest/documents.h"
#include "agent/pod_runner.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::DeleteConfigMapRequest;
using crisp::volumes::v1::DeleteSecretRequest;
using crisp::volumes::v1::Volumes;

struct Flags {
  std::vector<std::string> files;
  std::vector<std::string> words;  // TYPE NAME... or TYPE/NAME...
  std::string ns;
  std::string log_root = PodRunner::kDefaultLogRoot;
  int64_t grace_period = -1;
  bool ignore_not_found = false;
};

struct Target {
  Resource resource;
  std::string ns;
  std::string name;
};

absl::StatusOr<std::vector<Target>> TargetsFromWords(const Flags& flags) {
  std::vector<Target> targets;
  if (flags.words.empty()) return targets;
  if (flags.words[0].find('/') != std::string::npos) {
    for (const std::string& word : flags.words) {
      const size_t slash = word.find('/');
      CRISP_ASSIGN_OR_RETURN(const Resource resource, ParseResource(word.substr(0, slash)));
      if (slash == std::string::npos || slash + 1 == word.size()) {
        return absl::InvalidArgumentError(absl::StrCat("\"", word, "\" is not TYPE/NAME"));
      }
      targets.push_back({resource, flags.ns, word.substr(slash + 1)});
    }
    return targets;
  }
  CRISP_ASSIGN_OR_RETURN(const Resource resource, ParseResource(flags.words[0]));
  if (flags.words.size() == 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("which ", ResourceName(resource), "? Give its name"));
  }
  for (size_t i = 1; i < flags.words.size(); ++i) {
    targets.push_back({resource, flags.ns, flags.words[i]});
  }
  return targets;
}

// Pods first: what they use goes after them.
absl::StatusOr<std::vector<Target>> TargetsFromFiles(const Flags& flags, Session& session) {
  std::vector<Target> pods, objects;
  if (flags.files.empty()) return pods;
  CRISP_ASSIGN_OR_RETURN(const std::vector<Document> documents,
                         LoadDocuments(flags.files, session.in));
  const auto in = [&](const std::string& ns) { return ns.empty() ? flags.ns : ns; };
  for (const Document& document : documents) {
    if (const auto* pod = std::get_if<Pod>(&document.object)) {
      pods.push_back({Resource::kPod, in(pod->ns), pod->name});
    } else if (const auto* map = std::get_if<volumes::v1::ConfigMap>(&document.object)) {
      objects.push_back({Resource::kConfigMap, in(map->key().namespace_()), map->key().name()});
    } else if (const auto* secret = std::get_if<volumes::v1::Secret>(&document.object)) {
      objects.push_back({Resource::kSecret, in(secret->key().namespace_()), secret->key().name()});
    }
  }
  pods.insert(pods.end(), objects.begin(), objects.end());
  return pods;
}

absl::Status DeleteOne(const Flags& flags, const Target& target, PodRunner& runner,
                       Session& session) {
  bool existed = false;
  switch (target.resource) {
    case Resource::kPod: {
      std::optional<int64_t> grace;
      if (flags.grace_period >= 0) grace = flags.grace_period;
      return runner.Delete(target.ns, target.name, grace);
    }
    case Resource::kConfigMap: {
      DeleteConfigMapRequest request;
      request.mutable_key()->set_namespace_(target.ns);
      request.mutable_key()->set_name(target.name);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::DeleteConfigMap, request));
      existed = reply.existed();
      break;
    }
    case Resource::kSecret: {
      DeleteSecretRequest request;
      request.mutable_key()->set_namespace_(target.ns);
      request.mutable_key()->set_name(target.name);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::DeleteSecret, request));
      existed = reply.existed();
      break;
    }
  }
  if (existed) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(ResourceName(target.resource), "s \"", target.name, "\" not found"));
}

absl::Status Run(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(std::vector<Target> targets, TargetsFromWords(flags));
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> more, TargetsFromFiles(flags, session));
  targets.insert(targets.end(), more.begin(), more.end());
  if (targets.empty()) {
    return absl::InvalidArgumentError("give -f FILE, or a type and a name: crisp delete pod web");
  }
  PodRunner::Options options;
  options.log_root = flags.log_root;
  PodRunner runner(&session.node(), session.clock, options);
  for (const Target& target : targets) {
    const absl::Status status = DeleteOne(flags, target, runner, session);
    if (status.ok()) {
      session.out << ResourceName(target.resource) << " \"" << target.name << "\" deleted"
                  << std::endl;
    } else if (!absl::IsNotFound(status) || !flags.ignore_not_found) {
      session.Report(status);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddDelete(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("delete", "Delete objects; returns when they are gone");
  auto flags = std::make_shared<Flags>();
  verb->add_option("TYPE", flags->words, "pod, configmap or secret, then names; or TYPE/NAME");
  verb->add_option("-f,--filename", flags->files,
                   "Delete what a manifest, a directory or standard input (-) names")
      ->allow_extra_args(false)
      ->type_name("FILE");
  AddNamespaceOption(verb, &flags->ns);
  verb->add_option("--grace-period", flags->grace_period,
                   "Seconds that containers get to end by themselves; -1: the pod's own")
      ->check(CLI::Range(int64_t{-1}, int64_t{86400}))
      ->type_name("SECONDS");
  verb->add_flag("--ignore-not-found", flags->ignore_not_found,
                 "What does not exist counts as deleted");
  verb->add_option("--log-root", flags->log_root, "Where container logs are kept")
      ->envname("CRISP_LOG_ROOT")
      ->type_name("DIR")
      ->capture_default_str();
  verb->footer(R"(Deleting a pod stops its containers and removes it with its logs.

Examples:
  crisp delete pod web
  crisp delete -f pod.yaml --ignore-not-found
  crisp delete pod web --grace-period=0
  crisp delete configmap app-config -n test)");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent
