#include <unistd.h>

#include <csignal>
#include <iostream>

#include "agent/cli.h"

int main(int argc, char** argv) {
  // `crisp logs web | head` ends quietly.
  std::signal(SIGPIPE, SIG_DFL);
  std::ios::sync_with_stdio(false);
  return crisp::cli::RunCli(
      std::vector<std::string>(argv + 1, argv + argc),
      {std::cin, std::cout, std::cerr, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
      crisp::Clock::Real());
}
