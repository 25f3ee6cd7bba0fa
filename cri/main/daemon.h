// crispd whole: every part made in order, wired, recovered, and served until told
// to stop.
//
// Ownership: owns all parts; later ones borrow earlier ones, and members are
//            destroyed in the opposite order.
// Threads:   Start, Stop and the destructor from one thread.
// Errors:    the first part that cannot start, with what to do about it.
// Crash:     kill -9 at any moment is recovered from by the next Start.
#ifndef CRISP_CRI_MAIN_DAEMON_H_
#define CRISP_CRI_MAIN_DAEMON_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cri/config/config.h"

namespace crisp::cri {

class Daemon {
 public:
  // Returns when the socket is served.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(Config config);
  ~Daemon();

  // Ends serving. Pods run on.
  void Stop();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_DAEMON_H_
