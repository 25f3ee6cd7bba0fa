// The two forms of seccomp profile files, OCI's and Docker's, brought into OCI's.
//
// Docker's has an architecture map, one name a rule in old files, and rules that
// count only with or without a capability, an architecture or a kernel. They are
// decided here, for the machine and the container at hand.
//
// Threads: a free function.
// Errors:  InvalidArgument naming the key.
#ifndef CRISP_CRI_SPEC_SECCOMP_JSON_H_
#define CRISP_CRI_SPEC_SECCOMP_JSON_H_

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"

namespace crisp::cri {

struct SeccompSubject {
  uint64_t capabilities = 0;
  int kernel_major = 0;
  int kernel_minor = 0;
};

absl::StatusOr<nlohmann::json> NormalizeSeccomp(const nlohmann::json& profile,
                                                const SeccompSubject& subject);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SECCOMP_JSON_H_
