// The private containerd of a crispd: started, watched, restarted when it dies,
// and adopted when it already runs.
//
//   state_dir/  containerd.sock (0600), containerd.ttrpc.sock, config.toml,
//               containerd.pid, containerd.log (0600), crispd.lock, run/ (containerd's)
//   root_dir/   crispd.lock, and containerd's own
//
// Ownership: owns the containerd process in the sense that nobody else starts or
//            restarts it: locks in both directories keep a second crispd out. The
//            destructor leaves the process running, because the tasks' shims
//            report to it; only Stop() and the option stop_on_exit end it.
// Threads:   safe, but Stop is for the owner. A thread of its own watches the process.
// Errors:    AlreadyExists if another crispd holds a directory; what containerd
//            last wrote to its log is part of the message when it fails to serve.
// Crash:     containerd runs in its own session and survives crispd. The next
//            crispd finds it by pid file (pid, start time, boot id) or by who
//            listens on the socket, and restarts it only if its configuration
//            has changed. Tasks live in shims and survive either's restart.
#ifndef CRISP_CRI_CONTAINERD_MANAGED_CONTAINERD_H_
#define CRISP_CRI_CONTAINERD_MANAGED_CONTAINERD_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "cri/containerd/containerd_process.h"

namespace crisp::cri {

class ManagedContainerd {
 public:
  struct Options {
    std::string root_dir;   // durable: images, snapshots, metadata
    std::string state_dir;  // gone after a reboot; short, it holds sockets
    std::string binary = "/usr/bin/containerd";
    // Where containerd looks for shims, fuse helpers and stream processors.
    std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::string log_level = "warn";
    absl::Duration start_timeout = absl::Seconds(30);
    // Start returns although containerd does not serve yet; it is tried again in the
    // background, and Health says how it stands.
    bool degraded_start = false;
    // The destructor ends containerd too.
    bool stop_on_exit = false;
    absl::Duration min_backoff = absl::Milliseconds(100);
    absl::Duration max_backoff = absl::Seconds(10);
  };

  // Adopts or starts containerd and returns when it serves.
  static absl::StatusOr<std::unique_ptr<ManagedContainerd>> Start(Options options);
  ~ManagedContainerd();
  ManagedContainerd(const ManagedContainerd&) = delete;
  ManagedContainerd& operator=(const ManagedContainerd&) = delete;

  std::string socket() const { return File("containerd.sock"); }
  // The process that serves now, or 0 between two of them.
  pid_t pid() const;
  // True if Start found a containerd that already ran.
  bool adopted() const { return adopted_; }
  // How often containerd has died and been started again.
  int restarts() const;

  // OK while containerd serves; else why not, for the Status RPC.
  absl::Status Health() const;

  // Ends containerd (SIGTERM, after `grace` SIGKILL) and the watching of it.
  // Running tasks keep running, unwatched. OK if it was not running.
  absl::Status Stop(absl::Duration grace = absl::Seconds(10));

 private:
  struct Locks {
    UniqueFd root;
    UniqueFd state;
  };

  ManagedContainerd(Options options, Locks locks, UniqueFd wake);

  absl::Status AdoptOrLaunch(const std::string& config);
  // The containerd that runs already and serves with `config`. One that does not is
  // ended.
  absl::Status Adopt(const std::string& config);
  absl::Status Launch();
  // Waits until `process` serves, and makes its sockets ours alone.
  absl::Status AwaitServing(const ContainerdProcess& process) const;
  void SetServing(const ContainerdProcess& process) ABSL_LOCKS_EXCLUDED(mu_);

  void Supervise();
  // Launches until containerd serves, less and less often. False when told to stop.
  bool Revive(absl::Duration* backoff);
  bool WaitForStop(absl::Duration timeout) const;
  void EndSupervision();
  // Waits for the end of `process` or for the order to stop; true for its end.
  bool WaitForEnd(const ContainerdProcess& process) const;

  std::string File(absl::string_view name) const;

  const Options options_;
  const Locks locks_;
  const UniqueFd wake_;  // eventfd: readable once the watching shall end
  bool adopted_ = false;
  std::thread supervisor_;  // Touched by Start, Stop and the destructor only.

  mutable absl::Mutex mu_;
  ContainerdProcess process_ ABSL_GUARDED_BY(mu_);
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  int restarts_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_MANAGED_CONTAINERD_H_
