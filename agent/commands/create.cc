#include <map>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/literal_sources.h"
#include "agent/manifest/utf8.h"
#include "agent/manifest/yaml.h"
#include "agent/output/object_json.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::ConfigMap;
using crisp::volumes::v1::Secret;
using crisp::volumes::v1::Volumes;

struct Flags {
  std::string name;
  std::string ns;
  std::string type;
  std::string dry_run = "none";
  std::string output;
  DataSources sources;
};

absl::Status Exists(const char* kind, const std::string& name) {
  return absl::AlreadyExistsError(
      absl::StrCat(kind, "s \"", name, "\" already exists; \"crisp apply\" changes one"));
}

absl::Status Store(Session& session, const ConfigMap& object) {
  volumes::v1::GetConfigMapRequest get;
  *get.mutable_key() = object.key();
  const auto found = session.node().Volumes(&Volumes::Stub::GetConfigMap, get);
  if (found.ok()) return Exists("configmap", object.key().name());
  if (!absl::IsNotFound(found.status())) return found.status();
  volumes::v1::ApplyConfigMapRequest apply;
  *apply.mutable_config_map() = object;
  return session.node().Volumes(&Volumes::Stub::ApplyConfigMap, apply).status();
}

absl::Status Store(Session& session, const Secret& object) {
  volumes::v1::GetSecretRequest get;
  *get.mutable_key() = object.key();
  const auto found = session.node().Volumes(&Volumes::Stub::GetSecret, get);
  if (found.ok()) return Exists("secret", object.key().name());
  if (!absl::IsNotFound(found.status())) return found.status();
  volumes::v1::ApplySecretRequest apply;
  *apply.mutable_secret() = object;
  return session.node().Volumes(&Volumes::Stub::ApplySecret, apply).status();
}

template <typename Object>
absl::Status Finish(const Flags& flags, const char* kind, const Object& object, Session& session) {
  if (flags.dry_run == "none") CRISP_RETURN_IF_ERROR(Store(session, object));
  if (flags.output == "yaml") {
    session.out << ToYaml(ObjectJson(object));
  } else if (flags.output == "json") {
    session.out << ObjectJson(object).dump(4) << "\n";
  } else if (flags.output == "name") {
    session.out << kind << "/" << flags.name << "\n";
  } else {
    session.out << kind << "/" << flags.name << " created"
                << (flags.dry_run == "client" ? " (dry run)" : "") << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> ReadData(const Flags& flags) {
  if (!IsDnsSubdomain(flags.name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name \"", absl::Utf8SafeCEscape(flags.name),
                     "\" is not lower-case letters, digits, '-' and '.'"));
  }
  return ReadDataSources(flags.sources);
}

absl::Status CreateConfigMap(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const auto data, ReadData(flags));
  ConfigMap object;
  object.mutable_key()->set_namespace_(flags.ns);
  object.mutable_key()->set_name(flags.name);
  for (const auto& [key, bytes] : data) {
    // Text goes where variables can use it; other bytes have a place of their own.
    const bool text = IsUtf8(bytes);
    (text ? *object.mutable_data() : *object.mutable_binary_data())[key] = bytes;
  }
  return Finish(flags, "configmap", object, session);
}

absl::Status CreateSecret(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const auto data, ReadData(flags));
  Secret object;
  object.mutable_key()->set_namespace_(flags.ns);
  object.mutable_key()->set_name(flags.name);
  object.set_type(flags.type);
  object.mutable_data()->insert(data.begin(), data.end());
  return Finish(flags, "secret", object, session);
}

void AddFlags(CLI::App* verb, Flags* flags) {
  verb->add_option("NAME", flags->name, "The object's name")->required();
  verb->add_option("--from-literal", flags->sources.literals, "One key and its text")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  verb->add_option("--from-file", flags->sources.files,
                   "A file (its name is the key), KEY=FILE, or a directory's files")
      ->allow_extra_args(false)
      ->type_name("[KEY=]PATH");
  verb->add_option("--from-env-file", flags->sources.env_files, "A file of NAME=value lines")
      ->allow_extra_args(false)
      ->type_name("FILE");
  verb->add_option("--dry-run", flags->dry_run, "client: print the object and store nothing")
      ->check(CLI::IsMember({"none", "client"}))
      ->type_name("");
  verb->add_option("-o,--output", flags->output, "yaml, json or name")
      ->check(CLI::IsMember({"yaml", "json", "name"}))
      ->type_name("");
  AddNamespaceOption(verb, &flags->ns);
}

}  // namespace

void AddCreate(CLI::App& app, Action* action) {
  CLI::App* verb =
      app.add_subcommand("create", "Create a ConfigMap or a Secret from files or text");
  verb->require_subcommand(1);
  verb->footer(R"(Examples:
  crisp create configmap app-config --from-file=server.xml --from-literal=mode=fast
  crisp create secret generic db --from-literal=password=...)");

  auto flags = std::make_shared<Flags>();
  CLI::App* config_map = verb->add_subcommand("configmap", "Create a ConfigMap");
  config_map->alias("cm");
  AddFlags(config_map, flags.get());
  config_map->footer(R"(A file that is not UTF-8 text goes to binaryData.

Examples:
  crisp create configmap tomcat-server-config --from-file=server.xml
  crisp create configmap site --from-file=index=./index.html --from-file=./conf.d
  crisp create configmap env --from-env-file=prod.env
  crisp create configmap app --from-literal=level=debug --dry-run=client -o yaml)");
  config_map->callback([flags, action] {
    *action = [flags](Session& session) { return CreateConfigMap(*flags, session); };
  });

  CLI::App* secret = verb->add_subcommand("secret", "Create a Secret");
  secret->require_subcommand(1);
  CLI::App* generic = secret->add_subcommand("generic", "Create a Secret of any keys");
  auto secret_flags = std::make_shared<Flags>();
  AddFlags(generic, secret_flags.get());
  generic->add_option("--type", secret_flags->type, "The Secret's type (Opaque)");
  generic->footer(R"(Examples:
  crisp create secret generic db --from-file=password=./password.txt
  crisp create secret generic tokens --from-env-file=tokens.env)");
  generic->callback([secret_flags, action] {
    *action = [secret_flags](Session& session) { return CreateSecret(*secret_flags, session); };
  });
}

}  // namespace crisp::agent
