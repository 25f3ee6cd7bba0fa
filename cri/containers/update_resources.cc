#include "cri/containers/update_resources.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/pods/kernel_limits.h"
#include "cri/spec/resources.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerResources;
using state::v1::ContainerRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(30);

// The score of one process, if it is of this container still: its number may be another's.
absl::Status SetOomScore(const std::string& container_id, uint32_t pid, int score) {
  const auto process = OpenDir(absl::StrCat("/proc/", pid));
  if (!process.ok()) return absl::OkStatus();
  const auto groups = ReadFileAt(process->get(), "cgroup", 1 << 16);
  if (!groups.ok() || !absl::StrContains(*groups, container_id)) return absl::OkStatus();
  const absl::Status written = WriteKernelFile(
      absl::StrCat("/proc/self/fd/", process->get(), "/oom_score_adj"), absl::StrCat(score));
  // Without CAP_SYS_RESOURCE a score goes up only: clamped, as at the start.
  const int error = ErrnoOf(written);
  return error == ESRCH || error == ENOENT || error == EACCES ? absl::OkStatus() : written;
}

absl::Status SetOomScores(const ContainerContext& context, TaskDriver* driver,
                          const std::string& id, int64_t wanted) {
  const int score = ClampOomScoreAdj(static_cast<int>(wanted), context.node->host);
  CRISP_ASSIGN_OR_RETURN(const std::vector<uint32_t> pids, driver->Pids(id));
  for (const uint32_t pid : pids) CRISP_RETURN_IF_ERROR(SetOomScore(id, pid, score));
  return absl::OkStatus();
}

// What an update changes in the kernel, and how to take it back.
class Change {
 public:
  Change(const ContainerContext& context, const Container& container, const ContainerRecord& facts)
      : context_(context),
        id_(container.id()),
        handler_(container.pod()->runtime_handler()),
        cgroup_path_(facts.cgroup_path()),
        score_before_(facts.resources().linux().oom_score_adj()) {}

  // `merged` becomes what the kernel made of it. After an error all is as before.
  absl::Status Apply(const nlohmann::json& resources, LinuxContainerResources* merged) {
    CRISP_ASSIGN_OR_RETURN(driver_, context_.node->handlers->Find(handler_));
    CRISP_ASSIGN_OR_RETURN(limits_, KernelLimits::Read(cgroup_path_, resources));
    absl::Status applied = driver_->Update(id_, resources.dump());
    if (applied.ok() && merged->oom_score_adj() != score_before_) {
      score_changed_ = true;
      applied = SetOomScores(context_, driver_, id_, merged->oom_score_adj());
    }
    if (!applied.ok()) return TakeBack(applied);
    *merged = limits_->Actual(*merged);
    return absl::OkStatus();
  }

  // Returns `reason`, or what says that it could not be done. A runtime may have written
  // some values before the one that was refused.
  absl::Status TakeBack(const absl::Status& reason) {
    if (!limits_) return reason;
    if (score_changed_) (void)SetOomScores(context_, driver_, id_, score_before_);
    const absl::Status back = limits_->PutBack();
    if (back.ok()) return reason;
    LogError("limits of a container are neither the old nor the new ones",
             {{"container", id_}, {"error", back}});
    return Annotate(reason, "some limits could not be put back (", back.message(), ") after");
  }

 private:
  const ContainerContext& context_;
  const std::string id_;
  const std::string handler_;
  const std::string cgroup_path_;
  const int64_t score_before_;
  TaskDriver* driver_ = nullptr;
  std::optional<KernelLimits> limits_;
  bool score_changed_ = false;
};

}  // namespace

absl::Status UpdateResources(const ContainerContext& context, Container& container,
                             const LinuxContainerResources& update) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, container.claim().ClaimFor("update it", kClaimTimeout));
  const ContainerRecord facts = container.facts().Get();
  if (facts.finished_at() != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.id(), " has ended; it has no resources to update"));
  }
  const HostFacts& host = context.node->host;
  CRISP_ASSIGN_OR_RETURN(LinuxContainerResources merged,
                         MergeResources(facts.resources().linux(), update, host));
  CRISP_ASSIGN_OR_RETURN(nlohmann::json resources, BuildResources(merged, host));
  Change change(context, container, facts);
  if (facts.started_at() != 0) {
    CRISP_RETURN_IF_ERROR(
        Annotate(change.Apply(resources, &merged), "update container ", container.id()));
  }
  nlohmann::json spec = nlohmann::json::parse(facts.spec_json(), nullptr, false);
  if (spec.is_object()) {
    // The device rules and the bound on processes are not CRI's to update.
    for (const char* kept : {"devices", "pids"}) {
      const nlohmann::json& before = spec["linux"]["resources"];
      if (before.contains(kept)) resources[kept] = before[kept];
    }
    spec["linux"]["resources"] = std::move(resources);
    spec["process"]["oomScoreAdj"] =
        ClampOomScoreAdj(static_cast<int>(merged.oom_score_adj()), host);
  }
  const absl::Status recorded = container.facts().Update([&](ContainerRecord& record) {
    *record.mutable_resources()->mutable_linux() = merged;
    if (spec.is_object()) record.set_spec_json(spec.dump());
  });
  return recorded.ok() ? recorded : change.TakeBack(recorded);
}

}  // namespace crisp::cri
