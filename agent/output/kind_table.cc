#include "agent/output/kind_table.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/output/pod_status.h"

namespace crisp::cli {
namespace {

// The columns after NAME: always, and with -o wide. Events have no NAME but with wide.
struct Columns {
  Row narrow, wide;
};

const Row& WorkloadWide() {
  static const Row* const row = new Row{"CONTAINERS", "IMAGES", "SELECTOR"};
  return *row;
}

const Columns& ColumnsOf(const std::string& kind) {
  static const auto* const all = new std::map<std::string, Columns>{
      {"Pod",
       {{"READY", "STATUS", "RESTARTS", "AGE"},
        {"IP", "NODE", "NOMINATED NODE", "READINESS GATES"}}},
      {"ConfigMap", {{"DATA", "AGE"}, {}}},
      {"Secret", {{"TYPE", "DATA", "AGE"}, {}}},
      {"Endpoints", {{"ENDPOINTS", "AGE"}, {}}},
      {"Node",
       {{"STATUS", "ROLES", "AGE", "VERSION"},
        {"INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"}}},
      {"Event",
       {{"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"},
        {"LAST SEEN", "TYPE", "REASON", "OBJECT", "SUBOBJECT", "SOURCE", "MESSAGE", "FIRST SEEN",
         "COUNT", "NAME"}}},
      {"Deployment", {{"READY", "UP-TO-DATE", "AVAILABLE", "AGE"}, WorkloadWide()}},
      {"ReplicaSet", {{"DESIRED", "CURRENT", "READY", "AGE"}, WorkloadWide()}},
      {"ReplicationController", {{"DESIRED", "CURRENT", "READY", "AGE"}, WorkloadWide()}},
      {"DaemonSet",
       {{"DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE"},
        WorkloadWide()}},
      {"Job", {{"STATUS", "COMPLETIONS", "DURATION", "AGE"}, WorkloadWide()}},
  };
  static const Columns* const none = new Columns{{"AGE"}, {}};
  const auto found = all->find(kind);
  return found == all->end() ? *none : found->second;
}

std::string Count(const Json& object, const char* path, int64_t otherwise = 0) {
  return absl::StrCat(Number(object, path, otherwise));
}

std::string Age(const Json& object, absl::Time now) {
  return AgeSince(TimeOf(object, "metadata.creationTimestamp"), now);
}

std::string OrNone(const std::string& text) { return text.empty() ? "<none>" : text; }

void AddWorkload(const Json& object, Row* row) {
  std::vector<std::string> names, images;
  for (const Json& container : Items(object, "spec.template.spec.containers")) {
    names.push_back(Text(container, "name"));
    images.push_back(Text(container, "image"));
  }
  row->push_back(absl::StrJoin(names, ","));
  row->push_back(absl::StrJoin(images, ","));
  row->push_back(SelectorText(Field(object, "spec.selector")));
}

void AddPod(const Json& pod, const TableOptions& options, Row* row) {
  const PodStatusSummary summary = SummarisePod(pod);
  row->push_back(absl::StrCat(summary.ready, "/", summary.total));
  row->push_back(summary.status);
  row->push_back(RestartsText(summary, options.now));
  row->push_back(Age(pod, options.now));
  if (!options.wide) return;
  row->push_back(OrNone(Text(pod, "status.podIP")));
  row->push_back(OrNone(Text(pod, "spec.nodeName")));
  row->push_back(OrNone(Text(pod, "status.nominatedNodeName")));
  const Json& gates = Items(pod, "spec.readinessGates");
  size_t passed = 0;
  for (const Json& gate : gates) {
    if (ConditionStatus(pod, Text(gate, "conditionType")) == "True") ++passed;
  }
  row->push_back(gates.empty() ? "<none>" : absl::StrCat(passed, "/", gates.size()));
}

std::string NodeAddress(const Json& node, const char* type) {
  for (const Json& address : Items(node, "status.addresses")) {
    if (Text(address, "type") == type) return Text(address, "address");
  }
  return "<none>";
}

void AddNode(const Json& node, const TableOptions& options, Row* row) {
  const std::string ready = ConditionStatus(node, "Ready");
  std::string status = ready == "True" ? "Ready" : ready.empty() ? "Unknown" : "NotReady";
  if (IsTrue(node, "spec.unschedulable")) status += ",SchedulingDisabled";
  std::vector<std::string> roles;
  for (const auto& [key, value] : TextMap(node, "metadata.labels")) {
    absl::string_view role = key;
    if (absl::ConsumePrefix(&role, "node-role.kubernetes.io/")) roles.emplace_back(role);
  }
  row->push_back(status);
  row->push_back(OrNone(absl::StrJoin(roles, ",")));
  row->push_back(Age(node, options.now));
  row->push_back(Text(node, "status.nodeInfo.kubeletVersion"));
  if (!options.wide) return;
  row->push_back(NodeAddress(node, "InternalIP"));
  row->push_back(NodeAddress(node, "ExternalIP"));
  for (const char* field : {"osImage", "kernelVersion", "containerRuntimeVersion"}) {
    const std::string text = Text(node, absl::StrCat("status.nodeInfo.", field));
    row->push_back(text.empty() ? "<unknown>" : text);
  }
}

void AddDaemonSet(const Json& set, const TableOptions& options, Row* row) {
  row->push_back(Count(set, "status.desiredNumberScheduled"));
  row->push_back(Count(set, "status.currentNumberScheduled"));
  row->push_back(Count(set, "status.numberReady"));
  row->push_back(Count(set, "status.updatedNumberScheduled"));
  row->push_back(Count(set, "status.numberAvailable"));
  row->push_back(JoinLabels(TextMap(set, "spec.template.spec.nodeSelector"), "<none>"));
  row->push_back(Age(set, options.now));
}

void AddJob(const Json& job, const TableOptions& options, Row* row) {
  std::string status = "Running";
  if (ConditionStatus(job, "Complete") == "True") {
    status = "Complete";
  } else if (ConditionStatus(job, "Failed") == "True") {
    status = "Failed";
  } else if (!Text(job, "metadata.deletionTimestamp").empty()) {
    status = "Terminating";
  } else if (ConditionStatus(job, "Suspended") == "True") {
    status = "Suspended";
  }
  row->push_back(status);
  const std::string succeeded = Count(job, "status.succeeded");
  if (Field(job, "spec.completions").is_number()) {
    row->push_back(absl::StrCat(succeeded, "/", Count(job, "spec.completions")));
  } else if (const int64_t parallel = Number(job, "spec.parallelism", 1); parallel > 1) {
    row->push_back(absl::StrCat(succeeded, "/1 of ", parallel));
  } else {
    row->push_back(absl::StrCat(succeeded, "/1"));
  }
  const absl::Time began = TimeOf(job, "status.startTime");
  const absl::Time ended = TimeOf(job, "status.completionTime");
  row->push_back(began == absl::InfinitePast()
                     ? ""
                     : FormatAge((ended == absl::InfinitePast() ? options.now : ended) - began));
  row->push_back(Age(job, options.now));
}

Row EventRow(const Json& event, const TableOptions& options) {
  const auto age = [&](const char* path) {
    absl::Time time = TimeOf(event, path);
    if (time == absl::InfinitePast()) time = TimeOf(event, "eventTime");
    if (time == absl::InfinitePast()) time = TimeOf(event, "metadata.creationTimestamp");
    return AgeSince(time, options.now);
  };
  const std::string object = absl::AsciiStrToLower(
      absl::StrCat(Text(event, "involvedObject.kind"), "/", Text(event, "involvedObject.name")));
  const std::string message(absl::StripAsciiWhitespace(Text(event, "message")));
  if (!options.wide) {
    return {age("lastTimestamp"), Text(event, "type"), Text(event, "reason"), object, message};
  }
  const std::string host = Text(event, "source.host");
  return {age("lastTimestamp"),
          Text(event, "type"),
          Text(event, "reason"),
          object,
          Text(event, "involvedObject.fieldPath"),
          absl::StrCat(Text(event, "source.component"), host.empty() ? "" : ", ", host),
          message,
          age("firstTimestamp"),
          Count(event, "count", 1),
          Name(event)};
}

size_t DataCount(const Json& object) {
  return TextMap(object, "data").size() + TextMap(object, "binaryData").size();
}

void AddCells(const std::string& kind, const Json& object, const TableOptions& options, Row* row) {
  if (kind == "Pod") return AddPod(object, options, row);
  if (kind == "Node") return AddNode(object, options, row);
  if (kind == "ConfigMap") {
    row->insert(row->end(), {absl::StrCat(DataCount(object)), Age(object, options.now)});
    return;
  }
  if (kind == "Secret") {
    const std::string type = Text(object, "type");
    row->insert(row->end(), {type.empty() ? "Opaque" : type, absl::StrCat(DataCount(object)),
                             Age(object, options.now)});
    return;
  }
  if (kind == "Endpoints") {
    row->insert(row->end(), {EndpointsText(object, 3), Age(object, options.now)});
    return;
  }
  if (kind == "Deployment") {
    row->insert(row->end(), {absl::StrCat(Count(object, "status.readyReplicas"), "/",
                                          Count(object, "spec.replicas", 1)),
                             Count(object, "status.updatedReplicas"),
                             Count(object, "status.availableReplicas"), Age(object, options.now)});
  } else if (kind == "ReplicaSet" || kind == "ReplicationController") {
    row->insert(row->end(), {Count(object, "spec.replicas", 1), Count(object, "status.replicas"),
                             Count(object, "status.readyReplicas"), Age(object, options.now)});
  } else if (kind == "DaemonSet") {
    AddDaemonSet(object, options, row);
  } else if (kind == "Job") {
    AddJob(object, options, row);
  } else {
    row->push_back(Age(object, options.now));
    return;
  }
  if (options.wide) AddWorkload(object, row);
}

}  // namespace

Row TableHead(const KindInfo& kind, const TableOptions& options) {
  Row head;
  if (options.with_namespace && kind.namespaced) head.push_back("NAMESPACE");
  const Columns& columns = ColumnsOf(kind.kind);
  if (std::string(kind.kind) == "Event") {
    const Row& row = options.wide ? columns.wide : columns.narrow;
    head.insert(head.end(), row.begin(), row.end());
  } else {
    head.push_back("NAME");
    head.insert(head.end(), columns.narrow.begin(), columns.narrow.end());
    if (options.wide) head.insert(head.end(), columns.wide.begin(), columns.wide.end());
  }
  if (options.show_labels) head.push_back("LABELS");
  return head;
}

Row TableRow(const KindInfo& kind, const Json& object, const TableOptions& options) {
  Row row;
  if (options.with_namespace && kind.namespaced) row.push_back(Namespace(object));
  if (std::string(kind.kind) == "Event") {
    const Row cells = EventRow(object, options);
    row.insert(row.end(), cells.begin(), cells.end());
  } else {
    row.push_back(options.with_kind ? absl::StrCat(kind.Qualified(), "/", Name(object))
                                    : Name(object));
    AddCells(kind.kind, object, options, &row);
  }
  if (options.show_labels) {
    row.push_back(JoinLabels(TextMap(object, "metadata.labels"), "<none>"));
  }
  return row;
}

std::string EndpointsText(const Json& endpoints, size_t most) {
  std::vector<std::string> all;
  for (const Json& subset : Items(endpoints, "subsets")) {
    const Json& ports = Items(subset, "ports");
    for (const Json& address : Items(subset, "addresses")) {
      const std::string ip = Text(address, "ip");
      const std::string host = absl::StrContains(ip, ':') ? absl::StrCat("[", ip, "]") : ip;
      if (ports.empty()) all.push_back(ip);
      for (const Json& port : ports) {
        all.push_back(absl::StrCat(host, ":", Number(port, "port")));
      }
    }
  }
  if (all.empty()) return "<none>";
  if (most == 0 || all.size() <= most) return absl::StrJoin(all, ",");
  const size_t more = all.size() - most;
  all.resize(most);
  return absl::StrCat(absl::StrJoin(all, ","), " + ", more, " more...");
}

}  // namespace crisp::cli
