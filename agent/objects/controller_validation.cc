#include "agent/objects/controller_validation.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/labels.h"
#include "agent/manifest/pod.h"
#include "agent/manifest/pod_reader.h"
#include "agent/objects/int_or_percent.h"
#include "agent/objects/selector.h"

namespace crisp::agent {
namespace {

// Each one that is done stands in the status.
constexpr int64_t kMostIndexes = 100000;

std::optional<int64_t> ReadCount(ObjectReader& spec, const char* name) {
  std::optional<int64_t> count;
  spec.ReadCount(name, &count);
  return count;
}

// What a template must be for the kind that has it.
void ValidateTemplate(const std::string& kind, ObjectReader& spec,
                      std::map<std::string, std::string>* labels) {
  if (!spec.Has("template")) return spec.Fail("template", "Required value");
  spec.Object("template", [&](ObjectReader& pod_template) {
    pod_template.Object("metadata", [&](ObjectReader& meta) {
      std::map<std::string, std::string> annotations;
      meta.Read("labels", labels);
      meta.Read("annotations", &annotations);
      CheckLabels(meta, "labels", *labels);
      meta.Ignore({"creationTimestamp", "generateName", "name", "namespace"});
    });
    if (!pod_template.Has("spec")) pod_template.Fail("spec", "Required value");
    pod_template.Object("spec", [&](ObjectReader& reader) {
      Pod pod;
      ReadPodSpec(reader, &pod);
      if (kind == "Job") {
        if (pod.restart_policy == "Always") {
          reader.Fail("restartPolicy", "Required value: valid values: \"OnFailure\", \"Never\"");
        }
        return;
      }
      if (pod.restart_policy != "Always") {
        reader.Fail("restartPolicy", absl::StrCat("Unsupported value: \"", pod.restart_policy,
                                                  "\": supported values: \"Always\""));
      }
      if (pod.active_deadline_seconds.has_value()) {
        reader.Forbidden("activeDeadlineSeconds",
                         absl::StrCat("activeDeadlineSeconds in ", kind, " is not Supported"));
      }
    });
  });
}

void ValidateSelector(const std::string& kind, ObjectReader& spec,
                      const std::map<std::string, std::string>& labels) {
  if (!spec.Has("selector")) return spec.Fail("selector", "Required value");
  Selector selector;
  const size_t before = spec.errors()->count();
  if (kind == "ReplicationController") {
    selector = Selector::ReadMap(spec, "selector");
  } else {
    spec.Object("selector",
                [&](ObjectReader& reader) { selector = Selector::ReadLabelSelector(reader); });
  }
  if (spec.errors()->count() != before) return;
  if (selector.empty()) {
    return spec.Fail("selector",
                     absl::StrCat("Invalid value: {}: empty selector is invalid for ",
                                  kind == "DaemonSet" ? "daemonset" : absl::AsciiStrToLower(kind)));
  }
  if (!selector.Matches(labels)) {
    spec.FailPath(absl::StrCat(spec.PathOf("template"), ".metadata.labels"),
                  absl::StrCat("Invalid value: ", nlohmann::json(labels).dump(),
                               ": `selector` does not match template `labels`"));
  }
}

std::optional<IntOrPercent> ReadIntOrPercent(ObjectReader& reader, const char* name) {
  const nlohmann::json* value = reader.Raw(name);
  if (value == nullptr) return std::nullopt;
  const auto parsed = IntOrPercent::Parse(*value);
  if (!parsed.ok()) {
    reader.Invalid(name, *value, parsed.status().message());
    return std::nullopt;
  }
  return *parsed;
}

void ValidateRolling(ObjectReader& strategy) {
  strategy.Object("rollingUpdate", [&](ObjectReader& rolling) {
    const auto surge = ReadIntOrPercent(rolling, "maxSurge");
    const auto unavailable = ReadIntOrPercent(rolling, "maxUnavailable");
    if (!rolling.ok()) return;
    if (unavailable.has_value() && unavailable->percent && unavailable->value > 100) {
      rolling.Fail("maxUnavailable", "Invalid value: must not be greater than 100%");
    }
    if (surge.has_value() && unavailable.has_value() && surge->value == 0 &&
        unavailable->value == 0) {
      rolling.Invalid("maxUnavailable", 0, "may not be 0 when `maxSurge` is 0");
    }
  });
}

void ValidateDeployment(ObjectReader& spec) {
  ReadCount(spec, "replicas");
  ReadCount(spec, "revisionHistoryLimit");
  const int64_t min_ready = ReadCount(spec, "minReadySeconds").value_or(0);
  const auto deadline = ReadCount(spec, "progressDeadlineSeconds");
  if (deadline.has_value() && *deadline <= min_ready) {
    spec.Invalid("progressDeadlineSeconds", *deadline, "must be greater than minReadySeconds");
  }
  bool paused = false;
  spec.Read("paused", &paused);
  spec.Object("strategy", [](ObjectReader& strategy) {
    std::string type;
    strategy.ReadChoice("type", {"Recreate", "RollingUpdate"}, &type);
    if (type == "Recreate" && strategy.Has("rollingUpdate")) {
      strategy.Forbidden("rollingUpdate",
                         "may not be specified when strategy `type` is 'Recreate'");
    }
    ValidateRolling(strategy);
  });
}

void ValidateDaemonSet(ObjectReader& spec) {
  ReadCount(spec, "minReadySeconds");
  ReadCount(spec, "revisionHistoryLimit");
  spec.Object("updateStrategy", [](ObjectReader& strategy) {
    std::string type;
    strategy.ReadChoice("type", {"OnDelete", "RollingUpdate"}, &type);
    strategy.Object("rollingUpdate", [](ObjectReader& rolling) {
      const auto surge = ReadIntOrPercent(rolling, "maxSurge");
      if (surge.has_value() && surge->value > 0) {
        rolling.Warn("maxSurge", "has no effect: the one pod ends before the next begins");
      }
      ReadIntOrPercent(rolling, "maxUnavailable");
    });
  });
}

void ValidateJob(ObjectReader& spec) {
  ReadCount(spec, "parallelism");
  const std::optional<int64_t> completions = ReadCount(spec, "completions");
  ReadCount(spec, "backoffLimit");
  ReadCount(spec, "ttlSecondsAfterFinished");
  std::optional<int64_t> deadline;
  spec.Read("activeDeadlineSeconds", &deadline, 1);
  bool suspend = false, manual = false;
  spec.Read("suspend", &suspend);
  spec.Read("manualSelector", &manual);
  if (manual) spec.Forbidden("manualSelector", "not supported yet");
  std::string mode;
  spec.ReadChoice("completionMode", {"NonIndexed", "Indexed"}, &mode);
  if (mode == "Indexed") {
    if (!spec.Has("completions")) {
      spec.Fail("completions", "Required value: when completion mode is Indexed");
    } else if (completions.value_or(0) > kMostIndexes) {
      spec.Invalid("completions", *completions,
                   absl::StrCat("must be less than or equal to ", kMostIndexes));
    }
  }
  spec.ReadChoice("podReplacementPolicy", {"TerminatingOrFailed", "Failed"}, &mode);
  spec.NotYet({"backoffLimitPerIndex", "managedBy", "maxFailedIndexes", "podFailurePolicy",
               "successPolicy"});
}

}  // namespace

void ValidateControllerSpec(const std::string& kind, ObjectReader& spec) {
  if (kind == "Deployment") {
    ValidateDeployment(spec);
  } else if (kind == "DaemonSet") {
    ValidateDaemonSet(spec);
  } else if (kind == "Job") {
    ValidateJob(spec);
  } else {
    ReadCount(spec, "replicas");
    ReadCount(spec, "minReadySeconds");
  }
  std::map<std::string, std::string> labels;
  ValidateTemplate(kind, spec, &labels);
  ValidateSelector(kind, spec, labels);
}

}  // namespace crisp::agent
