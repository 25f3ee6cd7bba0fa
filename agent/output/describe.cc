#include "agent/output/describe.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/pod_config.h"

namespace crisp::agent {
namespace {

using Map = std::map<std::string, std::string>;

std::string Line(int indent, const std::string& name, const std::string& value,
                 size_t column = 14) {
  std::string head = absl::StrCat(std::string(static_cast<size_t>(indent), ' '), name, ":");
  if (head.size() < column) head.resize(column, ' ');
  if (value.empty()) return absl::StrCat(name, ":\n");
  return absl::StrCat(head, absl::EndsWith(head, " ") ? "" : " ", value, "\n");
}

std::string Pairs(const char* name, const Map& pairs, const char* between) {
  if (pairs.empty()) return Line(0, name, "<none>");
  std::string out;
  for (const auto& [key, value] : pairs) {
    const std::string pair = absl::StrCat(key, between, value);
    absl::StrAppend(
        &out, out.empty() ? Line(0, name, pair) : absl::StrCat(std::string(14, ' '), pair, "\n"));
  }
  return out;
}

template <typename Object>
std::string Head(const Object& object) {
  return absl::StrCat(
      Line(0, "Name", object.key().name()), Line(0, "Namespace", object.key().namespace_()),
      Pairs("Labels", Map(object.labels().begin(), object.labels().end()), "="),
      Pairs("Annotations", Map(object.annotations().begin(), object.annotations().end()), ": "));
}

std::string Time(int64_t ns) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S %z", absl::FromUnixNanos(ns),
                          absl::LocalTimeZone());
}

std::string DescribeContainer(const runtime::v1::ContainerStatus& status) {
  constexpr size_t kColumn = 20;
  std::string out = absl::StrCat("  ", status.metadata().name(), ":\n");
  const auto add = [&](const char* name, const std::string& value, int indent = 4) {
    if (!value.empty()) absl::StrAppend(&out, Line(indent, name, value, kColumn));
  };
  add("Container ID", absl::StrCat("crisp://", status.id()));
  add("Image", status.image().user_specified_image().empty()
                   ? status.image().image()
                   : status.image().user_specified_image());
  add("Image ID", status.image_ref());
  if (status.state() == runtime::v1::CONTAINER_RUNNING) {
    add("State", "Running");
    add("Started", Time(status.started_at()), 6);
  } else if (status.state() == runtime::v1::CONTAINER_EXITED) {
    add("State", "Terminated");
    add("Reason", ExitReason(status), 6);
    add("Message", status.message(), 6);
    add("Exit Code", absl::StrCat(status.exit_code()), 6);
    if (status.started_at() > 0) add("Started", Time(status.started_at()), 6);
    add("Finished", Time(status.finished_at()), 6);
  } else {
    add("State", "Waiting");
  }
  add("Ready", status.state() == runtime::v1::CONTAINER_RUNNING ? "True" : "False");
  add("Restart Count", absl::StrCat(status.metadata().attempt()));
  add("Log", status.log_path());
  return out;
}

// "config from ConfigMap tomcat-server-config", "/tmp/server.xml from serverxml (ro, path=...)".
std::string DescribeMounts(const nlohmann::json& container) {
  const auto mounts = container.find("volumeMounts");
  if (mounts == container.end() || !mounts->is_array() || mounts->empty()) return "";
  std::string out = "    Mounts:\n";
  for (const auto& mount : *mounts) {
    std::vector<std::string> notes = {mount.value("readOnly", false) ? "ro" : "rw"};
    if (mount.contains("subPath"))
      notes.push_back(absl::StrCat("path=", mount.value("subPath", "")));
    absl::StrAppend(&out, "      ", mount.value("mountPath", ""), " from ", mount.value("name", ""),
                    " (", absl::StrJoin(notes, ","), ")\n");
  }
  return out;
}

std::string DescribeVolumes(const nlohmann::json& spec) {
  const auto volumes = spec.find("volumes");
  if (volumes == spec.end() || !volumes->is_array()) return "";
  std::string out = "Volumes:\n";
  for (const auto& volume : *volumes) {
    absl::StrAppend(&out, "  ", volume.value("name", ""), ":\n");
    for (const auto& [kind, source] : volume.items()) {
      if (kind == "name" || !source.is_object()) continue;
      absl::StrAppend(&out, Line(4, "Type", kind, 16));
      for (const char* field : {"name", "secretName", "path", "medium", "reference"}) {
        if (source.contains(field) && source[field].is_string()) {
          absl::StrAppend(&out, Line(4, field, source[field].get<std::string>(), 16));
        }
      }
    }
  }
  return out;
}

std::string DescribeContainers(const PodView& pod, const char* field, const char* title,
                               const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string out = absl::StrCat(title, ":\n");
  for (const std::string& name : names) {
    const auto* status = pod.Find(name);
    absl::StrAppend(&out, status == nullptr ? absl::StrCat("  ", name, ":\n    State: Waiting\n")
                                            : DescribeContainer(*status));
    if (!pod.spec.is_object() || !pod.spec.contains(field)) continue;
    for (const auto& container : pod.spec[field]) {
      if (container.value("name", "") == name) absl::StrAppend(&out, DescribeMounts(container));
    }
  }
  return out;
}

}  // namespace

std::string Describe(const crisp::volumes::v1::ConfigMap& config_map) {
  std::string out = absl::StrCat(Head(config_map), "\nData\n====\n");
  for (const auto& [key, value] : Map(config_map.data().begin(), config_map.data().end())) {
    absl::StrAppend(&out, key, ":\n----\n", value, absl::EndsWith(value, "\n") ? "" : "\n", "\n");
  }
  absl::StrAppend(&out, "\nBinaryData\n====\n");
  for (const auto& [key, value] :
       Map(config_map.binary_data().begin(), config_map.binary_data().end())) {
    absl::StrAppend(&out, key, ": ", value.size(), " bytes\n");
  }
  return out;
}

std::string Describe(const crisp::volumes::v1::Secret& secret) {
  std::string out = absl::StrCat(
      Head(secret), "\n", Line(0, "Type", secret.type().empty() ? "Opaque" : secret.type(), 7),
      "\nData\n====\n");
  for (const auto& [key, value] : Map(secret.data().begin(), secret.data().end())) {
    absl::StrAppend(&out, key, ":  ", value.size(), " bytes\n");
  }
  return out;
}

std::string Describe(const PodView& pod, const std::string& node_name) {
  Map labels, annotations;
  for (const auto& [key, value] : pod.sandbox.labels()) {
    if (!absl::StartsWith(key, "io.kubernetes.pod.")) labels[key] = value;
  }
  for (const auto& [key, value] : pod.sandbox.annotations()) {
    if (!IsAgentAnnotation(key)) annotations[key] = value;
  }
  std::string out = absl::StrCat(
      Line(0, "Name", pod.name()), Line(0, "Namespace", pod.ns()), Line(0, "Node", node_name),
      Line(0, "Start Time", Time(pod.sandbox.created_at())), Pairs("Labels", labels, "="),
      Pairs("Annotations", annotations, ": "), Line(0, "Status", Summarise(pod).phase),
      Line(0, "IP", pod.ips.empty() ? "<none>" : pod.ips[0]),
      Line(0, "Sandbox ID", pod.sandbox.id()));
  absl::StrAppend(
      &out, DescribeContainers(pod, "initContainers", "Init Containers", pod.InitContainerNames()),
      DescribeContainers(pod, "containers", "Containers", pod.ContainerNames()));
  if (pod.spec.is_object()) absl::StrAppend(&out, DescribeVolumes(pod.spec));
  return out;
}

}  // namespace crisp::agent
