// OCI linux.seccomp through libseccomp: a profile becomes a filter for the kernel.
//
// Threads: free functions; libseccomp's state is per call.
// Errors:  InvalidArgument naming the part of the profile that is wrong; a key that is
//          not implemented is wrong too.
#ifndef CRISP_SECCOMP_FILTER_H_
#define CRISP_SECCOMP_FILTER_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp {

// The profile as a classic BPF program (struct sock_filter[]). Arguments that a
// rule conditions twice are alternatives, as OCI runtimes read them. Calls newer than
// all that the profile names get ENOSYS, unless what it does not name is allowed.
absl::StatusOr<std::string> CompileSeccomp(const nlohmann::json& profile);

// Its "flags" as seccomp(2) takes them (SECCOMP_FILTER_FLAG_*).
absl::StatusOr<unsigned> SeccompFlags(const nlohmann::json& profile);

// `profile` without the calls that this libseccomp has no number for: they cannot
// be filtered by name, and a runtime would drop them in silence.
nlohmann::json WithoutUnknownCalls(const nlohmann::json& profile);

// What a profile may name, for who asks what this runtime can do; sorted.
std::vector<std::string> SeccompActionNames();
std::vector<std::string> SeccompOperatorNames();

}  // namespace crisp

#endif  // CRISP_SECCOMP_FILTER_H_
