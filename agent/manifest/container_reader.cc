#include "agent/manifest/container_reader.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"
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
  const bool given = ref.Require("resource", &out->resource);
  const auto known = {"limits.cpu", "limits.memory", "requests.cpu", "requests.memory"};
  if (given && std::find(known.begin(), known.end(), out->resource) == known.end()) {
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
  if (env.Require("name", &var->name) && !IsEnvName(var->name)) {
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
      if (ref.Require("fieldPath", &var->field_path) && !IsFieldPath(var->field_path)) {
        ref.Invalid("fieldPath", var->field_path, "must be a field that a variable can take");
      }
      ++sources;
    });
    source.Object("resourceFieldRef", [&](ObjectReader& ref) {
      ReadResourceSelector(ref, &var->resource.emplace());
      ++sources;
    });
    source.NotYet({"fileKeyRef"});
    const size_t before = source.errors()->count();
    source.Finish();
    if (sources == 0 && source.errors()->count() == before) {
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
  const size_t before = source.errors()->count();
  source.Finish();
  if (sources == 0 && source.errors()->count() == before) {
    source.Invalid("", "", "must specify one of: `configMapRef` or `secretRef`");
  }
  if (sources > 1) {
    source.Invalid("", "", "may not have more than one field specified at a time");
  }
}

void ReadPort(ObjectReader& port, bool host_network, std::set<std::string>* names,
              ContainerPort* out) {
  port.Read("name", &out->name);
  port.ReadChoice("protocol", {"TCP", "UDP", "SCTP"}, &out->protocol);
  port.Read("hostIP", &out->host_ip);
  const nlohmann::json* number = port.Raw("containerPort");
  if (number == nullptr || *number == 0) {
    port.Fail("containerPort", "Required value");
  } else {
    port.Read("containerPort", &out->container_port, 1, 65535);
  }
  port.Read("hostPort", &out->host_port, 0, 65535);
  if (!out->name.empty()) {
    const std::string wrong = PortNameError(out->name);
    if (!wrong.empty()) {
      port.Invalid("name", out->name, wrong);
    } else if (!names->insert(out->name).second) {
      port.Fail("name", absl::StrCat("Duplicate value: \"", out->name, "\""));
    }
  }
  if (host_network && port.ok() && out->host_port != 0 && out->host_port != out->container_port) {
    port.Invalid("containerPort", out->container_port,
                 "must match `hostPort` when `hostNetwork` is true");
  }
}

void CheckVolumeMount(ObjectReader& mount, const ContainerChecks& checks, bool privileged,
                      std::set<std::string>* paths) {
  std::string name, path, sub_path, expression;
  if (mount.Require("name", &name) && checks.volumes.count(name) == 0) {
    mount.Fail("name", absl::StrCat("Not found: \"", absl::Utf8SafeCEscape(name), "\""));
  }
  if (mount.Require("mountPath", &path)) {
    if (path[0] != '/' || absl::StrContains(path, ':')) {
      mount.Invalid("mountPath", path, "must be an absolute path and must not contain ':'");
    }
    if (!paths->insert(path).second) mount.Invalid("mountPath", path, "must be unique");
  }
  mount.Read("subPath", &sub_path);
  mount.Read("subPathExpr", &expression);
  if (!sub_path.empty() && !expression.empty()) {
    mount.Invalid("subPathExpr", expression, "subPathExpr and subPath are mutually exclusive");
  }
  if (absl::StartsWith(sub_path, "/")) {
    mount.Invalid("subPath", sub_path, "must be a relative path");
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(sub_path, '/');
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    mount.Invalid("subPath", sub_path, "must not contain '..'");
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
  if (propagation == "Bidirectional" && !privileged) {
    mount.Forbidden("mountPropagation",
                    "Bidirectional mount propagation is available only to privileged containers");
  }
}

struct Amounts {
  std::optional<int64_t>* cpu_milli;
  std::optional<int64_t>* memory_bytes;
  std::string cpu, memory;  // As they stand in the manifest.
};

std::string TextOf(const nlohmann::json& amount) {
  return amount.is_string() ? amount.get<std::string>() : amount.dump();
}

void ReadAmount(ObjectReader& resources, const std::string& place, const std::string& resource,
                const nlohmann::json& value, Amounts* out) {
  const bool cpu = resource == "cpu";
  if (!cpu && resource != "memory") {
    if (absl::StartsWith(resource, "hugepages-") || absl::StrContains(resource, '/')) {
      return resources.errors()->AddUnsupported(place);
    }
    if (resource == "ephemeral-storage") {
      return resources.WarnPath(place, "has no effect on a node without a cluster");
    }
    return resources.InvalidPath(place, resource, "must be a standard resource for containers");
  }
  if (!value.is_string() && !value.is_number()) {
    return resources.InvalidPath(place, value, "must be a quantity");
  }
  const std::string text = TextOf(value);
  const auto amount = cpu ? ParseMilliQuantity(text) : ParseQuantity(text);
  if (!amount.ok()) return resources.InvalidPath(place, value, amount.status().message());
  *(cpu ? out->cpu_milli : out->memory_bytes) = *amount;
  (cpu ? out->cpu : out->memory) = text;
}

void ReadAmounts(ObjectReader& resources, const char* name, Amounts* out) {
  const nlohmann::json* amounts = resources.Raw(name);
  if (amounts == nullptr) return;
  if (!amounts->is_object()) return resources.Invalid(name, *amounts, "must be a map");
  for (const auto& [resource, value] : amounts->items()) {
    if (value.is_null()) continue;
    ReadAmount(resources, resources.PathOf(name, resource), resource, value, out);
  }
}

void ReadResources(ObjectReader& reader, Resources* out) {
  reader.Object("resources", [&](ObjectReader& resources) {
    Amounts limits = {&out->cpu_limit_milli, &out->memory_limit_bytes, "", ""};
    Amounts requests = {&out->cpu_request_milli, &out->memory_request_bytes, "", ""};
    ReadAmounts(resources, "limits", &limits);
    ReadAmounts(resources, "requests", &requests);
    resources.NotYet({"claims"});
    if (out->cpu_limit_milli && out->cpu_request_milli > out->cpu_limit_milli) {
      resources.Invalid("requests", requests.cpu,
                        absl::StrCat("must be less than or equal to cpu limit of ", limits.cpu));
    }
    if (out->memory_limit_bytes && out->memory_request_bytes > out->memory_limit_bytes) {
      resources.Invalid(
          "requests", requests.memory,
          absl::StrCat("must be less than or equal to memory limit of ", limits.memory));
    }
  });
}

// What only a container that runs beside the others, or only one that comes before them, can have.
void CheckKind(ObjectReader& reader, bool init, const Container& container) {
  if (!init) {
    if (!container.restart_policy.empty()) {
      reader.Forbidden("restartPolicy", "may not be set for non-init containers");
    }
    return;
  }
  if (container.is_sidecar()) return;
  for (const char* field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
    if (!reader.Has(field)) continue;
    reader.Forbidden(field, "may not be set for init containers without restartPolicy=Always");
  }
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

void ReadContainer(ObjectReader& reader, bool init, ContainerChecks* checks, Container* out) {
  if (reader.Require("name", &out->name)) {
    const std::string wrong = LabelNameError(out->name);
    if (!wrong.empty()) {
      reader.Invalid("name", out->name, wrong);
    } else if (!checks->containers.insert(out->name).second) {
      reader.Fail("name", absl::StrCat("Duplicate value: \"", out->name, "\""));
    }
  }
  reader.Require("image", &out->image);
  reader.ReadChoice("imagePullPolicy", {"Always", "IfNotPresent", "Never"},
                    &out->image_pull_policy);
  reader.Read("command", &out->command);
  reader.Read("args", &out->args);
  reader.Read("workingDir", &out->working_dir);
  std::set<std::string> ports;
  reader.Each("ports", [&](ObjectReader& port) {
    ReadPort(port, checks->host_network, &ports, &out->ports.emplace_back());
  });
  reader.Each("env", [&](ObjectReader& env) { ReadEnv(env, &out->env.emplace_back()); });
  reader.Each("envFrom",
              [&](ObjectReader& source) { ReadEnvFrom(source, &out->env_from.emplace_back()); });
  reader.Object("securityContext",
                [&](ObjectReader& context) { ReadContainerSecurity(context, &out->security); });
  std::set<std::string> paths;
  reader.Each("volumeMounts", [&](ObjectReader& mount) {
    CheckVolumeMount(mount, *checks, out->security.privileged.value_or(false), &paths);
  });
  if (const nlohmann::json* mounts = reader.Raw("volumeMounts"); mounts != nullptr) {
    out->volume_mounts = *mounts;
  }
  ReadResources(reader, &out->resources);
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
  if (!absl::StartsWith(out->termination_message_path, "/")) {
    reader.Invalid("terminationMessagePath", out->termination_message_path,
                   "must be an absolute path");
  }
  reader.ReadChoice("terminationMessagePolicy", {"File", "FallbackToLogsOnError"},
                    &out->termination_message_policy);
  reader.ReadChoice("restartPolicy", {"Always"}, &out->restart_policy);
  CheckKind(reader, init, *out);
  // Says how a change of resources would be made; those of a pod do not change here.
  reader.Ignore({"resizePolicy"});
  reader.NotYet({"restartPolicyRules", "volumeDevices"});
}

}  // namespace crisp::agent
