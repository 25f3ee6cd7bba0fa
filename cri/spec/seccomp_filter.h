// OCI linux.seccomp through libseccomp: is it a filter that the kernel would take?
//
// Threads: free functions; libseccomp's state is per call.
// Errors:  InvalidArgument naming the part of the profile that is wrong.
#ifndef CRISP_CRI_SPEC_SECCOMP_FILTER_H_
#define CRISP_CRI_SPEC_SECCOMP_FILTER_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

// The profile as a classic BPF program (struct sock_filter[]). Arguments that a
// rule conditions twice are alternatives, as OCI runtimes read them.
absl::StatusOr<std::string> CompileSeccomp(const nlohmann::json& profile);

// `profile` without the calls that this libseccomp has no number for: they cannot
// be filtered by name, and a runtime would drop them in silence.
nlohmann::json WithoutUnknownCalls(const nlohmann::json& profile);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SECCOMP_FILTER_H_
