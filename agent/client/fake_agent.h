// An agent for tests of the command line: the real protocol on a unix socket, objects in
// memory, nothing carried out. The same socket answers the few calls of CRI that the
// command line makes.
//
// Ownership: owns its server and directory. Threads: safe.
#ifndef CRISP_AGENT_CLIENT_FAKE_AGENT_H_
#define CRISP_AGENT_CLIENT_FAKE_AGENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/client/agent_client.h"
#include "agent/client/runtime_client.h"

namespace crisp::cli {

class FakeAgent {
 public:
  FakeAgent();
  ~FakeAgent();

  std::string address() const;
  const std::string& directory() const;

  // As if it had been applied, and as its controller would leave it.
  void Add(Json object);
  void Change(const ObjectRef& ref, const std::function<void(Json&)>& change);
  void Remove(const ObjectRef& ref);
  // Null if there is none.
  Json Find(const ObjectRef& ref) const;

  // What ResolvePod answers for a pod of namespace default; its container is the first
  // unless the caller names one.
  void SetInstances(const std::string& pod, const ResolvedPod& instances);
  void SetStats(const std::vector<PodUsage>& stats);
  void SetStreamUrl(const std::string& url);

  // Ends every call and answers no more.
  void Stop();

  // A deleted pod stays, marked, until Remove.
  void KeepDeleted();
  // Names of RPCs, in order; "Delete pod web grace=0" and the like for those that
  // matter to tests.
  std::vector<std::string> calls() const;
  CommandStreamRequest last_stream() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_CLIENT_FAKE_AGENT_H_
