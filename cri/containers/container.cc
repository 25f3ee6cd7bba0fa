#include "cri/containers/container.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/utf8.h"

namespace crisp::cri {

using state::v1::ContainerRecord;

runtime::v1::ContainerState ContainerStateOf(const ContainerRecord& facts) {
  if (facts.finished_at() != 0) return runtime::v1::CONTAINER_EXITED;
  if (facts.started_at() != 0) return runtime::v1::CONTAINER_RUNNING;
  return runtime::v1::CONTAINER_CREATED;
}

Container::Container(std::shared_ptr<Pod> pod, const std::string& boot_id, ContainerRecord record)
    : id_(record.id()),
      pod_(std::move(pod)),
      config_(record.config()),
      created_at_(record.created_at()),
      name_key_(ContainerNameKey(pod_->id(), config_.metadata())),
      facts_(absl::StrCat(pod_->ContainersDirectory(), "/", id_), boot_id, std::move(record)) {}

bool Container::listed() const {
  return facts_.Read([](const ContainerRecord& facts) { return facts.created(); });
}

runtime::v1::ContainerState Container::state() const {
  return facts_.Read([](const ContainerRecord& facts) { return ContainerStateOf(facts); });
}

bool Container::RecordExit(int exit_code, int64_t finished_at, bool oom_killed,
                           const std::string& reason, const std::string& message) {
  bool first = false;
  const auto change = [&](ContainerRecord& facts) {
    first = facts.finished_at() == 0;
    if (!first) return;
    // The runtime's own time of the end; the start was noted when its call returned.
    if (facts.started_at() > finished_at) facts.set_started_at(finished_at);
    facts.set_finished_at(finished_at);
    facts.set_exit_code(exit_code);
    facts.set_oom_killed(oom_killed);
    // A runtime quotes what it was given, and cuts it short: kubelet refuses an answer with
    // words that are no text, and so does the parser of this very record.
    facts.set_message(ToUtf8(message));
    if (!reason.empty()) {
      facts.set_reason(reason);
    } else if (oom_killed) {
      facts.set_reason("OOMKilled");
    } else {
      facts.set_reason(exit_code == 0 ? "Completed" : "Error");
    }
  };
  if (const absl::Status written = facts_.Update(change); !written.ok()) {
    LogError("cannot record the end of a container; it is kept in memory",
             {{"container", id_}, {"error", written}});
    facts_.UpdateMemoryOnly(change);
  }
  return first;
}

void Container::BeginStart() {
  absl::MutexLock lock(&start_mu_);
  starting_ = true;
}

bool Container::DeferStop() {
  absl::MutexLock lock(&start_mu_);
  if (starting_) stop_deferred_ = true;
  return starting_;
}

bool Container::EndStart() {
  absl::MutexLock lock(&start_mu_);
  starting_ = false;
  return std::exchange(stop_deferred_, false);
}

bool Container::AwaitExit(absl::Duration timeout) const {
  return facts_.Await([](const ContainerRecord& facts) { return facts.finished_at() != 0; },
                      timeout);
}

bool Container::FirstStop() { return !stop_sent_.exchange(true); }

std::string ContainerNameKey(const std::string& pod_id,
                             const runtime::v1::ContainerMetadata& metadata) {
  return absl::StrCat(pod_id, "_", metadata.name(), "_", metadata.attempt());
}

}  // namespace crisp::cri
