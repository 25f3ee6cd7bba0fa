// OCI runtime specs from JSON.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the field. A field that this launcher does not carry
//          out is an error, as is one that no specification knows: a container never
//          runs with less than was asked for in silence.
#ifndef CRISP_SHIM_LAUNCH_SPEC_READER_H_
#define CRISP_SHIM_LAUNCH_SPEC_READER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

absl::StatusOr<Spec> ParseSpec(absl::string_view json);

// An OCI Process, as an exec gets it.
absl::StatusOr<Process> ParseProcess(absl::string_view json);

// The hooks object alone, as ContainerFacts keep it.
absl::StatusOr<Hooks> ParseHooks(const nlohmann::json& json);

// What a spec may name, for who asks what this runtime can do.
std::vector<std::string> HookNames();
std::vector<std::string> NamespaceNames();

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SPEC_READER_H_
