#include "agent/pods/container_history.h"

#include <algorithm>
#include <tuple>

namespace crisp::agent {
namespace {

// What a process ends with that SIGKILL ended.
constexpr int kKilledExitCode = 137;

// "crisp://0123" -> "0123"
std::string WithoutScheme(const std::string& id) {
  const size_t at = id.find("://");
  return at == std::string::npos ? id : id.substr(at + 3);
}

ContainerState FromTerminated(const Json& terminated) {
  ContainerState out;
  out.phase = ContainerState::Phase::kExited;
  out.id = WithoutScheme(TextAt(terminated, "containerID"));
  out.exit_code = static_cast<int>(NumberAt(terminated, "exitCode"));
  out.reason = TextAt(terminated, "reason");
  out.message = TextAt(terminated, "message");
  out.started_at = ParseTimestamp(At(terminated, "startedAt"));
  out.finished_at = ParseTimestamp(At(terminated, "finishedAt"));
  return out;
}

// The newest instance that a containerStatus tells of; no id if there was none.
ContainerState FromStatus(const Json& status) {
  const Json& state = At(status, "state");
  ContainerState out;
  if (const Json& terminated = At(state, "terminated"); terminated.is_object()) {
    out = FromTerminated(terminated);
  } else if (const Json& last = At(status, "lastState.terminated");
             last.is_object() && !At(state, "running").is_object()) {
    out = FromTerminated(last);
  } else {
    out.started_at = ParseTimestamp(At(state, "running.startedAt"));
    out.phase = ContainerState::Phase::kExited;
    out.exit_code = kKilledExitCode;
    out.reason = kStatusUnknownReason;
    out.message = "The container could not be located when the pod was terminated";
  }
  if (out.id.empty()) out.id = WithoutScheme(TextAt(status, "containerID"));
  out.name = TextAt(status, "name");
  out.image = TextAt(status, "image");
  out.image_id = TextAt(status, "imageID");
  out.restart_count = static_cast<int>(NumberAt(status, "restartCount"));
  out.lost = true;
  return out;
}

}  // namespace

std::string FormatTimestamp(absl::Time time) {
  if (time == absl::InfinitePast()) return "";
  return Timestamp(time);
}

absl::Time ParseTimestamp(const Json& value) {
  if (!value.is_string()) return absl::InfinitePast();
  const absl::Time time = ReadTimestamp(value.get<std::string>());
  return time == absl::InfiniteFuture() ? absl::InfinitePast() : time;
}

ContainerHistory::ContainerHistory(const RuntimePod& observed, const Json& status) {
  for (const ContainerState& container : observed.containers) {
    by_name_[container.name].push_back(container);
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    const Json& statuses = agent::At(status, list);
    if (!statuses.is_array()) continue;
    for (const Json& one : statuses) {
      ContainerState lost = FromStatus(one);
      if (lost.id.empty() || lost.name.empty()) continue;
      Instances& instances = by_name_[lost.name];
      const bool known =
          std::any_of(instances.begin(), instances.end(), [&](const ContainerState& c) {
            return c.id == lost.id || c.restart_count == lost.restart_count;
          });
      if (!known) instances.push_back(std::move(lost));
      // What came before it, so that lastState stays.
      const Json& last = agent::At(one, "lastState.terminated");
      if (!last.is_object()) continue;
      ContainerState before = FromTerminated(last);
      before.name = TextAt(one, "name");
      before.restart_count = std::max(static_cast<int>(NumberAt(one, "restartCount")) - 1, 0);
      before.lost = true;
      const bool held =
          before.id.empty() ||
          std::any_of(instances.begin(), instances.end(), [&](const ContainerState& c) {
            return c.id == before.id || c.restart_count == before.restart_count;
          });
      if (!held) instances.push_back(std::move(before));
    }
  }
  for (auto& [name, instances] : by_name_) {
    std::sort(instances.begin(), instances.end(),
              [](const ContainerState& a, const ContainerState& b) {
                return std::tie(a.restart_count, a.created_at, a.id) >
                       std::tie(b.restart_count, b.created_at, b.id);
              });
  }
}

const ContainerState* ContainerHistory::At(const std::string& name, size_t index) const {
  const Instances& all = All(name);
  return index < all.size() ? &all[index] : nullptr;
}

const Instances& ContainerHistory::All(const std::string& name) const {
  static const Instances* const kNone = new Instances();
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? *kNone : found->second;
}

const ContainerState* ContainerHistory::NewestIn(const std::string& name,
                                                 const std::string& sandbox_id) const {
  for (const ContainerState& container : All(name)) {
    if (!container.lost && container.sandbox_id == sandbox_id) return &container;
  }
  return nullptr;
}

}  // namespace crisp::agent
