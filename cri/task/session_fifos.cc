#include "cri/task/session_fifos.h"

#include <cerrno>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/task/fifo.h"

namespace crisp::cri {

absl::StatusOr<std::unique_ptr<SessionFifos>> SessionFifos::Make(const IoDirectory& parent,
                                                                 const std::string& id,
                                                                 const SessionStreams& streams) {
  CRISP_ASSIGN_OR_RETURN(IoDirectory directory, parent.Make(id));
  const int dirfd = directory.fd.get();
  std::unique_ptr<SessionFifos> fifos(new SessionFifos(&parent, id, std::move(directory), streams));
  if (streams.stdin) CRISP_RETURN_IF_ERROR(MakeFifoAt(dirfd, "stdin"));
  if (streams.stdout) {
    CRISP_RETURN_IF_ERROR(MakeFifoAt(dirfd, "stdout"));
    CRISP_ASSIGN_OR_RETURN(fifos->stdout, OpenFifoAt(dirfd, "stdout"));
  }
  if (streams.stderr) {
    CRISP_RETURN_IF_ERROR(MakeFifoAt(dirfd, "stderr"));
    CRISP_ASSIGN_OR_RETURN(fifos->stderr, OpenFifoAt(dirfd, "stderr"));
  }
  return fifos;
}

absl::Status SessionFifos::OpenStdin(absl::Duration patience) {
  if (!streams_.stdin) return absl::OkStatus();
  const absl::Duration deadline = Clock::Real()->Steady() + patience;
  while (true) {
    auto fd = OpenFifoForWritingAt(directory_.fd.get(), "stdin");
    if (fd.ok()) {
      stdin = *std::move(fd);
      return absl::OkStatus();
    }
    if (ErrnoOf(fd.status()) != ENXIO) return fd.status();
    // A shim may answer a moment before it has opened its end.
    if (Clock::Real()->Steady() >= deadline) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(2));
  }
}

void SessionFifos::RemoveFiles() {
  if (removed_) return;
  removed_ = true;
  (void)RemoveTreeAt(parent_->fd.get(), id_);
}

}  // namespace crisp::cri
