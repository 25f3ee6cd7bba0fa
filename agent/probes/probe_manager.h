// Probes of all containers: runs each at its times and keeps what came out.
//
// Kubernetes' rules: liveness and readiness wait for the startup probe; a result counts
// once it came `threshold` times in a row; a container is not ready before its readiness
// probe succeeded; after a liveness or startup probe has failed, nothing is asked any more,
// because the container is on its way out.
//
// One thread of timers and a pool that is as large as there are probes under way; what a
// probe costs is the probe. `changed` is called when a result changes, never else.
//
// Ownership: borrows runner, events and pool. Stop, or the destructor, ends all.
// Threads:   safe.
// Errors:    what fails is the container's health, and an event.
#ifndef CRISP_AGENT_PROBES_PROBE_MANAGER_H_
#define CRISP_AGENT_PROBES_PROBE_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/manifest/pod.h"
#include "agent/probes/probe_runner.h"
#include "base/clock.h"
#include "base/elastic_pool.h"
#include "base/timers.h"

namespace crisp::agent {

// A container that runs, and how its probes reach it.
struct ProbedContainer {
  ObjectPtr pod;  // For events.
  std::string pod_uid;
  bool init = false;
  ProbeTarget target;
  std::optional<Probe> liveness, readiness, startup;
  absl::Time started_at;
  // What is taken to be so until a probe says otherwise: true for one that was so when
  // another agent watched it.
  bool assume_started = false, assume_ready = false;
};

struct ProbeVerdict {
  bool started = true;
  bool ready = true;
  struct Unhealthy {
    std::string message;  // "Container web failed liveness probe"
    std::optional<absl::Duration> grace;
  };
  std::optional<Unhealthy> unhealthy;
};

class ProbeManager {
 public:
  using Changed = std::function<void(const std::string& pod_uid)>;
  ProbeManager(ProbeRunner* runner, EventRecorder* events, Clock* clock, ElasticPool* pool,
               Changed changed);
  ~ProbeManager() { Stop(); }
  ProbeManager(const ProbeManager&) = delete;
  ProbeManager& operator=(const ProbeManager&) = delete;

  // Begins to probe the container, if that has not begun, and tells how it is. Cheap.
  ProbeVerdict Watch(const ProbedContainer& container);
  // Ends the probes of the pod's containers that are not in `ids`.
  void KeepOnly(const std::string& pod_uid, const std::set<std::string>& ids);
  // Watch is not called any more.
  void Stop();

 private:
  enum class Kind { kStartup, kLiveness, kReadiness };
  struct Watched;
  struct Job {  // One probe of one container.
    std::shared_ptr<Watched> container;
    Kind kind;
    Probe probe;
    uint64_t timer = 0;
    int same = 0;  // The same result so many times in a row.
    std::optional<bool> last;
    std::optional<bool> result;  // That counts.
  };
  struct Watched {
    ProbedContainer about;
    std::map<Kind, std::shared_ptr<Job>> jobs;
    bool gone = false;
    bool unhealthy = false;
  };

  void Schedule(const std::shared_ptr<Job>& job, absl::Duration delay)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunOne(const std::shared_ptr<Job>& job);
  // True if the pod should hear of it.
  bool Settle(Job& job, bool success) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const Job& job, const ProbeOutcome& outcome);
  bool Wanted(const Job& job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ProbeVerdict VerdictOf(const Watched& container) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Drop(Timers* timers, Watched* container);
  static const char* NameOf(Kind kind);

  ProbeRunner& runner_;
  EventRecorder& events_;
  Clock& clock_;
  ElasticPool& pool_;
  const Changed changed_;
  mutable absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Watched>> containers_ ABSL_GUARDED_BY(mu_);  // By id.
  Timers timers_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PROBES_PROBE_MANAGER_H_
