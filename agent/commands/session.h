// What one run of the command line works with.
//
// Ownership: borrows the streams and the clock; owns the client, made on first use.
// Threads:   one.
#ifndef CRISP_AGENT_COMMANDS_SESSION_H_
#define CRISP_AGENT_COMMANDS_SESSION_H_

#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/cri_client.h"
#include "base/clock.h"

namespace crisp::agent {

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

class Session {
 public:
  Session(Streams streams, Clock* clock)
      : in(streams.in), out(streams.out), err(streams.err), clock(clock) {}

  CriClient& node() {
    if (client_ == nullptr) client_ = std::make_unique<CriClient>(address);
    return *client_;
  }

  // Prints "crisp: error: ..." on one line; the run then ends with 1. OK prints nothing.
  void Report(const absl::Status& status);

  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Clock* const clock;
  std::string address = CriClient::kDefaultAddress;
  std::vector<std::string> after_dashes;  // What stood after "--".
  int exit_code = 0;

 private:
  std::unique_ptr<CriClient> client_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_COMMANDS_SESSION_H_
