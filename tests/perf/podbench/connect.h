// A connection to a server's unix socket.
//
// Threads: a free function.
// Errors:  errno of connect; InvalidArgument for a path that does not fit.
#ifndef CRISP_TESTS_PERF_PODBENCH_CONNECT_H_
#define CRISP_TESTS_PERF_PODBENCH_CONNECT_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::podbench {

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_CONNECT_H_
