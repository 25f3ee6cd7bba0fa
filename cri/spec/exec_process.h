// The OCI process of an exec: the container's own process with another command.
//
// Threads: a free function.
// Errors:  InvalidArgument for an empty command, an argument that is not UTF-8 or
//          holds NUL, or a spec without a process.
#ifndef CRISP_CRI_SPEC_EXEC_PROCESS_H_
#define CRISP_CRI_SPEC_EXEC_PROCESS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp::cri {

absl::StatusOr<nlohmann::json> BuildExecProcess(const nlohmann::json& container_spec,
                                                const std::vector<std::string>& argv, bool tty);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_EXEC_PROCESS_H_
