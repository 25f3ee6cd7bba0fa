#include "agent/service/stats_reader.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/cri_client.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::RuntimeService;

constexpr int64_t kLeastNs = 1'000'000'000;
// A kept sample that is older says nothing of now.
constexpr int64_t kMostNs = 60 * kLeastNs;
constexpr char kPodUid[] = "io.kubernetes.pod.uid";

}  // namespace

absl::StatusOr<StatsReader::Samples> StatsReader::Take() {
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         client_->Runtime(&RuntimeService::Stub::ListContainerStats,
                                          runtime::v1::ListContainerStatsRequest()));
  Samples samples;
  for (const auto& stats : reply.stats()) {
    const auto uid = stats.attributes().labels().find(kPodUid);
    if (uid == stats.attributes().labels().end()) continue;
    Sample& sample = samples[stats.attributes().id()];
    sample.pod_uid = uid->second;
    sample.name = stats.attributes().metadata().name();
    sample.at_ns = stats.cpu().timestamp();
    sample.cpu_ns = stats.cpu().usage_core_nano_seconds().value();
    sample.memory_bytes = static_cast<int64_t>(stats.memory().working_set_bytes().value());
  }
  return samples;
}

absl::StatusOr<std::map<std::string, std::vector<ContainerUsage>>> StatsReader::Read() {
  Samples before;
  {
    absl::MutexLock lock(&mu_);
    before = last_;
  }
  CRISP_ASSIGN_OR_RETURN(Samples now, Take());
  const auto usable = [&](const std::string& id, const Sample& sample) {
    const auto found = before.find(id);
    if (found == before.end()) return false;
    const int64_t between = sample.at_ns - found->second.at_ns;
    return between >= kLeastNs && between <= kMostNs;
  };
  const bool all = std::all_of(now.begin(), now.end(),
                               [&](const auto& one) { return usable(one.first, one.second); });
  if (!all) {
    before = std::move(now);
    absl::SleepFor(absl::Nanoseconds(kLeastNs) + absl::Milliseconds(10));
    CRISP_ASSIGN_OR_RETURN(now, Take());
  }
  std::map<std::string, std::vector<ContainerUsage>> out;
  for (const auto& [id, sample] : now) {
    ContainerUsage usage{sample.name, 0, sample.memory_bytes};
    const auto found = before.find(id);
    if (found != before.end() && sample.at_ns > found->second.at_ns &&
        sample.cpu_ns >= found->second.cpu_ns) {
      const double used = static_cast<double>(sample.cpu_ns - found->second.cpu_ns);
      const double passed = static_cast<double>(sample.at_ns - found->second.at_ns);
      usage.cpu_nano_cores = static_cast<int64_t>(used / passed * 1e9);
    }
    out[sample.pod_uid].push_back(std::move(usage));
  }
  for (auto& [uid, containers] : out) {
    std::sort(containers.begin(), containers.end(),
              [](const ContainerUsage& a, const ContainerUsage& b) { return a.name < b.name; });
  }
  absl::MutexLock lock(&mu_);
  last_ = std::move(now);
  return out;
}

}  // namespace crisp::agent
