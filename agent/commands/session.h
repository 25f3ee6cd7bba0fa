// What one run of the command line works with.
//
// Ownership: borrows the streams and the clock; owns the clients, made on first use.
// Threads:   one; a verb that starts others says which of this they may touch.
#ifndef CRISP_AGENT_COMMANDS_SESSION_H_
#define CRISP_AGENT_COMMANDS_SESSION_H_

#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/client/agent_client.h"
#include "agent/client/runtime_client.h"
#include "base/clock.h"

namespace crisp::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  // What exec and attach read keys from, and ask whether it is a terminal; -1: none.
  int in_fd = -1;
  // Asked only whether they are terminals.
  int out_fd = -1;
  int err_fd = -1;
};

class Session {
 public:
  Session(Streams streams, Clock* clock);
  ~Session();

  AgentClient& agent();
  // The runtime that the agent works with, unless the command line names one.
  absl::StatusOr<RuntimeClient*> runtime();

  bool IsTerminal(int fd) const;

  // "default" for an empty one.
  static std::string NamespaceOr(const std::string& ns) { return ns.empty() ? "default" : ns; }

  // Prints the error on one line, in kubectl's words; the run then ends with 1. OK
  // prints nothing.
  void Report(const absl::Status& status);
  void Warn(const std::string& text);

  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  const Streams streams;
  Clock* const clock;
  std::string agent_address = AgentClient::kDefaultAddress;
  std::string runtime_address;            // Empty: the agent's.
  std::vector<std::string> after_dashes;  // What stood after "--".
  int exit_code = 0;

 private:
  std::unique_ptr<AgentClient> agent_;
  std::unique_ptr<RuntimeClient> runtime_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_SESSION_H_
