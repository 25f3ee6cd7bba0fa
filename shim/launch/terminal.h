// A container's terminal, from its own devpts.
//
// Ownership: the caller owns both ends.
// Threads:   single-threaded.
// Errors:    errno kept; FailedPrecondition when what is at /dev/pts is no devpts.
#ifndef CRISP_SHIM_LAUNCH_TERMINAL_H_
#define CRISP_SHIM_LAUNCH_TERMINAL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/root_dir.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

struct Terminal {
  UniqueFd master;
  UniqueFd slave;
};

absl::StatusOr<Terminal> OpenTerminal(const RootDir& root, const Process& process);

// Puts the terminal at /dev/console, which it makes if need be.
absl::Status BindConsole(const RootDir& root, const Terminal& terminal);

// The caller's standard streams and controlling terminal, in a session of its own.
absl::Status UseTerminal(const UniqueFd& slave);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_TERMINAL_H_
