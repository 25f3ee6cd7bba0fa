// One child process, run to its end under a deadline.
//
// The child gets exactly the argv, environment and stdin given, a process group
// of its own, and no descriptor of ours but 0, 1 and 2. At the deadline, and when
// its output outgrows the bound, the whole group is killed and reaped.
//
// Threads: safe; uses posix_spawn, not fork.
// Errors:  NotFound or errno when it cannot start; DeadlineExceeded;
//          ResourceExhausted when stdout is over `max_output_bytes`. A non-zero
//          exit is not an error here: see ProcessResult.
#ifndef CRISP_BASE_SUBPROCESS_H_
#define CRISP_BASE_SUBPROCESS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp {

struct ProcessSpec {
  std::vector<std::string> argv;         // argv[0] is an absolute path, unless:
  std::string program;                   // the file that is run; empty: argv[0].
  std::vector<std::string> environment;  // "KEY=value", nothing inherited.
  std::string stdin_data;
  absl::Duration timeout = absl::Seconds(60);
  size_t max_output_bytes = 1 << 20;  // stdout; stderr keeps its last 64 KiB.
};

struct ProcessResult {
  int exit_code = 0;  // 128 + signal when killed, as shells count.
  std::string out;
  std::string err;
};

absl::StatusOr<ProcessResult> RunProcess(const ProcessSpec& spec);

}  // namespace crisp

#endif  // CRISP_BASE_SUBPROCESS_H_
