#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/output/describe.h"
#include "agent/output/describe_writer.h"
#include "agent/output/table.h"

namespace crisp::cli {
namespace {

std::string N(const Json& object, const char* path, int64_t otherwise = 0) {
  return absl::StrCat(Number(object, path, otherwise));
}

bool IsOwnedBy(const Json& object, const Json& owner) {
  const std::string uid = Text(owner, "metadata.uid");
  for (const Json& each : Items(object, "metadata.ownerReferences")) {
    if (!uid.empty() && Text(each, "uid") == uid) return true;
  }
  return false;
}

std::string Created(const Json& object) {
  return LongTime(TimeOf(object, "metadata.creationTimestamp"));
}

// "1 Running / 0 Waiting / 0 Succeeded / 0 Failed"
std::string PodsText(const Json& owner, const std::vector<Json>& pods) {
  int running = 0, waiting = 0, succeeded = 0, failed = 0;
  for (const Json& pod : pods) {
    if (!IsOwnedBy(pod, owner)) continue;
    const std::string phase = Text(pod, "status.phase");
    if (phase == "Running") {
      ++running;
    } else if (phase == "Succeeded") {
      ++succeeded;
    } else if (phase == "Failed") {
      ++failed;
    } else {
      ++waiting;
    }
  }
  return absl::StrCat(running, " Running / ", waiting, " Waiting / ", succeeded, " Succeeded / ",
                      failed, " Failed");
}

void DescribeReasons(const Json& object, DescribeWriter* out) {
  const Json& conditions = Items(object, "status.conditions");
  if (conditions.empty()) return;
  out->Line(0, {"Conditions:"});
  std::vector<Row> rows = {{"Type", "Status", "Reason"}};
  for (const Json& each : conditions) {
    rows.push_back({Text(each, "type"), Text(each, "status"), Text(each, "reason")});
  }
  out->Grid(1, rows);
}

std::string SetText(const Json& set) {
  return absl::StrCat(Name(set), " (", N(set, "status.replicas"), "/", N(set, "spec.replicas", 1),
                      " replicas created)");
}

// Replica sets whose template is the deployment's are new; the others are old.
bool IsNewSet(const Json& set, const Json& deployment) {
  static constexpr char kHash[] = "pod-template-hash";
  Json own = Field(set, "spec.template");
  if (own.is_object() && Field(own, "metadata.labels").is_object()) {
    own["metadata"]["labels"].erase(kHash);
    if (own["metadata"]["labels"].empty()) own["metadata"].erase("labels");
  }
  return own == Field(deployment, "spec.template");
}

void DescribeSets(const Json& deployment, const DescribeContext& context, DescribeWriter* out) {
  std::vector<std::string> old_sets;
  std::string new_set = "<none>";
  for (const Json& set : context.replica_sets) {
    if (!IsOwnedBy(set, deployment)) continue;
    if (IsNewSet(set, deployment)) {
      new_set = SetText(set);
    } else if (Number(set, "spec.replicas", 1) > 0 || Number(set, "status.replicas") > 0) {
      old_sets.push_back(SetText(set));
    }
  }
  out->Field(0, "OldReplicaSets", old_sets.empty() ? "<none>" : absl::StrJoin(old_sets, ", "));
  out->Field(0, "NewReplicaSet", new_set);
}

void DescribeDeployment(const Json& object, const DescribeContext& context, DescribeWriter* out) {
  out->Field(0, "Name", Name(object));
  out->Field(0, "Namespace", Namespace(object));
  out->Field(0, "CreationTimestamp", Created(object));
  out->Pairs(0, "Labels", TextMap(object, "metadata.labels"), "=");
  out->Pairs(0, "Annotations", ShownAnnotations(object), ": ");
  out->Field(0, "Selector", SelectorText(Field(object, "spec.selector")));
  out->Field(
      0, "Replicas",
      absl::StrCat(N(object, "spec.replicas", 1), " desired | ",
                   N(object, "status.updatedReplicas"), " updated | ", N(object, "status.replicas"),
                   " total | ", N(object, "status.availableReplicas"), " available | ",
                   N(object, "status.unavailableReplicas"), " unavailable"));
  const std::string strategy = Text(object, "spec.strategy.type");
  out->Field(0, "StrategyType", strategy.empty() ? "RollingUpdate" : strategy);
  out->Field(0, "MinReadySeconds", N(object, "spec.minReadySeconds"));
  const Json& rolling = Field(object, "spec.strategy.rollingUpdate");
  if (rolling.is_object()) {
    out->Field(0, "RollingUpdateStrategy",
               absl::StrCat(AnyText(Field(rolling, "maxUnavailable")), " max unavailable, ",
                            AnyText(Field(rolling, "maxSurge")), " max surge"));
  }
  DescribePodTemplate(Field(object, "spec.template"), out);
  DescribeReasons(object, out);
  DescribeSets(object, context, out);
}

void DescribeReplicas(const Json& object, const DescribeContext& context, DescribeWriter* out) {
  out->Field(0, "Name", Name(object));
  out->Field(0, "Namespace", Namespace(object));
  out->Field(0, "Selector", SelectorText(Field(object, "spec.selector")));
  out->Pairs(0, "Labels", TextMap(object, "metadata.labels"), "=");
  out->Pairs(0, "Annotations", ShownAnnotations(object), ": ");
  out->FieldIf(0, "Controlled By", ControllerText(object));
  out->Field(0, "Replicas",
             absl::StrCat(N(object, "status.replicas"), " current / ",
                          N(object, "spec.replicas", 1), " desired"));
  out->Field(0, "Pods Status", PodsText(object, context.pods));
  DescribePodTemplate(Field(object, "spec.template"), out);
  DescribeReasons(object, out);
}

void DescribeDaemonSet(const Json& object, const DescribeContext& context, DescribeWriter* out) {
  out->Field(0, "Name", Name(object));
  out->Field(0, "Namespace", Namespace(object));
  out->Field(0, "Selector", SelectorText(Field(object, "spec.selector")));
  out->Field(0, "Node-Selector",
             JoinLabels(TextMap(object, "spec.template.spec.nodeSelector"), "<none>"));
  out->Pairs(0, "Labels", TextMap(object, "metadata.labels"), "=");
  out->Pairs(0, "Annotations", ShownAnnotations(object), ": ");
  out->Field(0, "Desired Number of Nodes Scheduled", N(object, "status.desiredNumberScheduled"));
  out->Field(0, "Current Number of Nodes Scheduled", N(object, "status.currentNumberScheduled"));
  out->Field(0, "Number of Nodes Scheduled with Up-to-date Pods",
             N(object, "status.updatedNumberScheduled"));
  out->Field(0, "Number of Nodes Scheduled with Available Pods",
             N(object, "status.numberAvailable"));
  out->Field(0, "Number of Nodes Misscheduled", N(object, "status.numberMisscheduled"));
  out->Field(0, "Pods Status", PodsText(object, context.pods));
  DescribePodTemplate(Field(object, "spec.template"), out);
}

void DescribeJob(const Json& object, const DescribeContext& context, DescribeWriter* out) {
  out->Field(0, "Name", Name(object));
  out->Field(0, "Namespace", Namespace(object));
  out->Field(0, "Selector", SelectorText(Field(object, "spec.selector")));
  out->Pairs(0, "Labels", TextMap(object, "metadata.labels"), "=");
  out->Pairs(0, "Annotations", ShownAnnotations(object), ": ");
  out->FieldIf(0, "Controlled By", ControllerText(object));
  out->Field(0, "Parallelism", N(object, "spec.parallelism", 1));
  const Json& completions = Field(object, "spec.completions");
  out->Field(0, "Completions", completions.is_number() ? AnyText(completions) : "<unset>");
  out->FieldIf(0, "Completion Mode", Text(object, "spec.completionMode"));
  out->Field(0, "Suspend", IsTrue(object, "spec.suspend") ? "true" : "false");
  out->Field(0, "Backoff Limit", N(object, "spec.backoffLimit", 6));
  const absl::Time began = TimeOf(object, "status.startTime");
  const absl::Time ended = TimeOf(object, "status.completionTime");
  out->FieldIf(0, "Start Time", LongTime(began));
  out->FieldIf(0, "Completed At", LongTime(ended));
  if (began != absl::InfinitePast() && ended != absl::InfinitePast()) {
    out->Field(0, "Duration", FormatAge(ended - began));
  }
  const Json& deadline = Field(object, "spec.activeDeadlineSeconds");
  if (deadline.is_number()) {
    out->Field(0, "Active Deadline Seconds", absl::StrCat(AnyText(deadline), "s"));
  }
  out->Field(0, "Pods Statuses",
             absl::StrCat(N(object, "status.active"), " Active (", N(object, "status.ready"),
                          " Ready) / ", N(object, "status.succeeded"), " Succeeded / ",
                          N(object, "status.failed"), " Failed"));
  if (Text(object, "spec.completionMode") == "Indexed") {
    const std::string indexes = Text(object, "status.completedIndexes");
    out->Field(0, "Completed Indexes", indexes.empty() ? "<none>" : indexes);
  }
  DescribePodTemplate(Field(object, "spec.template"), out);
}

}  // namespace

std::string DescribeWorkload(const Json& object, const DescribeContext& context) {
  const std::string kind = Text(object, "kind");
  DescribeWriter out;
  if (kind == "Deployment") {
    DescribeDeployment(object, context, &out);
  } else if (kind == "DaemonSet") {
    DescribeDaemonSet(object, context, &out);
  } else if (kind == "Job") {
    DescribeJob(object, context, &out);
  } else {
    DescribeReplicas(object, context, &out);
  }
  DescribeEvents(context.events, context.now, &out);
  return out.Aligned();
}

}  // namespace crisp::cli
