// The RuntimeDefault seccomp profile: what a container may ask of the kernel. The
// common ground of today's runtimes, so that an image that works under another one
// works here, and never more than they allow.
//
// Threads: a free function.
#ifndef CRISP_CRI_SPEC_SECCOMP_DEFAULT_H_
#define CRISP_CRI_SPEC_SECCOMP_DEFAULT_H_

#include <cstdint>
#include <nlohmann/json.hpp>

namespace crisp::cri {

// OCI linux.seccomp for this machine's architecture. `capabilities` is the bounding
// set: calls that the kernel guards by a capability are open to those who have it.
// Names that this libseccomp does not know are still in it.
nlohmann::json DefaultSeccompProfile(uint64_t capabilities, int kernel_major, int kernel_minor);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SECCOMP_DEFAULT_H_
