// The command line, whole: parse, do, report.
#ifndef CRISP_AGENT_CLI_H_
#define CRISP_AGENT_CLI_H_

#include <string>
#include <vector>

#include "agent/commands/session.h"
#include "base/clock.h"

namespace crisp::cli {

// Runs `crisp` with `args` (without the program's name); returns the exit code.
int RunCli(const std::vector<std::string>& args, Streams streams, Clock* clock);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_CLI_H_
