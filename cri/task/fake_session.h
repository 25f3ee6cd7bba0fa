// A session in memory, and the process at its other end, which a test plays: it reads
// what the client typed, writes what the client shall see, and exits.
//
// Ownership: the process is shared by the test and the session; each closes its own
//            ends of the pipes.
// Threads:   safe.
#ifndef CRISP_CRI_TASK_FAKE_SESSION_H_
#define CRISP_CRI_TASK_FAKE_SESSION_H_

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "cri/task/exit_notice.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

class FakeProcess {
 public:
  explicit FakeProcess(const SessionStreams& streams) : streams_(streams) {
    if (streams.stdin) Pipe(&stdin, &session_stdin);
    if (streams.stdout) Pipe(&session_stdout, &stdout);
    if (streams.stderr) Pipe(&session_stderr, &stderr);
  }

  const SessionStreams& streams() const { return streams_; }

  // The process's own ends; blocking.
  UniqueFd stdin;   // Read.
  UniqueFd stdout;  // Write.
  UniqueFd stderr;  // Write.

  // Ends the process: its outputs are closed, then the exit is told.
  void Exit(const absl::StatusOr<int>& exit_code) {
    stdout.reset();
    stderr.reset();
    notice_.Tell(exit_code);
  }

  void set_fell_behind() {
    absl::MutexLock lock(&mu_);
    fell_behind_ = true;
  }

  // What the session was asked: "resize 80x24", "close stdin", "signal 1", "destroyed".
  std::vector<std::string> calls() const {
    absl::MutexLock lock(&mu_);
    return calls_;
  }

 private:
  friend class FakeSession;

  static void Pipe(UniqueFd* read, UniqueFd* write) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    read->reset(ends[0]);
    write->reset(ends[1]);
  }
  void Called(std::string call) {
    absl::MutexLock lock(&mu_);
    calls_.push_back(std::move(call));
  }

  const SessionStreams streams_;
  UniqueFd session_stdin, session_stdout, session_stderr;  // Until a session takes them.
  ExitNotice notice_;
  mutable absl::Mutex mu_;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  bool fell_behind_ ABSL_GUARDED_BY(mu_) = false;
};

// Both kinds: what differs is the process's to see.
class FakeSession : public ExecSession {
 public:
  explicit FakeSession(std::shared_ptr<FakeProcess> process)
      : process_(std::move(process)),
        stdin_(std::move(process_->session_stdin)),
        stdout_(std::move(process_->session_stdout)),
        stderr_(std::move(process_->session_stderr)),
        stdin_fd_(stdin_.get()) {
    for (const int fd : {stdin_.get(), stdout_.get(), stderr_.get()}) {
      if (fd >= 0) (void)::fcntl(fd, F_SETFL, O_NONBLOCK);
    }
  }
  ~FakeSession() override {
    process_->notice_.Forget();
    CloseStdin();
    process_->Called("destroyed");
  }

  int stdin_fd() const override { return stdin_fd_; }
  int stdout_fd() const override { return stdout_.get(); }
  int stderr_fd() const override { return stderr_.get(); }
  void Resize(uint32_t width, uint32_t height) override {
    process_->Called("resize " + std::to_string(width) + "x" + std::to_string(height));
  }
  void CloseStdin() override {
    absl::MutexLock lock(&process_->mu_);
    if (!stdin_.ok()) return;
    stdin_.reset();
    process_->calls_.push_back("close stdin");
  }
  void OnExit(ExitCallback callback) override { process_->notice_.OnExit(std::move(callback)); }
  absl::Status Signal(int signal) override {
    process_->Called("signal " + std::to_string(signal));
    return absl::OkStatus();
  }
  bool fell_behind() const override {
    absl::MutexLock lock(&process_->mu_);
    return process_->fell_behind_;
  }

 private:
  const std::shared_ptr<FakeProcess> process_;
  UniqueFd stdin_;
  const UniqueFd stdout_, stderr_;
  const int stdin_fd_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_FAKE_SESSION_H_
