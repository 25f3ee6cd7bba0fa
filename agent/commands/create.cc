#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/object_output.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/literal_sources.h"
#include "agent/output/fields.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> files, images;
  std::string name, ns, type, output, dry_run = "none";
  agent::DataSources sources;
  int64_t replicas = 1;
  std::optional<int64_t> port;
  bool recursive = false;
};

absl::Status Store(const Flags& flags, const std::vector<Json>& objects, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const OutputFormat format, OutputFormat::Parse(flags.output));
  std::vector<Json> created;
  for (const Json& object : objects) {
    Json now = object;
    if (flags.dry_run != "client") {
      const absl::StatusOr<Applied> result =
          session.agent().Create(object, flags.dry_run == "server");
      if (!result.ok()) {
        if (!FromServer(result.status()) || objects.size() == 1) return result.status();
        session.Report(result.status());
        continue;
      }
      for (const std::string& warning : result->warnings) session.Warn(warning);
      now = result->object;
    }
    if (format.IsTable()) {
      session.out << ShownName(now) << " created" << (flags.dry_run == "client" ? " (dry run)" : "")
                  << (flags.dry_run == "server" ? " (server dry run)" : "") << "\n"
                  << std::flush;
    }
    created.push_back(std::move(now));
  }
  if (!format.IsTable() && !created.empty()) {
    session.out << FormatObjects(format, created, created.size() == 1);
  }
  return absl::OkStatus();
}

absl::Status CreateFromFiles(const Flags& flags, Session& session) {
  if (flags.files.empty()) {
    return absl::InvalidArgumentError("must specify -f, or one of: configmap, secret, deployment");
  }
  CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                         LoadManifests(flags.files, flags.recursive, session.in));
  std::vector<Json> objects;
  for (Manifest& manifest : manifests) {
    CRISP_RETURN_IF_ERROR(Annotate(FillNamespace(flags.ns, &manifest.object), manifest.source));
    objects.push_back(std::move(manifest.object));
  }
  return Store(flags, objects, session);
}

Json NewObject(const char* version, const char* kind, const Flags& flags) {
  Json object = {{"apiVersion", version}, {"kind", kind}, {"metadata", {{"name", flags.name}}}};
  // A manifest that is to be kept says no namespace that nobody gave.
  if (!flags.ns.empty() || flags.dry_run != "client") {
    object["metadata"]["namespace"] = Session::NamespaceOr(flags.ns);
  }
  return object;
}

absl::Status CreateConfigMap(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const auto data, agent::ReadDataSources(flags.sources));
  Json object = NewObject("v1", "ConfigMap", flags);
  for (const auto& [key, bytes] : data) {
    // Text goes where variables can use it; other bytes have a place of their own.
    if (IsUtf8(bytes)) {
      object["data"][key] = bytes;
    } else {
      object["binaryData"][key] = absl::Base64Escape(bytes);
    }
  }
  return Store(flags, {object}, session);
}

absl::Status CreateSecret(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const auto data, agent::ReadDataSources(flags.sources));
  Json object = NewObject("v1", "Secret", flags);
  if (!flags.type.empty()) object["type"] = flags.type;
  for (const auto& [key, bytes] : data) object["data"][key] = absl::Base64Escape(bytes);
  return Store(flags, {object}, session);
}

// "registry/team/nginx:1.25@sha256:..." is "nginx".
std::string ContainerName(const std::string& image) {
  std::string name = image.substr(image.rfind('/') + 1);
  name = name.substr(0, name.find_first_of(":@"));
  for (char& c : name) {
    if (c == '.' || c == '_') c = '-';
  }
  return name;
}

absl::Status CreateDeployment(const Flags& flags, Session& session) {
  if (flags.images.size() > 1 && !session.after_dashes.empty()) {
    return absl::InvalidArgumentError("cannot specify multiple --image options and command");
  }
  const Json labels = {{"app", flags.name}};
  Json containers = Json::array();
  for (const std::string& image : flags.images) {
    Json container = {{"name", ContainerName(image)}, {"image", image}};
    if (!session.after_dashes.empty()) container["command"] = session.after_dashes;
    if (flags.port.has_value()) {
      container["ports"] = Json::array({{{"containerPort", *flags.port}}});
    }
    containers.push_back(container);
  }
  Json object = NewObject("apps/v1", "Deployment", flags);
  object["metadata"]["labels"] = labels;
  object["spec"] = {
      {"replicas", flags.replicas},
      {"selector", {{"matchLabels", labels}}},
      {"template", {{"metadata", {{"labels", labels}}}, {"spec", {{"containers", containers}}}}}};
  return Store(flags, {object}, session);
}

void AddCommon(Verb& verb, Flags* flags) {
  verb.Option("--dry-run", &flags->dry_run, "client: print what would be sent; server: check it",
              "")
      .OneOf({"none", "client", "server"});
  verb.Option("-o,--output", &flags->output, "yaml, json, name, jsonpath=...", "FORMAT");
  verb.Namespace(&flags->ns);
}

void AddSources(Verb& verb, Flags* flags) {
  verb.Word("NAME", &flags->name, "The object's name").Required();
  verb.Option("--from-literal", &flags->sources.literals, "One key and its text", "KEY=VALUE");
  verb.Option("--from-file", &flags->sources.files,
              "A file (its name is the key), KEY=FILE, or a directory's files", "[KEY=]PATH");
  verb.Option("--from-env-file", &flags->sources.env_files, "A file of NAME=value lines", "FILE");
  AddCommon(verb, flags);
}

}  // namespace

void AddCreate(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("create", "Create objects; one that is there is an error");
  verb.Option("-f,--filename", &flags->files, "A manifest, a directory of them, - for stdin",
              "FILE|DIR|-");
  verb.Switch("-R,--recursive", &flags->recursive, "Directories with what is below them");
  AddCommon(verb, flags.get());
  verb.Notes(R"(Examples:
  crisp create -f pod.yaml
  crisp create configmap app-config --from-file=server.xml --from-literal=mode=fast
  crisp create secret generic db --from-literal=password=...
  crisp create deployment web --image=nginx --replicas=2)");
  verb.Runs([flags](Session& session) { return CreateFromFiles(*flags, session); });

  auto map_flags = std::make_shared<Flags>();
  Verb config_map = verb.Add("configmap", "Create a ConfigMap", {"cm"});
  AddSources(config_map, map_flags.get());
  config_map.Notes(R"(A file that is not UTF-8 text goes to binaryData.

Examples:
  crisp create configmap tomcat-server-config --from-file=server.xml
  crisp create configmap site --from-file=index=./index.html --from-file=./conf.d
  crisp create configmap env --from-env-file=prod.env
  crisp create configmap app --from-literal=level=debug --dry-run=client -o yaml)");
  config_map.Runs([map_flags](Session& session) { return CreateConfigMap(*map_flags, session); });

  Verb secret = verb.Add("secret", "Create a Secret");
  auto secret_flags = std::make_shared<Flags>();
  Verb generic = secret.Add("generic", "Create a Secret of any keys");
  AddSources(generic, secret_flags.get());
  generic.Option("--type", &secret_flags->type, "The Secret's type (Opaque)", "TYPE");
  generic.Notes(R"(Examples:
  crisp create secret generic db --from-file=password=./password.txt
  crisp create secret generic tokens --from-env-file=tokens.env)");
  generic.Runs([secret_flags](Session& session) { return CreateSecret(*secret_flags, session); });
  secret.Runs([](Session&) {
    return absl::InvalidArgumentError("which secret? crisp create secret generic NAME ...");
  });

  auto deployment_flags = std::make_shared<Flags>();
  Verb deployment = verb.Add("deployment", "Create a Deployment", {"deploy"});
  deployment.Word("NAME", &deployment_flags->name, "The object's name").Required();
  deployment.Option("--image", &deployment_flags->images, "The image of a container", "IMAGE")
      .Required();
  deployment.Option("-r,--replicas", &deployment_flags->replicas, "How many pods (1)", "N", 0);
  deployment.Option("--port", &deployment_flags->port, "The port that the containers serve",
                    "PORT");
  AddCommon(deployment, deployment_flags.get());
  deployment.Notes(R"(Examples:
  crisp create deployment web --image=nginx --replicas=2 --port=80
  crisp create deployment sleeper --image=busybox -- sleep 3600)");
  deployment.Runs([deployment_flags](Session& session) {
    return CreateDeployment(*deployment_flags, session);
  });
}

}  // namespace crisp::cli
