#include "agent/output/describe.h"

#include <memory>
#include <string>
#include <vector>

#include "agent/commands/commands.h"
#include "agent/node_facts.h"
#include "agent/pod_view.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::Volumes;

struct Flags {
  std::vector<std::string> words;
  std::string ns;
};

absl::StatusOr<std::string> DescribeOne(Resource resource, const std::string& ns,
                                        const std::string& name, Session& session) {
  switch (resource) {
    case Resource::kPod: {
      CRISP_ASSIGN_OR_RETURN(const PodView pod, FindPod(session.node(), ns, name));
      return Describe(pod, ReadNodeFacts().name);
    }
    case Resource::kConfigMap: {
      volumes::v1::GetConfigMapRequest request;
      request.mutable_key()->set_namespace_(ns);
      request.mutable_key()->set_name(name);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::GetConfigMap, request));
      return Describe(reply.config_map());
    }
    case Resource::kSecret: {
      volumes::v1::GetSecretRequest request;
      request.mutable_key()->set_namespace_(ns);
      request.mutable_key()->set_name(name);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::GetSecret, request));
      return Describe(reply.secret());
    }
  }
  return absl::InternalError("unknown resource");
}

absl::Status Run(const Flags& flags, Session& session) {
  std::vector<std::string> words = flags.words;
  if (const size_t slash = words[0].find('/'); slash != std::string::npos) {
    words.insert(words.begin() + 1, words[0].substr(slash + 1));
    words[0].resize(slash);
  }
  CRISP_ASSIGN_OR_RETURN(const Resource resource, ParseResource(words[0]));
  if (words.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("which ", ResourceName(resource), "? Give its name"));
  }
  for (size_t i = 1; i < words.size(); ++i) {
    const absl::StatusOr<std::string> text = DescribeOne(resource, flags.ns, words[i], session);
    if (!text.ok()) {
      session.Report(text.status());
    } else {
      session.out << (i > 1 ? "\n\n" : "") << *text;
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddDescribe(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("describe", "Show one object in detail");
  auto flags = std::make_shared<Flags>();
  verb->add_option("TYPE", flags->words, "pod, configmap or secret, then names; or TYPE/NAME")
      ->required();
  AddNamespaceOption(verb, &flags->ns);
  verb->footer(R"(A Secret's values are shown only as their size.

Examples:
  crisp describe pod web
  crisp describe configmap tomcat-server-config)");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent
