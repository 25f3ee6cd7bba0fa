// How a container's init ended, on disk: written before anybody is told, so that no exit
// code is lost with the shim or with who should have listened.
//
// One JSON object: {"pid":12,"exit_code":137,"exited_at_ns":1700000000000000000,
// "oom_killed":true}, in <bundle>/exit.json for containerd, in <state>/exits/<id>.json
// for crispd.
//
// Threads: free functions.
// Errors:  errno; NotFound from Read when there is no record, InvalidArgument when it
//          does not read back.
// Crash:   written by rename: whole or not at all. Not fsynced: containers do not
//          survive a reboot.
#ifndef CRISP_SHIM_TASK_EXIT_RECORD_H_
#define CRISP_SHIM_TASK_EXIT_RECORD_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::shim {

struct ExitRecord {
  pid_t pid = 0;
  int exit_code = 0;  // 128 + signal for a death by signal.
  absl::Time exited_at;
  bool oom_killed = false;
};

absl::Status WriteExitRecord(const std::string& path, const ExitRecord& record);
absl::StatusOr<ExitRecord> ReadExitRecord(const std::string& path);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_EXIT_RECORD_H_
