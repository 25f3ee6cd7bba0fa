// What a shim that serves crispd has written about the end of a task.
//
// Threads: a free function. Errors: NotFound without a record; InvalidArgument when
// it does not read back.
#ifndef CRISP_SHIM_CLIENT_EXIT_RECORD_H_
#define CRISP_SHIM_CLIENT_EXIT_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "shim/task/exit_record.h"

namespace crisp::shim {

// `directory`: the shim's.
absl::StatusOr<ExitRecord> ReadExitRecordOf(const std::string& directory, const std::string& id);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_CLIENT_EXIT_RECORD_H_
