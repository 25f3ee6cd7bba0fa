// ContainerFacts::exec_facts: what an exec shares with its container, as bytes that
// the shim keeps and never reads.
#ifndef CRISP_SHIM_LAUNCH_FACTS_H_
#define CRISP_SHIM_LAUNCH_FACTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "shim/launch/launch.h"

namespace crisp::shim {

struct ExecFacts {
  uint32_t namespaces = 0;  // CLONE_NEW*: what the container does not share with us.
  std::string seccomp_key;  // In the cache, or else the program itself.
  std::string seccomp_program;
  uint32_t seccomp_flags = 0;
  bool own_keyring = true;

  std::string Encode() const;
  static absl::StatusOr<ExecFacts> Decode(const std::string& bytes);
};

// ContainerFacts as the body of kCreated.
std::string EncodeFacts(const ContainerFacts& facts);
absl::StatusOr<ContainerFacts> DecodeFacts(const std::string& bytes);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_FACTS_H_
