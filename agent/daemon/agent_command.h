// `crisp agent`: the agent in the foreground, until SIGTERM or SIGINT.
#ifndef CRISP_AGENT_DAEMON_AGENT_COMMAND_H_
#define CRISP_AGENT_DAEMON_AGENT_COMMAND_H_

#include <iosfwd>
#include <string>
#include <vector>

namespace crisp::agent {

// `args`: what follows `crisp agent`. Returns the exit code. To be called before there are
// threads: it blocks the signals that it waits for.
int RunAgent(const std::vector<std::string>& args, std::ostream& out, std::ostream& err);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_DAEMON_AGENT_COMMAND_H_
