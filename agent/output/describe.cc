#include "agent/output/describe.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "agent/output/describe_writer.h"
#include "agent/output/kind_table.h"
#include "agent/output/pod_status.h"

namespace crisp::cli {
namespace {

std::string DescribeConfigMap(const Json& object, const DescribeContext& context) {
  DescribeWriter head;
  DescribeHead(object, &head);
  std::string out = absl::StrCat(head.Aligned(), "\nData\n====\n");
  for (const auto& [key, value] : TextMap(object, "data")) {
    absl::StrAppend(&out, key, ":\n----\n", value, absl::EndsWith(value, "\n") ? "" : "\n", "\n");
  }
  absl::StrAppend(&out, "\nBinaryData\n====\n");
  for (const auto& [key, value] : TextMap(object, "binaryData")) {
    std::string bytes;
    absl::Base64Unescape(value, &bytes);
    absl::StrAppend(&out, key, ": ", bytes.size(), " bytes\n");
  }
  DescribeWriter events;
  DescribeEvents(context.events, context.now, &events);
  return absl::StrCat(out, "\n", events.Aligned());
}

std::string DescribeSecret(const Json& object) {
  DescribeWriter out;
  DescribeHead(object, &out);
  out.Line(0, {""});
  const std::string type = Text(object, "type");
  out.Field(0, "Type", type.empty() ? "Opaque" : type);
  out.Line(0, {""});
  out.Line(0, {"Data"});
  out.Line(0, {"===="});
  for (const auto& [key, value] : TextMap(object, "data")) {
    std::string bytes;
    absl::Base64Unescape(value, &bytes);
    out.Field(0, key, absl::StrCat(bytes.size(), " bytes"));
  }
  return out.Aligned();
}

void DescribeConditions(const Json& object, DescribeWriter* out) {
  const Json& conditions = Items(object, "status.conditions");
  if (conditions.empty()) return;
  out->Line(0, {"Conditions:"});
  std::vector<Row> rows = {{"Type", "Status"}};
  for (const Json& each : conditions) rows.push_back({Text(each, "type"), Text(each, "status")});
  out->Grid(1, rows);
}

std::string TolerationsText(const Json& toleration) {
  std::string text = Text(toleration, "key");
  if (const std::string value = Text(toleration, "value"); !value.empty()) {
    absl::StrAppend(&text, "=", value);
  }
  if (const std::string effect = Text(toleration, "effect"); !effect.empty()) {
    absl::StrAppend(&text, ":", effect);
  }
  if (Text(toleration, "operator") == "Exists") absl::StrAppend(&text, " op=Exists");
  const Json& seconds = Field(toleration, "tolerationSeconds");
  if (seconds.is_number()) absl::StrAppend(&text, " for ", AnyText(seconds), "s");
  return text;
}

std::string DescribePod(const Json& pod, const DescribeContext& context) {
  DescribeWriter out;
  out.Field(0, "Name", Name(pod));
  out.Field(0, "Namespace", Namespace(pod));
  out.Field(0, "Priority", absl::StrCat(Number(pod, "spec.priority")));
  const std::string account = Text(pod, "spec.serviceAccountName");
  out.Field(0, "Service Account", account.empty() ? "default" : account);
  const std::string node = Text(pod, "spec.nodeName");
  std::string address = Text(pod, "status.hostIP");
  if (address.empty()) address = context.node_address;
  out.Field(0, "Node",
            node.empty() ? "<none>" : absl::StrCat(node, address.empty() ? "" : "/", address));
  out.FieldIf(0, "Start Time", LongTime(TimeOf(pod, "status.startTime")));
  out.Pairs(0, "Labels", TextMap(pod, "metadata.labels"), "=");
  out.Pairs(0, "Annotations", ShownAnnotations(pod), ": ");
  const absl::Time deleted = TimeOf(pod, "metadata.deletionTimestamp");
  if (deleted != absl::InfinitePast()) {
    const int64_t grace = Number(pod, "metadata.deletionGracePeriodSeconds");
    out.Field(0, "Status",
              absl::StrCat("Terminating (lasts ",
                           FormatAge(context.now - (deleted - absl::Seconds(grace))), ")"));
    out.Field(0, "Termination Grace Period", absl::StrCat(grace, "s"));
  } else {
    out.Field(0, "Status", Text(pod, "status.phase"));
  }
  out.FieldIf(0, "Reason", Text(pod, "status.reason"));
  out.FieldIf(0, "Message", Text(pod, "status.message"));
  out.Field(0, "IP", Text(pod, "status.podIP"));
  const Json& ips = Items(pod, "status.podIPs");
  if (ips.empty()) {
    out.Field(0, "IPs", "<none>");
  } else {
    out.Line(0, {"IPs:"});
    for (const Json& ip : ips) out.Field(1, "IP", Text(ip, "ip"));
  }
  out.FieldIf(0, "Controlled By", ControllerText(pod));
  const Json& status = Field(pod, "status");
  DescribeContainers(Field(pod, "spec"), status.is_null() ? Json::object() : status, 0, &out);
  DescribeConditions(pod, &out);
  DescribeVolumes(Field(pod, "spec"), 0, &out);
  out.FieldIf(0, "QoS Class", Text(pod, "status.qosClass"));
  out.Pairs(0, "Node-Selectors", TextMap(pod, "spec.nodeSelector"), "=");
  const Json& tolerations = Items(pod, "spec.tolerations");
  if (tolerations.empty()) out.Field(0, "Tolerations", "<none>");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    out.Line(0, {i == 0 ? "Tolerations:" : "", TolerationsText(tolerations[i])});
  }
  DescribeEvents(context.events, context.now, &out);
  return out.Aligned();
}

std::string DescribeNode(const Json& node, const DescribeContext& context) {
  DescribeWriter out;
  std::vector<std::string> roles;
  for (const auto& [key, value] : TextMap(node, "metadata.labels")) {
    absl::string_view role = key;
    if (absl::ConsumePrefix(&role, "node-role.kubernetes.io/")) roles.emplace_back(role);
  }
  out.Field(0, "Name", Name(node));
  out.Field(0, "Roles", roles.empty() ? "<none>" : absl::StrJoin(roles, ","));
  out.Pairs(0, "Labels", TextMap(node, "metadata.labels"), "=");
  out.Pairs(0, "Annotations", ShownAnnotations(node), ": ");
  out.Field(0, "CreationTimestamp", LongTime(TimeOf(node, "metadata.creationTimestamp")));
  out.Field(0, "Taints", "<none>");
  out.Field(0, "Unschedulable", IsTrue(node, "spec.unschedulable") ? "true" : "false");
  out.Line(0, {"Conditions:"});
  std::vector<Row> conditions = {
      {"Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"}};
  for (const Json& each : Items(node, "status.conditions")) {
    conditions.push_back({Text(each, "type"), Text(each, "status"),
                          LongTime(TimeOf(each, "lastHeartbeatTime")),
                          LongTime(TimeOf(each, "lastTransitionTime")), Text(each, "reason"),
                          Text(each, "message")});
  }
  out.Grid(1, conditions);
  out.Line(0, {"Addresses:"});
  for (const Json& each : Items(node, "status.addresses")) {
    out.Field(1, Text(each, "type"), Text(each, "address"));
  }
  for (const auto& [field, title] :
       {std::pair{"status.capacity", "Capacity"}, std::pair{"status.allocatable", "Allocatable"}}) {
    out.Line(0, {absl::StrCat(title, ":")});
    for (const auto& [key, value] : TextMap(node, field)) out.Field(1, key, value);
  }
  out.Line(0, {"System Info:"});
  for (const auto& [field, title] :
       {std::pair{"machineID", "Machine ID"}, std::pair{"systemUUID", "System UUID"},
        std::pair{"bootID", "Boot ID"}, std::pair{"kernelVersion", "Kernel Version"},
        std::pair{"osImage", "OS Image"}, std::pair{"operatingSystem", "Operating System"},
        std::pair{"architecture", "Architecture"},
        std::pair{"containerRuntimeVersion", "Container Runtime Version"},
        std::pair{"kubeletVersion", "Kubelet Version"}}) {
    out.Field(1, title, Text(node, absl::StrCat("status.nodeInfo.", field)));
  }
  std::vector<Row> pods = {{"Namespace", "Name", "Status", "Age"}};
  for (const Json& pod : context.pods) {
    const std::string phase = Text(pod, "status.phase");
    if (phase == "Succeeded" || phase == "Failed") continue;
    if (Text(pod, "spec.nodeName") != Name(node)) continue;
    pods.push_back({Namespace(pod), Name(pod), SummarisePod(pod).status,
                    AgeSince(TimeOf(pod, "metadata.creationTimestamp"), context.now)});
  }
  out.Field(0, "Non-terminated Pods", absl::StrCat("(", pods.size() - 1, " in total)"));
  out.Grid(1, pods);
  DescribeEvents(context.events, context.now, &out);
  return out.Aligned();
}

}  // namespace

// In describe_workload.cc.
std::string DescribeWorkload(const Json& object, const DescribeContext& context);

std::string Describe(const Json& object, const DescribeContext& context) {
  const std::string kind = Text(object, "kind");
  if (kind == "Pod") return DescribePod(object, context);
  if (kind == "ConfigMap") return DescribeConfigMap(object, context);
  if (kind == "Secret") return DescribeSecret(object);
  if (kind == "Node") return DescribeNode(object, context);
  if (kind == "Endpoints" || kind == "Event") {
    DescribeWriter out;
    DescribeHead(object, &out);
    if (kind == "Endpoints") {
      out.Line(0, {"Subsets:"});
      out.Field(1, "Addresses", EndpointsText(object, 0));
      DescribeEvents(context.events, context.now, &out);
    } else {
      out.Field(0, "Involved Object",
                absl::StrCat(Text(object, "involvedObject.kind"), "/",
                             Text(object, "involvedObject.name")));
      for (const auto& [field, title] :
           {std::pair{"type", "Type"}, std::pair{"reason", "Reason"},
            std::pair{"message", "Message"}, std::pair{"source.component", "Source"},
            std::pair{"firstTimestamp", "First Timestamp"},
            std::pair{"lastTimestamp", "Last Timestamp"}}) {
        out.Field(0, title, Text(object, field));
      }
      out.Field(0, "Count", absl::StrCat(Number(object, "count", 1)));
    }
    return out.Aligned();
  }
  return DescribeWorkload(object, context);
}

}  // namespace crisp::cli
