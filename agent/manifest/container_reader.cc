#include "agent/manifest/container_reader.h"

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/manifest/quantity.h"
#include "agent/manifest/security_reader.h"
#include "base/ids.h"

namespace crisp::agent {
namespace {

// Printable ASCII without '=', as Kubernetes has allowed since 1.30.
bool IsEnvName(absl::string_view name) {
  for (const char c : name) {
    if (c < 0x20 || c > 0x7E || c == '=') return false;
  }
  return !name.empty();
}

void ReadKeySelector(ObjectReader& source, const char* name, ObjectKind kind, EnvVar* var,
                     int* sources) {
  source.Object(name, [&](ObjectReader& ref) {
    KeySelector& selector = var->key.emplace();
    selector.kind = kind;
    ref.Require("name", &selector.name);
    ref.Require("key", &selector.key);
    ref.Read("optional", &selector.optional);
    ++*sources;
  });
}

void ReadEnv(ObjectReader& env, EnvVar* var) {
  var->path = env.path();
  env.Require("name", &var->name);
  if (env.ok() && !IsEnvName(var->name)) {
    env.Fail("name", absl::StrCat("\"", absl::Utf8SafeCEscape(var->name),
                                  "\" is not printable ASCII without '='"));
  }
  env.Read("value", &var->value);
  env.Object("valueFrom", [&](ObjectReader& source) {
    int sources = 0;
    ReadKeySelector(source, "configMapKeyRef", ObjectKind::kConfigMap, var, &sources);
    ReadKeySelector(source, "secretKeyRef", ObjectKind::kSecret, var, &sources);
    source.Object("fieldRef", [&](ObjectReader& ref) {
      std::string version = "v1";
      ref.ReadChoice("apiVersion", {"v1"}, &version);
      ref.Require("fieldPath", &var->field_path);
      if (ref.ok() && !IsFieldPath(var->field_path)) {
        ref.Fail("fieldPath", absl::StrCat("\"", absl::Utf8SafeCEscape(var->field_path),
                                           "\" is not a field that a variable can take"));
      }
      ++sources;
    });
    source.NotYet({"resourceFieldRef", "fileKeyRef"});
    source.Finish();
    if (sources != 1) source.Fail("", "needs exactly one source");
    if (!var->value.empty()) source.Fail("", "cannot stand beside a value");
  });
}

void ReadEnvFrom(ObjectReader& source, EnvFrom* out) {
  out->path = source.path();
  source.Read("prefix", &out->prefix);
  if (!out->prefix.empty() && !IsEnvName(out->prefix)) {
    source.Fail("prefix", "is not printable ASCII without '='");
  }
  int sources = 0;
  const auto read = [&](const char* name, ObjectKind kind) {
    source.Object(name, [&](ObjectReader& ref) {
      out->kind = kind;
      ref.Require("name", &out->name);
      ref.Read("optional", &out->optional);
      ++sources;
    });
  };
  read("configMapRef", ObjectKind::kConfigMap);
  read("secretRef", ObjectKind::kSecret);
  source.Finish();
  if (sources != 1) source.Fail("", "needs exactly one of configMapRef and secretRef");
}

void ReadPort(ObjectReader& port, ContainerPort* out) {
  port.Read("name", &out->name);
  port.ReadChoice("protocol", {"TCP", "UDP", "SCTP"}, &out->protocol);
  port.Read("hostIP", &out->host_ip);
  port.Read("containerPort", &out->container_port, 1, 65535);
  port.Read("hostPort", &out->host_port, 0, 65535);
  if (out->container_port == 0) port.Fail("containerPort", "is required");
}

void CheckVolumeMount(ObjectReader& mount, std::set<std::string>* paths) {
  std::string name, path, sub_path, expression;
  mount.Require("name", &name);
  mount.Require("mountPath", &path);
  if (mount.ok() && (path[0] != '/' || absl::StrContains(path, ':'))) {
    mount.Fail("mountPath", "must begin with '/' and hold no ':'");
  }
  if (mount.ok() && !paths->insert(path).second) {
    mount.Fail("mountPath", absl::StrCat(path, " is used twice"));
  }
  mount.Read("subPath", &sub_path);
  mount.Read("subPathExpr", &expression);
  if (!sub_path.empty() && !expression.empty()) {
    mount.Fail("subPathExpr", "cannot stand beside subPath");
  }
  if (absl::StartsWith(sub_path, "/")) mount.Fail("subPath", "must be relative");
  for (const absl::string_view part : absl::StrSplit(sub_path, '/')) {
    if (part == "..") mount.Fail("subPath", "must not hold '..'");
  }
  bool read_only = false;
  mount.Read("readOnly", &read_only);
  std::string propagation = "None", recursive = "Disabled";
  mount.ReadChoice("mountPropagation", {"None", "HostToContainer", "Bidirectional"}, &propagation);
  mount.ReadChoice("recursiveReadOnly", {"Disabled", "IfPossible", "Enabled"}, &recursive);
  if (recursive != "Disabled" && (!read_only || propagation != "None")) {
    mount.Fail("recursiveReadOnly", "needs readOnly: true and no mountPropagation");
  }
}

void ReadAmounts(ObjectReader& resources, const char* name, std::optional<int64_t>* cpu_milli,
                 std::optional<int64_t>* memory_bytes) {
  resources.Object(name, [&](ObjectReader& amounts) {
    const auto read = [&](const char* what, auto parse, std::optional<int64_t>* out) {
      const nlohmann::json* value = amounts.Raw(what);
      if (value == nullptr) return;
      if (!value->is_string() && !value->is_number()) return amounts.Fail(what, "is no quantity");
      const auto amount = parse(value->is_string() ? value->get<std::string>() : value->dump());
      if (!amount.ok()) {
        amounts.Fail(what, amount.status().message());
      } else {
        *out = *amount;
      }
    };
    read("cpu", ParseMilliQuantity, cpu_milli);
    read("memory", ParseQuantity, memory_bytes);
    amounts.NotYet({"ephemeral-storage", "hugepages-2Mi", "hugepages-1Gi"});
  });
}

void ReadResources(ObjectReader& reader, Resources* out) {
  reader.Object("resources", [&](ObjectReader& resources) {
    ReadAmounts(resources, "limits", &out->cpu_limit_milli, &out->memory_limit_bytes);
    ReadAmounts(resources, "requests", &out->cpu_request_milli, &out->memory_request_bytes);
    resources.NotYet({"claims"});
    if (out->cpu_limit_milli && out->cpu_request_milli > out->cpu_limit_milli) {
      resources.Fail("requests", "cpu is more than its limit");
    }
    if (out->memory_limit_bytes && out->memory_request_bytes > out->memory_limit_bytes) {
      resources.Fail("requests", "memory is more than its limit");
    }
  });
}

}  // namespace

bool IsFieldPath(absl::string_view path) {
  for (const absl::string_view known : {"metadata.name", "metadata.namespace", "metadata.uid",
                                        "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
                                        "status.hostIPs", "status.podIP", "status.podIPs"}) {
    if (path == known) return true;
  }
  absl::string_view rest = path;
  if (!absl::ConsumePrefix(&rest, "metadata.labels['") &&
      !absl::ConsumePrefix(&rest, "metadata.annotations['")) {
    return false;
  }
  return absl::ConsumeSuffix(&rest, "']") && !rest.empty() && !absl::StrContains(rest, '\'');
}

void ReadContainer(ObjectReader& reader, Container* out) {
  reader.Require("name", &out->name);
  if (reader.ok() && !IsDnsLabel(out->name)) {
    reader.Fail("name", absl::StrCat("\"", absl::Utf8SafeCEscape(out->name),
                                     "\" is not lower-case letters, digits and '-', at most 63"));
  }
  reader.Require("image", &out->image);
  reader.ReadChoice("imagePullPolicy", {"Always", "IfNotPresent", "Never"},
                    &out->image_pull_policy);
  reader.Read("command", &out->command);
  reader.Read("args", &out->args);
  reader.Read("workingDir", &out->working_dir);
  reader.Each("env", [&](ObjectReader& env) { ReadEnv(env, &out->env.emplace_back()); });
  reader.Each("envFrom",
              [&](ObjectReader& source) { ReadEnvFrom(source, &out->env_from.emplace_back()); });
  reader.Each("ports", [&](ObjectReader& port) { ReadPort(port, &out->ports.emplace_back()); });
  std::set<std::string> paths;
  reader.Each("volumeMounts", [&](ObjectReader& mount) { CheckVolumeMount(mount, &paths); });
  if (const nlohmann::json* mounts = reader.Raw("volumeMounts"); mounts != nullptr) {
    out->volume_mounts = *mounts;
  }
  ReadResources(reader, &out->resources);
  reader.Object("securityContext",
                [&](ObjectReader& context) { ReadContainerSecurity(context, &out->security); });
  for (const auto& mount : out->volume_mounts) {
    if (reader.ok() && mount.value("mountPropagation", "") == "Bidirectional" &&
        !out->security.privileged.value_or(false)) {
      reader.Fail("volumeMounts", "mountPropagation Bidirectional needs a privileged container");
    }
  }
  reader.Read("stdin", &out->stdin_open);
  reader.Read("stdinOnce", &out->stdin_once);
  reader.Read("tty", &out->tty);
  reader.NotYet({"lifecycle", "livenessProbe", "readinessProbe", "resizePolicy", "restartPolicy",
                 "restartPolicyRules", "startupProbe", "terminationMessagePath",
                 "terminationMessagePolicy", "volumeDevices"});
}

}  // namespace crisp::agent
