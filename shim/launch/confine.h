// What a process becomes before it is the container's program: limits, scheduling,
// user, working directory. Each is one step of init.cc.
//
// Threads: free functions that change the calling, single-threaded process.
// Errors:  errno kept, naming the field.
#ifndef CRISP_SHIM_LAUNCH_CONFINE_H_
#define CRISP_SHIM_LAUNCH_CONFINE_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// By the worker, who still has the host's privileges, to the waiting init: hard limits
// that are above what it has, and the OOM score. What the host forbids stays as it is.
absl::Status RaiseLimits(pid_t pid, const Process& process);

// By init: exactly the limits, or the nearest that it may have.
absl::Status SetLimits(const Process& process);

// Scheduler, I/O priority, and the CPUs of before and after execve.
absl::Status SetScheduling(const Process& process);
absl::Status SetFinalAffinity(const Process& process);

// Groups, ids and umask. Capabilities survive with DropBounding before it.
absl::Status BecomeUser(const User& user);

absl::Status EnterWorkingDirectory(const std::string& cwd);
// Where we are can be reached from the container's root. A path can lead out through a
// descriptor of a directory outside.
absl::Status CheckWorkingDirectory();

// 0, 1 and 2 belong to the user from now on, if they are pipes, sockets or terminals.
absl::Status GiveStreams(const User& user);

// The environment with HOME from /etc/passwd, unless there is one.
std::vector<std::string> CompleteEnvironment(const Process& process);

// The file that execve gets: args[0], looked up in PATH of the environment.
absl::StatusOr<std::string> FindProgram(const Process& process);

// A session keyring of its own, so that the shim's keys are not shared.
absl::Status MakeKeyring(const std::string& id);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_CONFINE_H_
