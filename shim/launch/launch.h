// A container's init, or a process beside it, from a spec to execve.
//
//   shim ──fork──▶ worker            parses the spec, makes the cgroup, takes host
//     │              │               mounts, writes id maps, runs hooks
//     │              └─clone3(CLONE_PARENT|namespaces|CLONE_INTO_CGROUP)─▶ init
//     │                                joins and makes namespaces, mounts, confines
//     │                                itself, waits for Start, execs
//     └◀── typed socket: created(pid, pidfd, console) · failed(step, errno, text)
//
// The worker is a fork of the single-threaded shim: what parsing and mounting allocate
// goes with it, and the shim's loop never waits. Init is the shim's own child.
//
// Ownership: a Launch owns its socket. Dropped before kCreated was taken, it takes back
//            what it launched. Descriptors given in a request are borrowed for the call
//            of Begin only.
// Threads:   the shim's one thread, and no other: Begin forks.
// Errors:    the Status of a failure reads "<step>: <what>: <errno text>" and keeps
//            errno; InvalidArgument names the spec's field. A launch that fails before
//            kCreated leaves no process, cgroup or mount; one that fails later (its
//            execve, say) has ended its init, and the cgroup is BeginTeardown's.
// Crash:     a shim that dies before kCreated: the worker finds its socket closed and
//            takes back what it made. Before Start: init exits. Afterwards it stays.
#ifndef CRISP_SHIM_LAUNCH_LAUNCH_H_
#define CRISP_SHIM_LAUNCH_LAUNCH_H_

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

struct RootfsMount {
  std::string type;
  std::string source;
  std::string target;  // Below the root; usually empty.
  std::vector<std::string> options;
};

// What both kinds of process have in common.
struct ProcessStreams {
  // The process's 0, 1 and 2; -1: /dev/null. Ignored with a terminal.
  std::array<int, 3> fds = {-1, -1, -1};
  bool terminal = false;  // Overrides the spec's process.terminal.
};

struct ContainerLaunch {
  std::string id;
  std::string bundle;     // Absolute directory; root.path may be relative to it. May be empty.
  std::string spec_json;  // OCI runtime spec.
  std::vector<RootfsMount> rootfs;  // Mounted as the root. Empty: root.path is ready.
  ProcessStreams streams;
  // A process whose mount namespace the container's is made from (pause's); 0: ours.
  pid_t mounts_from = 0;
  // Mount options of crisp's own are honoured (docs/shim.md): only from crispd.
  bool crisp_options = false;
  std::string cache_dir;       // Compiled seccomp filters; 0700. Empty: no cache.
  bool no_pivot_root = false;  // From containerd's runc options.
  bool no_new_keyring = false;
};

// What an exec needs to know of the container it joins; made by the worker of its
// launch, kept by the shim, small.
struct ContainerFacts {
  pid_t pid = 0;
  std::string cgroup_path;  // From the root of the hierarchies; empty: none.
  bool private_pid_namespace = false;
  // Hooks still to run: JSON of hooks.poststart and hooks.poststop, and the OCI state's
  // constant part; empty: none.
  std::string hooks_json;
  // Confinement that an exec shares: linux.seccomp as a cache key or inline filter,
  // rootfs propagation, user mappings... opaque to the shim.
  std::string exec_facts;
};

struct ExecLaunch {
  std::string container_id;
  std::string process_json;  // OCI Process.
  ContainerFacts container;
  ProcessStreams streams;
  std::string cache_dir;
};

class Launch {
 public:
  static absl::StatusOr<std::unique_ptr<Launch>> Begin(const ContainerLaunch& request);
  static absl::StatusOr<std::unique_ptr<Launch>> Begin(const ExecLaunch& request);
  virtual ~Launch() = default;

  enum class Stage {
    kPreparing,  // Wait for fd() to be readable and call Advance again.
    kCreated,    // Init waits for Start (an exec starts at once and skips this).
    kRunning,    // The program runs: its execve succeeded.
  };

  // Readable when there is news.
  virtual int fd() const = 0;

  // Takes what news there is, without blocking. An error means that the launch failed
  // and is over; what it made is gone but for zombies that the shim reaps. Before the
  // shim reaps children it calls this on all launches: the news of a process comes
  // before its end. Children whose pids no Launch tells of are reaped and forgotten.
  virtual absl::StatusOr<Stage> Advance() = 0;

  // After kCreated: lets init go on to execve. Does not block; Advance tells the result.
  virtual absl::Status Start() = 0;

  // From kCreated on; an exec's facts are its container's, with its own pid. pid() of an
  // exec is known from the first Advance that finds it, while the stage is kPreparing.
  virtual const ContainerFacts& facts() const = 0;
  virtual pid_t pid() const = 0;
  virtual UniqueFd TakeConsole() = 0;  // The terminal's master; none without a terminal.

  // The worker, as long as it is there: the shim reaps it like any child.
  virtual pid_t worker() const = 0;
};

// After kRunning: runs poststart hooks in a worker of their own, whose pid is returned; 0
// if there are none. A hook that fails has no effect on the container.
absl::StatusOr<pid_t> BeginPoststart(const ContainerFacts& facts, const std::string& bundle);

// After init has been reaped and before the task is forgotten: runs poststop hooks in
// a worker of their own and removes the cgroup with whatever is still in it. Returns the
// worker's pid; its exit code is 0 when all went well.
absl::StatusOr<pid_t> BeginTeardown(const ContainerFacts& facts, const std::string& bundle);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_LAUNCH_H_
