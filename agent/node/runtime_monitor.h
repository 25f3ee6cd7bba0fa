// Whether the container runtime is there, and which one it is.
//
// Asks it every few seconds, on a thread of its own; between two questions it may have
// come and gone.
//
// Ownership: borrows the client.
// Threads:   info() from any; the listener is called on the monitor's thread after every
//            question, first before Start returns.
// Errors:    why the runtime is away, in info().
#ifndef CRISP_AGENT_NODE_RUNTIME_MONITOR_H_
#define CRISP_AGENT_NODE_RUNTIME_MONITOR_H_

#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace crisp::agent {

class CriClient;

struct RuntimeInfo {
  std::string name, version;  // As CRI's Version says; empty while it is away.
  std::string error;          // Why it is away, or says that it is not ready; else empty.
  bool away = true;
  bool volumes = false;  // It has crisp.volumes.v1.
};

class RuntimeMonitor {
 public:
  using Listener = std::function<void(const RuntimeInfo&)>;

  explicit RuntimeMonitor(CriClient* client) : client_(client) {}
  ~RuntimeMonitor();

  void Start(Listener listener);
  void Stop();

  RuntimeInfo info() const;

 private:
  RuntimeInfo Ask();
  void Watch();

  CriClient* const client_;
  Listener listener_;
  mutable absl::Mutex mu_;
  RuntimeInfo info_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_NODE_RUNTIME_MONITOR_H_
