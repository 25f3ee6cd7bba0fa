#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "agent/cli.h"
#include "agent/daemon/agent_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  // First of all: it must be alone to block signals.
  if (!args.empty() && args[0] == "agent") {
    return crisp::agent::RunAgent({args.begin() + 1, args.end()}, std::cout, std::cerr);
  }
  // `crisp logs web | head` ends quietly.
  std::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  return crisp::cli::RunCli(
      args, {std::cin, std::cout, std::cerr, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
      crisp::Clock::Real());
}
