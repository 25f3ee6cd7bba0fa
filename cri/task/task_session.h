// A person at a container: the streams of a process executed into it, or of its own
// init, in the hands of whoever carries them to the client.
//
// Ownership: a session owns its descriptors; what stdin(), stdout() and stderr() give
//            is borrowed, and nobody uses it when the session is destroyed.
//            Sessions are destroyed before the driver that made them.
//            Destroying one detaches, and never kills:
//              exec    the process's input ends; what it still writes is read and
//                      thrown away, so that it never waits for a reader that has gone.
//                      To end it, call Signal first.
//              attach  the container runs on. Its input ends only where TaskSpec says
//                      stdin_once, this session had the input, and it is no terminal.
// Threads:   safe. OnExit's callback runs on a thread of the driver's that must not
//            wait: it does not block and destroys no session.
// Errors:    as TaskDriver's.
// Crash:     the process lives on, its input at an end; output stops at the FIFO's
//            bound (exec), or flows on into the log (attach).
#ifndef CRISP_CRI_TASK_TASK_SESSION_H_
#define CRISP_CRI_TASK_TASK_SESSION_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::cri {

// Which streams a session has.
struct SessionStreams {
  bool stdin = false;
  bool stdout = false;
  bool stderr = false;    // Not with a terminal: all its output is stdout.
  bool terminal = false;  // Exec only: as the process says. Attach: as the task has it.
};

class TaskSession {
 public:
  virtual ~TaskSession() = default;

  // Non-blocking ends of pipes: stdin to write to, the others to read until their
  // end. -1: the session does not have the stream, or nobody reads that input any
  // more. Set once; they do not change before the destructor.
  virtual int stdin_fd() const = 0;
  virtual int stdout_fd() const = 0;
  virtual int stderr_fd() const = 0;

  // Gives the terminal its size. The newest of several sizes wins; nothing happens
  // without a terminal.
  virtual void Resize(uint32_t width, uint32_t height) = 0;

  // The client's input has ended: what was written is read first. An exec's process
  // sees the end of its input; an attached container only as with the destructor.
  // stdin_fd() may not be used any more. Idempotent.
  virtual void CloseStdin() = 0;

  // Called once with the exit code (128 + signal) of the process, or of the container
  // when attached; NotFound if nobody knows how it ended. At once, on the caller's
  // thread, if it has ended already; never after the destructor has begun to return.
  // Output may still be on its way. Set once.
  using ExitCallback = std::function<void(const absl::StatusOr<int>& exit_code)>;
  virtual void OnExit(ExitCallback callback) = 0;

  // Attached only: this reader was so far behind that output was dropped rather than
  // the container held up; its streams have ended. An exec is held up instead.
  virtual bool fell_behind() const { return false; }
};

class ExecSession : public TaskSession {
 public:
  // Sends `signal` to the process. OK if it has ended.
  virtual absl::Status Signal(int signal) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_TASK_SESSION_H_
