// What the agent knows of the machine that it runs on.
#ifndef CRISP_AGENT_NODE_FACTS_H_
#define CRISP_AGENT_NODE_FACTS_H_

#include <cstdint>
#include <string>

namespace crisp::agent {

// Of a node at once, as kubelet has it.
inline constexpr int kMaxPods = 110;

struct NodeFacts {
  std::string name;         // The hostname, in lower case.
  std::string ip;           // The first address that is not loopback, or "".
  std::string resolv_conf;  // /etc/resolv.conf
  int64_t memory_bytes = 0;
  int64_t cpus = 0;
};

// Reads them; what cannot be read stays empty.
NodeFacts ReadNodeFacts();

}  // namespace crisp::agent

#endif  // CRISP_AGENT_NODE_FACTS_H_
