#include "cri/containerd/managed_containerd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/managed_config.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kProbeInterval = absl::Milliseconds(10);
// A containerd that ran this long has earned a fresh start of the backoff.
constexpr absl::Duration kHealthyRun = absl::Seconds(30);
constexpr absl::Duration kKillTimeout = absl::Seconds(5);
constexpr off_t kLogTail = 2 << 10;
constexpr off_t kLogLimit = 16 << 20;

absl::StatusOr<UniqueFd> LockDir(const std::string& dir) {
  const std::string path = JoinPath(dir, "crispd.lock");
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                         0600);
                         }));
  const absl::Status locked =
      Sys(absl::StrCat("lock ", path), [&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); });
  if (ErrnoOf(locked) == EWOULDBLOCK) {
    return absl::AlreadyExistsError(absl::StrCat("another crispd runs its containerd in ", dir));
  }
  CRISP_RETURN_IF_ERROR(locked);
  return fd;
}

// Opens the log to append to. One that has grown large moves aside first.
absl::StatusOr<UniqueFd> OpenLog(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 && info.st_size > kLogLimit) {
    CRISP_RETURN_IF_ERROR(Sys("rotate containerd's log", [&] {
      return ::rename(path.c_str(), absl::StrCat(path, ".1").c_str());
    }));
  }
  return SysFd(absl::StrCat("open ", path), [&] {
    return ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  });
}

off_t SizeOf(int fd) {
  struct stat info = {};
  return ::fstat(fd, &info) == 0 ? info.st_size : 0;
}

// What was written since the log had `start` bytes: the end of it.
std::string LogSince(int fd, off_t start) {
  start = std::max(start, SizeOf(fd) - kLogTail);
  std::string text(kLogTail, '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), start);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  absl::StripAsciiWhitespace(&text);
  return text.empty() ? "it logged nothing" : absl::StrCat("its log ends: ", text);
}

void EndProcess(const ContainerdProcess& process, absl::Duration grace) {
  (void)process.Signal(SIGTERM);
  if (!process.WaitExit(grace)) {
    (void)process.Signal(SIGKILL);
    (void)process.WaitExit(kKillTimeout);
  }
  (void)process.Reap();
}

absl::Status Unlink(const std::string& path) {
  const absl::Status removed =
      Sys(absl::StrCat("unlink ", path), [&] { return ::unlink(path.c_str()); });
  return ErrnoOf(removed) == ENOENT ? absl::OkStatus() : removed;
}

int PollMilliseconds(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return -1;
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 0, int64_t{1} << 30));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ManagedContainerd>> ManagedContainerd::Start(Options options) {
  CRISP_RETURN_IF_ERROR(MakeDirs(options.root_dir, 0700));
  // Others may pass through: a container's bundle lies below, and its root may be
  // an unprivileged user of the host.
  CRISP_RETURN_IF_ERROR(MakeDirs(options.state_dir, 0711));
  Locks locks;
  CRISP_ASSIGN_OR_RETURN(locks.root, LockDir(options.root_dir));
  CRISP_ASSIGN_OR_RETURN(locks.state, LockDir(options.state_dir));
  CRISP_ASSIGN_OR_RETURN(UniqueFd wake,
                         SysFd("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
  std::unique_ptr<ManagedContainerd> managed(
      new ManagedContainerd(std::move(options), std::move(locks), std::move(wake)));
  const Options& o = managed->options_;
  CRISP_ASSIGN_OR_RETURN(
      const std::string config,
      RenderManagedConfig({.root_dir = o.root_dir,
                           .state_dir = managed->File("run"),
                           .grpc_socket = managed->socket(),
                           .ttrpc_socket = managed->File("containerd.ttrpc.sock"),
                           .log_level = o.log_level}));
  if (const absl::Status status = managed->AdoptOrLaunch(config); !status.ok()) {
    if (!o.degraded_start) return status;
    LogWarn("containerd does not serve yet", {{"error", status}});
    absl::MutexLock lock(&managed->mu_);
    managed->health_ = status;
  }
  managed->supervisor_ = std::thread([m = managed.get()] { m->Supervise(); });
  return managed;
}

ManagedContainerd::ManagedContainerd(Options options, Locks locks, UniqueFd wake)
    : options_(std::move(options)), locks_(std::move(locks)), wake_(std::move(wake)) {}

ManagedContainerd::~ManagedContainerd() {
  if (options_.stop_on_exit && supervisor_.joinable()) {
    (void)Stop();
  } else {
    EndSupervision();
  }
}

std::string ManagedContainerd::File(absl::string_view name) const {
  return JoinPath(options_.state_dir, name);
}

pid_t ManagedContainerd::pid() const {
  absl::MutexLock lock(&mu_);
  return process_.pid();
}

int ManagedContainerd::restarts() const {
  absl::MutexLock lock(&mu_);
  return restarts_;
}

absl::Status ManagedContainerd::Health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

absl::Status ManagedContainerd::AdoptOrLaunch(const std::string& config) {
  const absl::Status adoption = Adopt(config);
  if (adoption.ok() || !absl::IsNotFound(adoption)) return adoption;
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(File("config.toml"), config, 0600));
  return Launch();
}

absl::Status ManagedContainerd::Adopt(const std::string& config) {
  absl::StatusOr<ContainerdProcess> running = ContainerdProcess::Load(File("containerd.pid"));
  if (absl::IsNotFound(running.status())) {
    // A crispd that died between starting it and writing the file.
    running = ContainerdProcess::Listening(socket(), File("config.toml"));
  }
  CRISP_RETURN_IF_ERROR(running.status());
  const absl::StatusOr<std::string> its_config = ReadFile(File("config.toml"));
  absl::Status serving = absl::FailedPreconditionError("its configuration has changed");
  if (its_config.ok() && *its_config == config) serving = AwaitServing(*running);
  if (!serving.ok()) {
    LogInfo("ending the containerd that was running",
            {{"pid", running->pid()}, {"reason", serving}});
    EndProcess(*running, kKillTimeout);
    return absl::NotFoundError("the containerd that was running had to be ended");
  }
  CRISP_RETURN_IF_ERROR(running->Save(File("containerd.pid")));
  adopted_ = true;
  SetServing(*running);
  return absl::OkStatus();
}

absl::Status ManagedContainerd::Launch() {
  CRISP_ASSIGN_OR_RETURN(UniqueFd log, OpenLog(File("containerd.log")));
  const off_t log_start = SizeOf(log.get());
  CRISP_ASSIGN_OR_RETURN(
      ContainerdProcess process,
      ContainerdProcess::Spawn({options_.binary, "--config", File("config.toml")},
                               {absl::StrCat("PATH=", options_.path)}, log.get()));
  absl::Status status = process.Save(File("containerd.pid"));
  if (status.ok()) status = AwaitServing(process);
  if (!status.ok()) {
    const bool ended = process.WaitExit(absl::ZeroDuration());
    const std::string how = ended ? process.Reap() : "";
    if (!ended) EndProcess(process, kKillTimeout);
    (void)Unlink(File("containerd.pid"));
    return Annotate(status, "start ", options_.binary, ended ? absl::StrCat(" (", how, ")") : "",
                    "; ", LogSince(log.get(), log_start));
  }
  SetServing(process);
  return absl::OkStatus();
}

absl::Status ManagedContainerd::AwaitServing(const ContainerdProcess& process) const {
  const absl::Time deadline = absl::Now() + options_.start_timeout;
  while (true) {
    if (!process.Alive()) return absl::UnavailableError("containerd ended before it served");
    if (WaitForStop(kProbeInterval)) return absl::CancelledError("stopping");
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "containerd did not serve within ", absl::FormatDuration(options_.start_timeout)));
    }
    const absl::StatusOr<pid_t> listener = ContainerdProcess::ListenerPid(socket());
    if (!listener.ok()) continue;
    if (*listener != process.pid()) {
      return absl::AbortedError(
          absl::StrCat("process ", *listener, " listens on ", socket(), " instead"));
    }
    CRISP_ASSIGN_OR_RETURN(std::unique_ptr<Containerd> probe,
                           Containerd::Connect(socket(), "crisp"));
    if (!probe->WaitReady(absl::Seconds(1)).ok()) continue;
    for (const char* name : {"containerd.sock", "containerd.ttrpc.sock"}) {
      const std::string path = File(name);
      CRISP_RETURN_IF_ERROR(
          Sys(absl::StrCat("chmod ", path), [&] { return ::chmod(path.c_str(), 0600); }));
    }
    return absl::OkStatus();
  }
}

void ManagedContainerd::SetServing(const ContainerdProcess& process) {
  absl::MutexLock lock(&mu_);
  process_ = process;
  health_ = absl::OkStatus();
}

void ManagedContainerd::Supervise() {
  absl::Duration backoff = options_.min_backoff;
  while (true) {
    ContainerdProcess process;
    {
      absl::MutexLock lock(&mu_);
      process = process_;
    }
    if (process.pid() != 0) {
      const absl::Time since = absl::Now();
      if (!WaitForEnd(process)) return;
      if (absl::Now() - since > kHealthyRun) backoff = options_.min_backoff;
      const std::string how = process.Reap();
      LogWarn("containerd ended; starting it again", {{"pid", process.pid()}, {"how", how}});
      absl::MutexLock lock(&mu_);
      process_ = ContainerdProcess();
      health_ = absl::UnavailableError(
          absl::StrCat("containerd ended (", how, ") and is being started again"));
    }
    if (!Revive(&backoff)) return;
  }
}

bool ManagedContainerd::Revive(absl::Duration* backoff) {
  while (!WaitForStop(*backoff)) {
    *backoff = std::min(*backoff * 2, options_.max_backoff);
    const absl::Status launched = Launch();
    if (launched.ok()) {
      absl::MutexLock lock(&mu_);
      ++restarts_;
      LogInfo("containerd serves again", {{"pid", process_.pid()}, {"restarts", restarts_}});
      return true;
    }
    if (absl::IsCancelled(launched)) return false;
    LogError("containerd cannot be started", {{"error", launched}, {"next_try_in", *backoff}});
    absl::MutexLock lock(&mu_);
    health_ = launched;
  }
  return false;
}

bool ManagedContainerd::WaitForStop(absl::Duration timeout) const {
  pollfd fd = {wake_.get(), POLLIN, 0};
  const absl::StatusOr<int> ready =
      SysValue("poll", [&] { return ::poll(&fd, 1, PollMilliseconds(timeout)); });
  return ready.ok() && *ready > 0;
}

bool ManagedContainerd::WaitForEnd(const ContainerdProcess& process) const {
  pollfd fds[] = {{wake_.get(), POLLIN, 0}, {process.pidfd(), POLLIN, 0}};
  (void)SysValue("poll", [&] { return ::poll(fds, 2, -1); });
  return (fds[0].revents & POLLIN) == 0;
}

void ManagedContainerd::EndSupervision() {
  if (!supervisor_.joinable()) return;
  (void)::eventfd_write(wake_.get(), 1);
  supervisor_.join();
}

absl::Status ManagedContainerd::Stop(absl::Duration grace) {
  EndSupervision();
  ContainerdProcess process;
  {
    absl::MutexLock lock(&mu_);
    std::swap(process, process_);
    health_ = absl::UnavailableError("containerd was stopped");
  }
  if (process.pid() == 0) return absl::OkStatus();
  EndProcess(process, grace);
  if (process.Alive()) {
    return absl::DeadlineExceededError(
        absl::StrCat("containerd, process ", process.pid(), ", does not end"));
  }
  return Unlink(File("containerd.pid"));
}

}  // namespace crisp::cri
