#include "agent/probes/probe_manager.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

namespace crisp::agent {
namespace {

absl::Duration PeriodOf(const Probe& probe) { return absl::Seconds(probe.period_seconds); }

}  // namespace

ProbeManager::ProbeManager(ProbeRunner* runner, EventRecorder* events, Clock* clock,
                           ElasticPool* pool, Changed changed)
    : runner_(*runner),
      events_(*events),
      clock_(*clock),
      pool_(*pool),
      changed_(std::move(changed)) {}

void ProbeManager::Stop() {
  timers_.Stop();
  absl::MutexLock lock(&mu_);
  // Jobs and their container hold each other.
  for (auto& [id, container] : containers_) {
    container->gone = true;
    container->jobs.clear();
  }
  containers_.clear();
}

const char* ProbeManager::NameOf(Kind kind) {
  switch (kind) {
    case Kind::kStartup:
      return "Startup";
    case Kind::kLiveness:
      return "Liveness";
    case Kind::kReadiness:
      return "Readiness";
  }
  return "";
}

ProbeVerdict ProbeManager::Watch(const ProbedContainer& container) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Watched>& watched = containers_[container.target.container_id];
  if (watched != nullptr) return VerdictOf(*watched);
  watched = std::make_shared<Watched>();
  watched->about = container;
  const absl::Duration age = std::max(clock_.Now() - container.started_at, absl::ZeroDuration());
  const auto add = [&](Kind kind, const std::optional<Probe>& probe, std::optional<bool> result) {
    if (!probe.has_value()) return;
    auto job = std::make_shared<Job>();
    job->container = watched;
    job->kind = kind;
    job->probe = *probe;
    job->result = result;
    watched->jobs[kind] = job;
  };
  add(Kind::kStartup, container.startup,
      container.assume_started ? std::optional<bool>(true) : std::nullopt);
  add(Kind::kLiveness, container.liveness, true);
  add(Kind::kReadiness, container.readiness, container.assume_ready);
  for (auto& [kind, job] : watched->jobs) {
    if (!Wanted(*job)) continue;
    absl::Duration delay = absl::Seconds(job->probe.initial_delay_seconds) - age;
    if (age > PeriodOf(job->probe) && delay <= absl::ZeroDuration()) {
      // Found running, maybe with a hundred others: not all in the same moment.
      const size_t spread = absl::HashOf(container.target.container_id, static_cast<int>(kind));
      delay = PeriodOf(job->probe) * static_cast<double>(spread % 1000) / 1000;
    }
    Schedule(job, delay);
  }
  return VerdictOf(*watched);
}

void ProbeManager::KeepOnly(const std::string& pod_uid, const std::set<std::string>& ids) {
  absl::MutexLock lock(&mu_);
  for (auto it = containers_.begin(); it != containers_.end();) {
    if (it->second->about.pod_uid != pod_uid || ids.count(it->first) > 0) {
      ++it;
      continue;
    }
    it->second->gone = true;
    Drop(&timers_, it->second.get());
    // Jobs and their container hold each other.
    it->second->jobs.clear();
    it = containers_.erase(it);
  }
}

void ProbeManager::Drop(Timers* timers, Watched* container) {
  for (auto& [kind, job] : container->jobs) timers->Cancel(job->timer);
}

// Is this probe to be asked (again)?
bool ProbeManager::Wanted(const Job& job) const {
  const Watched& container = *job.container;
  if (container.gone || container.unhealthy) return false;
  const auto startup = container.jobs.find(Kind::kStartup);
  const bool started = startup == container.jobs.end() || startup->second->result.value_or(false);
  return (job.kind == Kind::kStartup) != started;
}

void ProbeManager::Schedule(const std::shared_ptr<Job>& job, absl::Duration delay) {
  job->timer = timers_.After(delay, [this, job] { pool_.Post([this, job] { RunOne(job); }); });
}

void ProbeManager::RunOne(const std::shared_ptr<Job>& job) {
  ProbeTarget target;
  Probe probe;
  {
    absl::MutexLock lock(&mu_);
    if (!Wanted(*job)) return;
    target = job->container->about.target;
    probe = job->probe;
  }
  const absl::Duration begun = clock_.Steady();
  const ProbeOutcome outcome = runner_.Run(target, probe);
  bool tell = false, wanted = false;
  {
    absl::MutexLock lock(&mu_);
    // What it said of a container that is on its way out counts for nothing.
    wanted = Wanted(*job);
    if (wanted && outcome.result != ProbeOutcome::Result::kError) {
      tell = Settle(*job, outcome.result != ProbeOutcome::Result::kFailure);
    }
    if (Wanted(*job)) {
      Schedule(job, std::max(PeriodOf(probe) - (clock_.Steady() - begun), absl::ZeroDuration()));
    }
  }
  if (!wanted) return;
  Tell(*job, outcome);
  if (tell) changed_(job->container->about.pod_uid);
}

bool ProbeManager::Settle(Job& job, bool success) {
  job.same = job.last == success ? job.same + 1 : 1;
  job.last = success;
  const int threshold = success ? job.probe.success_threshold : job.probe.failure_threshold;
  if (job.same < threshold || job.result == success) return false;
  job.result = success;
  if (job.kind == Kind::kReadiness) return true;
  if (!success) {
    job.container->unhealthy = true;
    Drop(&timers_, job.container.get());
    return true;
  }
  // Started: now the others begin.
  const absl::Duration age = clock_.Now() - job.container->about.started_at;
  for (auto& [kind, other] : job.container->jobs) {
    if (kind == Kind::kStartup) continue;
    Schedule(other, absl::Seconds(other->probe.initial_delay_seconds) - age);
  }
  return true;
}

void ProbeManager::Tell(const Job& job, const ProbeOutcome& outcome) {
  const ProbedContainer& about = job.container->about;
  const std::string where = absl::StrCat(about.init ? "spec.initContainers{" : "spec.containers{",
                                         about.target.container_name, "}");
  const char* name = NameOf(job.kind);
  using Result = ProbeOutcome::Result;
  switch (outcome.result) {
    case Result::kSuccess:
      return;
    case Result::kWarning:
      return events_.Record(*about.pod, EventType::kWarning, "ProbeWarning",
                            absl::StrCat(name, " probe warning: ", outcome.output), where);
    case Result::kFailure:
      return events_.Record(*about.pod, EventType::kWarning, "Unhealthy",
                            absl::StrCat(name, " probe failed: ", outcome.output), where);
    case Result::kError:
      return events_.Record(*about.pod, EventType::kWarning, "Unhealthy",
                            absl::StrCat(name, " probe errored: ", outcome.output), where);
  }
}

ProbeVerdict ProbeManager::VerdictOf(const Watched& container) const {
  ProbeVerdict out;
  for (const auto& [kind, job] : container.jobs) {
    const bool good = job->result.value_or(false);
    if (kind == Kind::kStartup) out.started = good;
    if (kind == Kind::kReadiness) out.ready = good;
    if (kind == Kind::kReadiness || !container.unhealthy || job->result != false) continue;
    ProbeVerdict::Unhealthy why;
    why.message = absl::StrCat("Container ", container.about.target.container_name, " failed ",
                               kind == Kind::kLiveness ? "liveness" : "startup", " probe");
    if (job->probe.termination_grace_period_seconds.has_value()) {
      why.grace = absl::Seconds(*job->probe.termination_grace_period_seconds);
    }
    out.unhealthy = std::move(why);
  }
  return out;
}

}  // namespace crisp::agent
