// The streams of one process: what it is given as 0, 1 and 2, and where those lead.
//
// Ownership: owns the shim's ends of everything. The process's ends are owned until
//            CloseChildEnds, after the launch has taken its copies.
// Threads:   the loop's.
// Errors:    errno from the Make functions. Once it runs nothing fails: a stream that
//            breaks has ended.
#ifndef CRISP_SHIM_IO_PROCESS_IO_H_
#define CRISP_SHIM_IO_PROCESS_IO_H_

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/io/capture.h"
#include "shim/io/container_log.h"
#include "shim/io/fd_sink.h"
#include "shim/io/logger_binary.h"
#include "shim/io/sink.h"
#include "shim/io/source.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class ProcessIo {
 public:
  ProcessIo(Loop* loop, bool terminal) : loop_(loop), terminal_(terminal) {}
  ~ProcessIo();
  ProcessIo(const ProcessIo&) = delete;
  ProcessIo& operator=(const ProcessIo&) = delete;

  bool terminal() const { return terminal_; }

  // --- Made of these, before the launch.

  // Output of a stream; with a terminal only stdout has one, and it comes from there.
  absl::Status AddOutput(LogStream stream, std::unique_ptr<Sink> sink);
  // Both streams to a log that also takes attached readers.
  absl::Status AddLog(std::unique_ptr<ContainerLog> log);
  // Memory, for the caller to read once drained.
  absl::StatusOr<Capture*> AddCapture(LogStream stream, size_t max_bytes);
  // The process's own end of an output is made by somebody else.
  void SetChildOutput(LogStream stream, UniqueFd fd);
  void SetLogger(std::unique_ptr<LoggerBinary> logger) { logger_ = std::move(logger); }
  // A stdin that is open until CloseStdin. Without, the process reads /dev/null.
  absl::Status AddInput();
  // The end of the first attached input is stdin's.
  void SetStdinOnce(bool once) { stdin_once_ = once; }
  // A client's FIFO that feeds stdin. It is opened by OpenInput: a client whose input is
  // short must not be through with it before it knows of the process that it feeds.
  void SetInputFifo(std::string path) { input_fifo_path_ = std::move(path); }
  void SetOwner(uid_t uid, gid_t gid);  // Of the pipes.

  // Calls back once the launch may begin; maybe at once.
  void OnReady(absl::AnyInvocable<void(absl::Status)> ready);

  // --- While the process runs.

  // -1 where there is none; all without a terminal.
  std::array<int, 3> child_fds() const;
  void CloseChildEnds();
  // As the process is started. We hold the FIFO's writing end, too, until CloseStdin, so
  // that a client that leaves does not end the input.
  absl::Status OpenInput();
  absl::Status SetConsole(UniqueFd master);

  absl::Status Resize(uint32_t width, uint32_t height);
  void CloseStdin();

  // Joins `fifo`, which has a writer, to stdin.
  absl::Status AttachStdin(UniqueFd fifo);
  bool has_stdin() const { return input_.ok(); }
  ContainerLog* log() { return log_.get(); }  // Null: streams do not go to a log.

  // --- After the process.

  void StopInput();
  // Passes on what the process has written, as far as that needs no waiting.
  void Pump();
  // Calls back when all output has been passed on, or `bound` has passed: then what has
  // not ended is cut off.
  void Drain(absl::Duration bound, Loop::Function done);

 private:
  struct AttachedInput {
    std::unique_ptr<FdSink> sink;
    std::unique_ptr<Source> source;
  };

  absl::Status StartInputFifo();
  bool drained() const;
  void CheckDrained();
  void Drained();
  void InputEnded();

  Loop* const loop_;
  const bool terminal_;
  bool stdin_once_ = false;
  std::array<UniqueFd, 3> child_;
  std::unique_ptr<ContainerLog> log_;
  std::unique_ptr<LoggerBinary> logger_;
  std::array<std::unique_ptr<Sink>, 2> own_sinks_;
  std::array<Sink*, 2> sinks_ = {nullptr, nullptr};
  std::array<std::unique_ptr<Source>, 2> sources_;  // Before the sinks they feed go.

  UniqueFd console_;  // The terminal's master.
  UniqueFd input_;    // The write end of stdin, or the console again.
  std::string input_fifo_path_;
  UniqueFd input_fifo_, input_fifo_writer_;
  bool stdin_closed_ = false;  // By CloseStdin.
  std::unique_ptr<FdSink> fifo_sink_;
  std::unique_ptr<Source> fifo_source_;
  std::vector<AttachedInput> attached_;
  Loop::Id sweep_ = 0;

  Loop::Function on_drained_;
  Loop::Id drain_timer_ = 0;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_PROCESS_IO_H_
