// What `crisp doctor` looks at on this machine itself: each check reads, and changes
// nothing.
//
// Threads: free functions.
#ifndef CRISP_AGENT_COMMANDS_NODE_CHECKS_H_
#define CRISP_AGENT_COMMANDS_NODE_CHECKS_H_

#include <string>
#include <vector>

namespace crisp::cli {

struct Check {
  enum class Level { kOk, kWarn, kFail };
  Level level = Level::kOk;
  std::string name;
  std::string found;
  std::string advice;  // What to do; empty with kOk.
};

// Where things are; tests point them elsewhere.
struct NodePaths {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
  std::string cni_conf = "/etc/cni/net.d";
  std::vector<std::string> cni_bin = {"/opt/cni/bin", "/usr/lib/cni"};
  std::string data = "/var/lib/crisp";
  std::vector<std::string> path = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"};
};

std::vector<Check> CheckNode(const NodePaths& paths);

// "6.1.0-18-amd64" is 5.14 or newer, "5.10.0" is not.
bool KernelIsNewEnough(const std::string& release);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_NODE_CHECKS_H_
