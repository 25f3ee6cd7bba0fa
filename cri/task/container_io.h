// The standard streams of one container: FIFOs in a private directory, read on the
// loop and written to the container's log, and to whoever has attached.
//
// The container has them open through its shim, which keeps both ends: when the
// reader here goes away, output waits in the FIFO for the next one.
//
// Ownership: owns the readers and the log; borrows the loop. The directory stays
//            until Remove.
// Threads:   safe. Output is handled on the loop's thread.
// Errors:    errno kept; AlreadyExists from Create if the directory is there.
// Crash:     what was read and not yet logged is lost (at most 64 KiB and an
//            unended line); what is in the FIFO is read by Adopt. But runc's shim
//            closes both ends when the container ends: if nobody reads just then,
//            what the FIFO still held (at most 64 KiB) is lost too.
#ifndef CRISP_CRI_TASK_CONTAINER_IO_H_
#define CRISP_CRI_TASK_CONTAINER_IO_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/io_loop.h"
#include "base/unique_fd.h"
#include "cri/task/attachments.h"
#include "cri/task/fifo.h"
#include "cri/task/log_writer.h"

namespace crisp::cri {

// A directory by its descriptor, and by the path that other processes are told.
struct IoDirectory {
  UniqueFd fd;
  std::string path;

  // Makes `path` with 0700 if it is not there.
  static absl::StatusOr<IoDirectory> Open(const std::string& path);
  // Makes the directory `name` within; AlreadyExists.
  absl::StatusOr<IoDirectory> Make(const std::string& name) const;
};

class ContainerIo {
 public:
  struct Options {
    bool tty = false;    // Everything comes out of stdout.
    bool stdin = false;  // A FIFO that nobody writes yet; else the container has none.
  };

  // Makes the FIFOs in `parent`/`id` and starts to read. `log` may be null: then
  // output is discarded. On failure nothing is left.
  static absl::StatusOr<std::unique_ptr<ContainerIo>> Create(IoLoop* loop,
                                                             const IoDirectory& parent,
                                                             const std::string& id,
                                                             const Options& options,
                                                             std::unique_ptr<LogWriter> log);

  // Opens the FIFOs that an earlier Create made.
  static absl::StatusOr<std::unique_ptr<ContainerIo>> Adopt(IoLoop* loop, const IoDirectory& parent,
                                                            const std::string& id,
                                                            const Options& options,
                                                            std::unique_ptr<LogWriter> log);

  // Removes the directory. OK if absent.
  static absl::Status Remove(const IoDirectory& parent, const std::string& id);

  // Stops reading. What is in the FIFOs stays there; unended lines are logged.
  ~ContainerIo();
  ContainerIo(const ContainerIo&) = delete;
  ContainerIo& operator=(const ContainerIo&) = delete;

  // Absolute paths for the shim; empty for a stream that the container lacks.
  std::string stdin_path() const;
  std::string stdout_path() const;
  std::string stderr_path() const;

  // Calls back once every stream has ended: on the loop, or at once if they have.
  void OnDrained(std::function<void()> callback);

  // Hands the output, from now on, to a reader beside the log; and to those that were
  // added, the end of the container.
  void Attach(const std::shared_ptr<Attachment>& attachment);
  void Exited(const absl::StatusOr<int>& exit_code) { attachments_.Exit(exit_code); }

  // The container's input. An errno of ENXIO if it is at its end; FailedPrecondition
  // if the container never had any.
  absl::StatusOr<UniqueFd> OpenStdin() const;

  // FailedPrecondition without a log.
  absl::Status ReopenLog();

  // The container has ended: logs what is left in the FIFOs and stops reading.
  void Close();

 private:
  ContainerIo(std::string path, const Options& options, std::unique_ptr<LogWriter> log);

  absl::Status StartReading(IoLoop* loop, int dirfd);
  void OnData(LogStream stream, absl::string_view data);
  void OnEnd(LogStream stream);
  void StopReading();

  const std::string path_;
  const Options options_;
  const std::unique_ptr<LogWriter> log_;
  Attachments attachments_;
  std::vector<std::unique_ptr<FifoReader>> readers_;  // Set once, by StartReading.

  absl::Mutex mu_;
  int open_streams_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void()>> on_drained_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_CONTAINER_IO_H_
