#include "agent/output/pod_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/output/table.h"

namespace crisp::cli {
namespace {

// "OOMKilled", "Signal:9", "ExitCode:3".
std::string EndText(const Json& terminated) {
  if (const std::string reason = Text(terminated, "reason"); !reason.empty()) return reason;
  if (const int64_t signal = Number(terminated, "signal"); signal != 0) {
    return absl::StrCat("Signal:", signal);
  }
  return absl::StrCat("ExitCode:", Number(terminated, "exitCode"));
}

class Summary {
 public:
  explicit Summary(const Json& pod) : pod_(pod) {
    out_.status = Text(pod, "status.phase");
    if (const std::string reason = Text(pod, "status.reason"); !reason.empty()) {
      out_.status = reason;
    }
    out_.total = static_cast<int>(Items(pod, "spec.containers").size());
  }

  PodStatusSummary Make() {
    const bool initialising = ReadInitContainers();
    if (!initialising || ConditionStatus(pod_, "Initialized") == "True") ReadContainers();
    if (!Text(pod_, "metadata.deletionTimestamp").empty()) {
      const std::string phase = Text(pod_, "status.phase");
      if (Text(pod_, "status.reason") == "NodeLost") {
        out_.status = "Unknown";
      } else if (phase != "Succeeded" && phase != "Failed") {
        out_.status = "Terminating";
      }
    }
    if (out_.status.empty()) out_.status = "Pending";
    return out_;
  }

 private:
  void CountRestarts(const Json& container) {
    out_.restarts += Number(container, "restartCount");
    out_.last_restart =
        std::max(out_.last_restart, TimeOf(container, "lastState.terminated.finishedAt"));
  }

  // True while one of them has not done its work.
  bool ReadInitContainers() {
    const Json& specs = Items(pod_, "spec.initContainers");
    const auto is_sidecar = [&](const std::string& name) {
      return Text(Named(pod_, "spec.initContainers", name), "restartPolicy") == "Always";
    };
    for (const Json& spec : specs) {
      if (Text(spec, "restartPolicy") == "Always") ++out_.total;
    }
    size_t done = 0;
    for (const Json& container : Items(pod_, "status.initContainerStatuses")) {
      const bool sidecar = is_sidecar(Text(container, "name"));
      CountRestarts(container);
      if (sidecar) {
        sidecar_restarts_ += Number(container, "restartCount");
        sidecar_last_restart_ =
            std::max(sidecar_last_restart_, TimeOf(container, "lastState.terminated.finishedAt"));
      }
      const Json& terminated = Field(container, "state.terminated");
      const std::string waiting = Text(container, "state.waiting.reason");
      if (terminated.is_object() && Number(terminated, "exitCode") == 0) {
        ++done;
        continue;
      }
      if (sidecar && IsTrue(container, "started")) {
        if (IsTrue(container, "ready")) ++out_.ready;
        ++done;
        continue;
      }
      if (terminated.is_object()) {
        out_.status = absl::StrCat("Init:", EndText(terminated));
      } else if (!waiting.empty() && waiting != "PodInitializing") {
        out_.status = absl::StrCat("Init:", waiting);
      } else {
        out_.status = absl::StrCat("Init:", done, "/", specs.size());
      }
      return true;
    }
    return false;
  }

  void ReadContainers() {
    // Init containers that are done tell nothing any more.
    out_.restarts = sidecar_restarts_;
    out_.last_restart = sidecar_last_restart_;
    const Json& statuses = Items(pod_, "status.containerStatuses");
    bool running = false;
    for (auto it = statuses.rbegin(); it != statuses.rend(); ++it) {
      const Json& container = *it;
      CountRestarts(container);
      const Json& terminated = Field(container, "state.terminated");
      if (const std::string waiting = Text(container, "state.waiting.reason"); !waiting.empty()) {
        out_.status = waiting;
      } else if (terminated.is_object()) {
        out_.status = EndText(terminated);
      } else if (IsTrue(container, "ready") && Field(container, "state.running").is_object()) {
        running = true;
        ++out_.ready;
      }
    }
    // Some ended well, the others run on.
    if (out_.status == "Completed" && running) {
      out_.status = ConditionStatus(pod_, "Ready") == "True" ? "Running" : "NotReady";
    }
  }

  const Json& pod_;
  PodStatusSummary out_;
  int64_t sidecar_restarts_ = 0;
  absl::Time sidecar_last_restart_ = absl::InfinitePast();
};

}  // namespace

PodStatusSummary SummarisePod(const Json& pod) { return Summary(pod).Make(); }

std::string RestartsText(const PodStatusSummary& summary, absl::Time now) {
  if (summary.restarts == 0 || summary.last_restart == absl::InfinitePast()) {
    return absl::StrCat(summary.restarts);
  }
  return absl::StrCat(summary.restarts, " (", FormatAge(now - summary.last_restart), " ago)");
}

}  // namespace crisp::cli
