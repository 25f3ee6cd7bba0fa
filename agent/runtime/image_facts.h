// What an image is to the containers made from it (CRI's ImageStatus).
#ifndef CRISP_AGENT_RUNTIME_IMAGE_FACTS_H_
#define CRISP_AGENT_RUNTIME_IMAGE_FACTS_H_

#include <cstdint>
#include <string>

namespace crisp::agent {

struct ImageFacts {
  std::string id;
  bool has_uid = false;
  int64_t uid = 0;
  std::string username;
  uint64_t size_bytes = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_IMAGE_FACTS_H_
