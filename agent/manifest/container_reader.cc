#include "agent/manifest/container_reader.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/manifest/action_reader.h"
#include "agent/manifest/names.h"
#include "agent/manifest/quantity.h"
#include "agent/manifest/security_reader.h"

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

void ReadResourceSelector(ObjectReader& ref, ResourceSelector* out) {
  ref.Read("containerName", &out->container);
  ref.Require("resource", &out->resource);
  const auto known = {"limits.cpu", "limits.memory", "requests.cpu", "requests.memory"};
  if (ref.ok() && std::find(known.begin(), known.end(), out->resource) == known.end()) {
    ref.Invalid("resource", out->resource, "must be cpu or memory, of limits or requests");
  }
  const nlohmann::json* divisor = ref.Raw("divisor");
  if (divisor == nullptr) return;
  const auto amount =
      ParseMilliQuantity(divisor->is_string() ? divisor->get<std::string>() : divisor->dump());
  if (!amount.ok()) return ref.Invalid("divisor", *divisor, amount.status().message());
  // Kubernetes takes 0 as not set.
  if (*amount > 0) out->divisor_milli = *amount;
}

void ReadEnv(ObjectReader& env, EnvVar* var) {
  var->path = env.path();
  env.Require("name", &var->name);
  if (env.ok() && !IsEnvName(var->name)) {
    env.Invalid("name", var->name,
                "a valid environment variable name must consist only of printable ASCII "
                "characters other than '='");
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
        ref.Invalid("fieldPath", var->field_path, "must be a field that a variable can take");
      }
      ++sources;
    });
    source.Object("resourceFieldRef", [&](ObjectReader& ref) {
      ReadResourceSelector(ref, &var->resource.emplace());
      ++sources;
    });
    source.NotYet({"fileKeyRef"});
    source.Finish();
    if (sources == 0) {
      source.Invalid("", "",
                     "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
                     "`secretKeyRef`");
    }
    if (sources > 1) {
      source.Invalid("", "", "may not have more than one field specified at a time");
    }
    if (!var->value.empty()) {
      source.Invalid("", "", "may not be specified when `value` is not empty");
    }
  });
}

void ReadEnvFrom(ObjectReader& source, EnvFrom* out) {
  out->path = source.path();
  source.Read("prefix", &out->prefix);
  if (!out->prefix.empty() && !IsEnvName(out->prefix)) {
    source.Invalid("prefix", out->prefix,
                   "must consist only of printable ASCII characters other than '='");
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
  if (sources == 0) {
    source.Invalid("", "", "must specify one of: `configMapRef` or `secretRef`");
  }
  if (sources > 1) {
    source.Invalid("", "", "may not have more than one field specified at a time");
  }
}

void ReadPort(ObjectReader& port, ContainerPort* out) {
  port.Read("name", &out->name);
  port.ReadChoice("protocol", {"TCP", "UDP", "SCTP"}, &out->protocol);
  port.Read("hostIP", &out->host_ip);
  port.Read("containerPort", &out->container_port, 1, 65535);
  port.Read("hostPort", &out->host_port, 0, 65535);
  if (out->container_port == 0) port.Fail("containerPort", "Required value");
  if (!out->name.empty()) {
    const std::string wrong = PortNameError(out->name);
    if (!wrong.empty()) port.Invalid("name", out->name, wrong);
  }
}

void CheckVolumeMount(ObjectReader& mount, std::set<std::string>* paths) {
  std::string name, path, sub_path, expression;
  mount.Require("name", &name);
  mount.Require("mountPath", &path);
  if (mount.ok() && (path[0] != '/' || absl::StrContains(path, ':'))) {
    mount.Invalid("mountPath", path, "must be an absolute path and must not contain ':'");
  }
  if (mount.ok() && !paths->insert(path).second) {
    mount.Invalid("mountPath", path, "must be unique");
  }
  mount.Read("subPath", &sub_path);
  mount.Read("subPathExpr", &expression);
  if (!sub_path.empty() && !expression.empty()) {
    mount.Invalid("subPathExpr", expression, "subPathExpr and subPath are mutually exclusive");
  }
  if (absl::StartsWith(sub_path, "/"))
    mount.Invalid("subPath", sub_path, "must be a relative path");
  for (const absl::string_view part : absl::StrSplit(sub_path, '/')) {
    if (part == "..") mount.Invalid("subPath", sub_path, "must not contain '..'");
  }
  bool read_only = false;
  mount.Read("readOnly", &read_only);
  std::string propagation = "None", recursive = "Disabled";
  mount.ReadChoice("mountPropagation", {"None", "HostToContainer", "Bidirectional"}, &propagation);
  mount.ReadChoice("recursiveReadOnly", {"Disabled", "IfPossible", "Enabled"}, &recursive);
  if (recursive != "Disabled" && (!read_only || propagation != "None")) {
    mount.Forbidden("recursiveReadOnly",
                    "may only be specified when readOnly is true and mountPropagation is None");
  }
}

void ReadAmounts(ObjectReader& resources, const char* name, std::optional<int64_t>* cpu_milli,
                 std::optional<int64_t>* memory_bytes) {
  resources.Object(name, [&](ObjectReader& amounts) {
    const auto read = [&](const char* what, auto parse, std::optional<int64_t>* out) {
      const nlohmann::json* value = amounts.Raw(what);
      if (value == nullptr) return;
      if (!value->is_string() && !value->is_number())
        return amounts.Invalid(what, *value, "must be a quantity");
      const auto amount = parse(value->is_string() ? value->get<std::string>() : value->dump());
      if (!amount.ok()) {
        amounts.Invalid(what, *value, amount.status().message());
      } else {
        *out = *amount;
      }
    };
    read("cpu", ParseMilliQuantity, cpu_milli);
    read("memory", ParseQuantity, memory_bytes);
    amounts.NoEffect({"ephemeral-storage"});
    amounts.NotYet({"hugepages-2Mi", "hugepages-1Gi"});
  });
}

void ReadResources(ObjectReader& reader, Resources* out) {
  reader.Object("resources", [&](ObjectReader& resources) {
    ReadAmounts(resources, "limits", &out->cpu_limit_milli, &out->memory_limit_bytes);
    ReadAmounts(resources, "requests", &out->cpu_request_milli, &out->memory_request_bytes);
    resources.NotYet({"claims"});
    if (out->cpu_limit_milli && out->cpu_request_milli > out->cpu_limit_milli) {
      resources.Fail("requests", "Invalid value: must be less than or equal to cpu limit");
    }
    if (out->memory_limit_bytes && out->memory_request_bytes > out->memory_limit_bytes) {
      resources.Fail("requests", "Invalid value: must be less than or equal to memory limit");
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
  if (const std::string wrong = LabelNameError(out->name); reader.ok() && !wrong.empty()) {
    reader.Invalid("name", out->name, wrong);
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
      reader.Forbidden("volumeMounts",
                       "Bidirectional mount propagation is available only to privileged "
                       "containers");
    }
  }
  reader.Read("stdin", &out->stdin_open);
  reader.Read("stdinOnce", &out->stdin_once);
  reader.Read("tty", &out->tty);
  ReadProbe(reader, "livenessProbe", ProbeKind::kLiveness, &out->liveness);
  ReadProbe(reader, "readinessProbe", ProbeKind::kReadiness, &out->readiness);
  ReadProbe(reader, "startupProbe", ProbeKind::kStartup, &out->startup);
  ReadLifecycle(reader, out);
  const std::string default_path = out->termination_message_path;
  reader.Read("terminationMessagePath", &out->termination_message_path);
  if (out->termination_message_path.empty()) out->termination_message_path = default_path;
  if (reader.ok() && !absl::StartsWith(out->termination_message_path, "/")) {
    reader.Invalid("terminationMessagePath", out->termination_message_path,
                   "must be an absolute path");
  }
  reader.ReadChoice("terminationMessagePolicy", {"File", "FallbackToLogsOnError"},
                    &out->termination_message_policy);
  reader.ReadChoice("restartPolicy", {"Always"}, &out->restart_policy);
  // Says how a change of resources would be made; those of a pod do not change here.
  reader.Ignore({"resizePolicy"});
  reader.NotYet({"restartPolicyRules", "volumeDevices"});
}

}  // namespace crisp::agent
