#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/output/describe_writer.h"

namespace crisp::cli {
namespace {

std::string Optional(const Json& source) { return IsTrue(source, "optional") ? "true" : "false"; }

void DescribeState(const char* name, const Json& state, int level, DescribeWriter* out) {
  if (const Json& running = Field(state, "running"); running.is_object()) {
    out->Field(level, name, "Running");
    out->FieldIf(level + 1, "Started", LongTime(TimeOf(running, "startedAt")));
  } else if (const Json& waiting = Field(state, "waiting"); waiting.is_object()) {
    out->Field(level, name, "Waiting");
    out->FieldIf(level + 1, "Reason", Text(waiting, "reason"));
    out->FieldIf(level + 1, "Message", Text(waiting, "message"));
  } else if (const Json& ended = Field(state, "terminated"); ended.is_object()) {
    out->Field(level, name, "Terminated");
    out->FieldIf(level + 1, "Reason", Text(ended, "reason"));
    out->FieldIf(level + 1, "Message", Text(ended, "message"));
    out->Field(level + 1, "Exit Code", absl::StrCat(Number(ended, "exitCode")));
    if (const int64_t signal = Number(ended, "signal"); signal != 0) {
      out->Field(level + 1, "Signal", absl::StrCat(signal));
    }
    out->FieldIf(level + 1, "Started", LongTime(TimeOf(ended, "startedAt")));
    out->FieldIf(level + 1, "Finished", LongTime(TimeOf(ended, "finishedAt")));
  } else if (std::string(name) == "State") {
    out->Field(level, name, "Waiting");
  }
}

std::string ProbeText(const Json& probe) {
  std::string what = "unknown";
  if (const Json& exec = Field(probe, "exec"); exec.is_object()) {
    std::vector<std::string> words;
    for (const Json& word : Items(exec, "command")) words.push_back(AnyText(word));
    what = absl::StrCat("exec [", absl::StrJoin(words, " "), "]");
  } else if (const Json& get = Field(probe, "httpGet"); get.is_object()) {
    std::string scheme = Text(get, "scheme") == "HTTPS" ? "https" : "http";
    what = absl::StrCat("http-get ", scheme, "://", Text(get, "host"), ":",
                        AnyText(Field(get, "port")), Text(get, "path"));
  } else if (const Json& tcp = Field(probe, "tcpSocket"); tcp.is_object()) {
    what = absl::StrCat("tcp-socket ", Text(tcp, "host"), ":", AnyText(Field(tcp, "port")));
  } else if (const Json& grpc = Field(probe, "grpc"); grpc.is_object()) {
    what = absl::StrCat("grpc <pod>:", Number(grpc, "port"), " ", Text(grpc, "service"));
  }
  return absl::StrCat(what, " delay=", Number(probe, "initialDelaySeconds"),
                      "s timeout=", Number(probe, "timeoutSeconds", 1),
                      "s period=", Number(probe, "periodSeconds", 10),
                      "s #success=", Number(probe, "successThreshold", 1),
                      " #failure=", Number(probe, "failureThreshold", 3));
}

std::string VariableText(const Json& variable) {
  const Json& from = Field(variable, "valueFrom");
  const auto key_of = [](const Json& source, const char* what) {
    return absl::StrCat("<set to the key '", Text(source, "key"), "' ", what, " '",
                        Text(source, "name"), "'>");
  };
  if (const Json& field = Field(from, "fieldRef"); field.is_object()) {
    const std::string version = Text(field, "apiVersion");
    return absl::StrCat(" (", version.empty() ? "v1" : version, ":", Text(field, "fieldPath"), ")");
  }
  if (const Json& resource = Field(from, "resourceFieldRef"); resource.is_object()) {
    return absl::StrCat("resource: ", Text(resource, "resource"));
  }
  if (const Json& map = Field(from, "configMapKeyRef"); map.is_object()) {
    return key_of(map, "of config map");
  }
  if (const Json& secret = Field(from, "secretKeyRef"); secret.is_object()) {
    return key_of(secret, "in secret");
  }
  return Text(variable, "value");
}

void DescribeEnvironment(const Json& container, int level, DescribeWriter* out) {
  if (const Json& sources = Items(container, "envFrom"); !sources.empty()) {
    out->Line(level, {"Environment Variables from:"});
    for (const Json& source : sources) {
      const bool map = Field(source, "configMapRef").is_object();
      const Json& ref = Field(source, map ? "configMapRef" : "secretRef");
      const std::string prefix = Text(source, "prefix");
      out->Line(level + 1,
                {Text(ref, "name"),
                 absl::StrCat(map ? "ConfigMap" : "Secret",
                              prefix.empty() ? "" : absl::StrCat(" with prefix '", prefix, "'")),
                 absl::StrCat("Optional: ", Optional(ref))});
    }
  }
  const Json& variables = Items(container, "env");
  if (variables.empty()) return out->Field(level, "Environment", "<none>");
  out->Line(level, {"Environment:"});
  for (const Json& variable : variables) {
    std::vector<std::string> cells = {absl::StrCat(Text(variable, "name"), ":"),
                                      VariableText(variable)};
    for (const char* ref : {"valueFrom.configMapKeyRef", "valueFrom.secretKeyRef"}) {
      if (const Json& source = Field(variable, ref); source.is_object()) {
        cells.push_back(absl::StrCat("Optional: ", Optional(source)));
      }
    }
    out->Line(level + 1, cells);
  }
}

void DescribeMounts(const Json& container, int level, DescribeWriter* out) {
  const Json& mounts = Items(container, "volumeMounts");
  if (mounts.empty()) return out->Field(level, "Mounts", "<none>");
  out->Line(level, {"Mounts:"});
  for (const Json& mount : mounts) {
    std::string notes = IsTrue(mount, "readOnly") ? "ro" : "rw";
    for (const char* field : {"subPath", "subPathExpr"}) {
      const std::string path = Text(mount, field);
      if (!path.empty()) absl::StrAppend(&notes, ",path=\"", path, "\"");
    }
    out->Line(level + 1, {absl::StrCat(Text(mount, "mountPath"), " from ", Text(mount, "name"),
                                       " (", notes, ")")});
  }
}

void DescribeWords(const char* name, const Json& words, int level, DescribeWriter* out) {
  if (words.empty()) return;
  out->Line(level, {absl::StrCat(name, ":")});
  for (const Json& word : words) {
    // A script of several lines is shown as such.
    for (const absl::string_view line : absl::StrSplit(AnyText(word), '\n')) {
      out->Line(level + 1, {std::string(line)});
    }
  }
}

void DescribePorts(const Json& container, int level, DescribeWriter* out) {
  std::vector<std::string> ports, host_ports;
  for (const Json& port : Items(container, "ports")) {
    const std::string protocol = Text(port, "protocol");
    const std::string end = absl::StrCat("/", protocol.empty() ? "TCP" : protocol);
    const std::string name = Text(port, "name");
    ports.push_back(absl::StrCat(Number(port, "containerPort"), end,
                                 name.empty() ? "" : absl::StrCat(" (", name, ")")));
    host_ports.push_back(absl::StrCat(Number(port, "hostPort"), end,
                                      name.empty() ? "" : absl::StrCat(" (", name, ")")));
  }
  const char* s = ports.size() > 1 ? "s" : "";
  out->Field(level, absl::StrCat("Port", s), ports.empty() ? "<none>" : absl::StrJoin(ports, ", "));
  out->Field(level, absl::StrCat("Host Port", s),
             ports.empty() ? "<none>" : absl::StrJoin(host_ports, ", "));
}

void DescribeContainer(const Json& container, const Json& status, bool has_status, int level,
                       DescribeWriter* out) {
  out->Line(level, {absl::StrCat(Text(container, "name"), ":")});
  ++level;
  if (has_status) out->Field(level, "Container ID", Text(status, "containerID"));
  out->Field(level, "Image", Text(container, "image"));
  if (has_status) out->Field(level, "Image ID", Text(status, "imageID"));
  DescribePorts(container, level, out);
  DescribeWords("Command", Items(container, "command"), level, out);
  DescribeWords("Args", Items(container, "args"), level, out);
  if (has_status) {
    DescribeState("State", Field(status, "state"), level, out);
    DescribeState("Last State", Field(status, "lastState"), level, out);
    out->Field(level, "Ready", IsTrue(status, "ready") ? "True" : "False");
    out->Field(level, "Restart Count", absl::StrCat(Number(status, "restartCount")));
  }
  for (const auto& [field, title] :
       {std::pair{"resources.limits", "Limits"}, std::pair{"resources.requests", "Requests"}}) {
    const auto amounts = TextMap(container, field);
    if (amounts.empty()) continue;
    out->Line(level, {absl::StrCat(title, ":")});
    for (const auto& [key, value] : amounts) out->Field(level + 1, key, value);
  }
  for (const auto& [field, title] :
       {std::pair{"livenessProbe", "Liveness"}, std::pair{"readinessProbe", "Readiness"},
        std::pair{"startupProbe", "Startup"}}) {
    const Json& probe = Field(container, field);
    if (probe.is_object()) out->Field(level, title, ProbeText(probe));
  }
  DescribeEnvironment(container, level, out);
  DescribeMounts(container, level, out);
}

struct VolumeKind {
  const char* field;
  const char* type;
  std::vector<std::pair<const char*, const char*>> shown;  // Field, title.
};

const std::vector<VolumeKind>& VolumeKinds() {
  static const auto* const kinds = new std::vector<VolumeKind>{
      {"configMap", "ConfigMap (a volume populated by a ConfigMap)", {{"name", "Name"}}},
      {"secret", "Secret (a volume populated by a Secret)", {{"secretName", "SecretName"}}},
      {"emptyDir",
       "EmptyDir (a temporary directory that shares a pod's lifetime)",
       {{"medium", "Medium"}, {"sizeLimit", "SizeLimit"}}},
      {"hostPath",
       "HostPath (bare host directory volume)",
       {{"path", "Path"}, {"type", "HostPathType"}}},
      {"downwardAPI", "DownwardAPI (a volume populated by information about the pod)", {}},
      {"projected", "Projected (a volume that contains injected data from multiple sources)", {}},
      {"image",
       "Image (a volume that is an image's files)",
       {{"reference", "Reference"}, {"pullPolicy", "PullPolicy"}}},
  };
  return *kinds;
}

void DescribeFieldItems(const Json& source, int level, DescribeWriter* out) {
  for (const Json& item : Items(source, "items")) {
    const std::string field = Text(item, "fieldRef.fieldPath");
    out->Line(level, {absl::StrCat(field.empty() ? Text(item, "resourceFieldRef.resource") : field,
                                   " -> ", Text(item, "path"))});
  }
}

void DescribeProjection(const Json& source, int level, DescribeWriter* out) {
  for (const auto& [field, title] :
       {std::pair{"configMap", "ConfigMapName"}, std::pair{"secret", "SecretName"}}) {
    const Json& object = Field(source, field);
    if (!object.is_object()) continue;
    out->Field(level, title, Text(object, "name"));
    out->Field(level, "Optional", Optional(object));
  }
  if (const Json& downward = Field(source, "downwardAPI"); downward.is_object()) {
    out->Field(level, "DownwardAPI", "true");
    DescribeFieldItems(downward, level + 1, out);
  }
}

}  // namespace

void DescribeContainers(const Json& spec, const Json& status, int level, DescribeWriter* out) {
  const bool has_status = !status.is_null();
  for (const auto& [field, statuses, title] :
       {std::tuple{"initContainers", "initContainerStatuses", "Init Containers"},
        std::tuple{"containers", "containerStatuses", "Containers"}}) {
    const Json& containers = Items(spec, field);
    if (containers.empty()) continue;
    out->Line(level, {absl::StrCat(title, ":")});
    for (const Json& container : containers) {
      DescribeContainer(container, Named(status, statuses, Text(container, "name")), has_status,
                        level + 1, out);
    }
  }
}

void DescribeVolumes(const Json& spec, int level, DescribeWriter* out) {
  const Json& volumes = Items(spec, "volumes");
  if (volumes.empty()) return out->Field(level, "Volumes", "<none>");
  out->Line(level, {"Volumes:"});
  for (const Json& volume : volumes) {
    out->Line(level + 1, {absl::StrCat(Text(volume, "name"), ":")});
    for (const VolumeKind& kind : VolumeKinds()) {
      const Json& source = Field(volume, kind.field);
      if (!source.is_object()) continue;
      out->Field(level + 2, "Type", kind.type);
      for (const auto& [field, title] : kind.shown) {
        const Json& value = Field(source, field);
        out->Field(level + 2, title, value.is_null() ? "" : AnyText(value));
      }
      const std::string name = kind.field;
      if (name == "configMap" || name == "secret") {
        out->Field(level + 2, "Optional", Optional(source));
      }
      if (name == "downwardAPI") {
        out->Line(level + 2, {"Items:"});
        DescribeFieldItems(source, level + 3, out);
      }
      for (const Json& each : Items(source, "sources")) DescribeProjection(each, level + 2, out);
    }
  }
}

}  // namespace crisp::cli
