// The FIFOs between one session and the shim that serves it, in a directory of their
// own. Both drivers make their sessions from them.
//
//   Make               the files; the reading ends of the outputs are open
//   ── the shim is told the paths, opens its ends, and answers ──
//   OpenStdin          the writing end, now that somebody reads
//   RemoveFiles        nobody opens them by name any more
//
// Ownership: owns the descriptors, and the directory until RemoveFiles or the
//            destructor; borrows `parent`.
// Threads:   a value; one at a time.
// Errors:    errno kept.
// Crash:     the directory stays; the driver clears `parent` when it starts.
#ifndef CRISP_CRI_TASK_SESSION_FIFOS_H_
#define CRISP_CRI_TASK_SESSION_FIFOS_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "cri/task/container_io.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

class SessionFifos {
 public:
  static absl::StatusOr<std::unique_ptr<SessionFifos>> Make(const IoDirectory& parent,
                                                            const std::string& id,
                                                            const SessionStreams& streams);
  ~SessionFifos() { RemoveFiles(); }
  SessionFifos(const SessionFifos&) = delete;
  SessionFifos& operator=(const SessionFifos&) = delete;

  // Absolute paths for the shim; empty for a stream that the session lacks.
  std::string stdin_path() const { return streams_.stdin ? PathOf("stdin") : ""; }
  std::string stdout_path() const { return streams_.stdout ? PathOf("stdout") : ""; }
  std::string stderr_path() const { return streams_.stderr ? PathOf("stderr") : ""; }

  // Waits, for at most `patience`, until the shim reads. If it does not, the process
  // is past reading: stdin stays closed.
  absl::Status OpenStdin(absl::Duration patience);

  void RemoveFiles();

  UniqueFd stdin;   // Write.
  UniqueFd stdout;  // Read.
  UniqueFd stderr;  // Read.

 private:
  SessionFifos(const IoDirectory* parent, std::string id, IoDirectory directory,
               const SessionStreams& streams)
      : parent_(parent), id_(std::move(id)), directory_(std::move(directory)), streams_(streams) {}

  std::string PathOf(const char* name) const { return directory_.path + "/" + name; }

  const IoDirectory* const parent_;
  const std::string id_;
  const IoDirectory directory_;
  const SessionStreams streams_;
  bool removed_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_SESSION_FIFOS_H_
