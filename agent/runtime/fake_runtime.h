// A container runtime for tests: memory and nothing else.
//
// Containers run until they are stopped, exit by a call of the test, or at once if the
// test said so. It may lose everything, go away and come back, as runtimes do.
//
// Threads: safe.
#ifndef CRISP_AGENT_RUNTIME_FAKE_RUNTIME_H_
#define CRISP_AGENT_RUNTIME_FAKE_RUNTIME_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/runtime/pod_runtime.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::agent {

// The node behind the runtime: it outlives connections, as a real one does.
class FakeNodeState {
 public:
  FakeNodeState() = default;

  std::unique_ptr<PodRuntime> Connect();

  void AddImage(const std::string& image);
  // The registry gives images to nobody else.
  void NeedsLogin(const RegistryCredentials& credentials);
  // Containers of that name exit with `code` as soon as they are started.
  void ExitsAtOnce(const std::string& container, int code);
  void RunsAgain(const std::string& container);
  // Calls of that name fail from now on; OK ends it.
  void Fail(const std::string& call, absl::Status status);
  void SetExec(std::function<absl::StatusOr<ExecResult>(const std::string& container)> exec);
  void SetEvents(bool has);
  void SetVolumes(bool has);
  // Of pods of that handler; "" is the default one's name.
  void SetUserNamespaces(const std::string& handler, bool has);
  void SetAway(bool away);

  // The running container of that name ends.
  void Exit(const std::string& container, int code, const std::string& reason = "");
  void StopSandboxes();   // As when their processes die.
  void LoseEverything();  // A reboot with a wiped state directory.
  void SetStartedAt(const std::string& container, absl::Time at);

  // "RunPodSandbox", "CreateContainer:web:0", "StartContainer:web", "StopContainer:web:30" ...
  std::vector<std::string> calls() const;
  size_t CountCalls(const std::string& prefix) const;
  size_t sandbox_count() const;
  size_t Running(const std::string& container) const;
  runtime::v1::ContainerConfig config(const std::string& container) const;  // The newest.
  runtime::v1::PodSandboxConfig sandbox_config() const;                     // The newest.

 private:
  friend class FakeRuntime;
  struct Box {
    SandboxState state;
    runtime::v1::PodSandboxConfig config;
  };
  struct Held {
    ContainerState state;
    runtime::v1::ContainerConfig config;
    std::string uid;
  };

  absl::Status Enter(const std::string& call, const std::string& detail = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const std::string& uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(Held& container, int code, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RuntimePod PodOf(const std::string& uid) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::map<std::string, Box> boxes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Held> containers_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> images_ ABSL_GUARDED_BY(mu_);
  RegistryCredentials login_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> exits_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, absl::Status> failures_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, bool> user_namespaces_ ABSL_GUARDED_BY(mu_) = {{"", true}};
  std::function<absl::StatusOr<ExecResult>(const std::string&)> exec_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);  // Of the one subscriber.
  bool has_events_ ABSL_GUARDED_BY(mu_) = true;
  bool has_volumes_ ABSL_GUARDED_BY(mu_) = true;
  bool away_ ABSL_GUARDED_BY(mu_) = false;
  int next_id_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_FAKE_RUNTIME_H_
