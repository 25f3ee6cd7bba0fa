#include "shim/main/daemon.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "cgroup/hierarchies.h"
#include "shim/launch/launch.h"
#include "shim/log/log.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"
#include "shim/service/service.h"
#include "shim/task/tasks.h"
#include "shim/ttrpc/event_publisher.h"
#include "shim/ttrpc/server.h"

namespace crisp::shim {
namespace {

constexpr char kDefaultTtrpcAddress[] = "/run/containerd/containerd.sock.ttrpc";
constexpr char kCacheDirectory[] = "/run/crisp/seccomp";
// How long the last events and answers may take to leave.
constexpr absl::Duration kFlushWithin = absl::Seconds(3);
constexpr absl::Duration kFlushPoll = absl::Milliseconds(5);

// An idle shim holds as few pages as it can: one arena, large buffers mapped by
// themselves, the rest given back soon (and all of it when the loop is idle).
void TuneMemory() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
  ::mallopt(M_TOP_PAD, 4 << 10);
}

absl::StatusOr<UniqueFd> OpenLog(const Options& options) {
  if (options.action == "serve") {
    const std::string path = JoinPath(options.state, "log");
    return SysFd(absl::StrCat("open ", path), [&] {
      return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    });
  }
  // containerd's FIFO in the bundle. Held open both ways: containerd comes and goes.
  return SysFd("open log", [] { return ::open("log", O_RDWR | O_NONBLOCK | O_CLOEXEC); });
}

// Nothing of who started us is held: not its pipes, its session, its directory.
absl::Status Detach() {
  (void)::setsid();  // Fails for a group leader, which has what it needs.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd null, SysFd("open /dev/null", [] {
                           return ::open("/dev/null", O_RDWR | O_CLOEXEC);
                         }));
  for (int fd = 0; fd < 3; ++fd) {
    CRISP_RETURN_IF_ERROR(Sys("dup2", [&] { return ::dup2(null.get(), fd); }));
  }
  return Sys("chdir", [] { return ::chdir("/"); });
}

// containerd can ask for a core scheduling domain per shim (SCHED_CORE=1).
void JoinSchedulingCore() {
  const char* const wanted = std::getenv("SCHED_CORE");
  if (wanted == nullptr || *wanted == '\0') return;
  constexpr unsigned long kThreadGroup = 1;  // PR_SCHED_CORE_SCOPE_THREAD_GROUP
  (void)::prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, kThreadGroup, 0);
}

class Daemon {
 public:
  Daemon(const Options& options, std::unique_ptr<Loop> loop, std::unique_ptr<Children> children,
         cgroup::Hierarchies hierarchies)
      : loop_(std::move(loop)),
        children_(std::move(children)),
        publisher_(loop_.get(), TtrpcAddress(options), options.container_namespace),
        events_([this](absl::string_view topic, absl::string_view type,
                       const google::protobuf::MessageLite& event) {
          publisher_.Publish(topic, type, event);
        }),
        context_{.loop = loop_.get(),
                 .children = children_.get(),
                 .events = &events_,
                 .launcher = {[](const ContainerLaunch& request) { return Launch::Begin(request); },
                              [](const ExecLaunch& request) { return Launch::Begin(request); },
                              BeginPoststart, BeginTeardown},
                 .hierarchies = std::move(hierarchies),
                 .container_namespace = options.container_namespace,
                 .exit_directory = JoinPath(options.state, "exits"),
                 .cache_dir = kCacheDirectory},
        tasks_(&context_),
        service_(&tasks_, [this] { Shutdown(); }),
        server_(loop_.get(), [this](absl::string_view service, absl::string_view method,
                                    absl::string_view payload, Reply reply) {
          service_.Handle(service, method, payload, std::move(reply));
        }) {}
  ~Daemon() { loop_->Unwatch(signal_watch_); }

  absl::Status Run(UniqueFd listener) {
    CRISP_RETURN_IF_ERROR(WatchSignals());
    sockaddr_un address = {};
    socklen_t size = sizeof(address);
    if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
      socket_path_ = address.sun_path;
    }
    CRISP_RETURN_IF_ERROR(server_.Serve(std::move(listener)));
    loop_->OnIdle([this] {
      for (const auto& [id, task] : tasks_.all()) {
        if (task->init().io != nullptr && task->init().io->log() != nullptr) {
          task->init().io->log()->ReleaseBuffer();
        }
      }
      ::malloc_trim(0);
    });
    loop_->Run();
    return absl::OkStatus();
  }

 private:
  static std::string TtrpcAddress(const Options& options) {
    if (options.action == "serve") return "";
    const char* const address = std::getenv("TTRPC_ADDRESS");
    return address != nullptr && *address != '\0' ? address : kDefaultTtrpcAddress;
  }

  // A signal ends a shim that has nothing to look after, and no other: its containers
  // would be nobody's.
  absl::Status WatchSignals() {
    sigset_t mask;
    ::sigemptyset(&mask);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&mask, signal);
    CRISP_RETURN_IF_ERROR(
        Sys("block signals", [&] { return ::sigprocmask(SIG_BLOCK, &mask, nullptr); }));
    CRISP_ASSIGN_OR_RETURN(signals_, SysFd("signalfd", [&] {
                             return ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
                           }));
    CRISP_ASSIGN_OR_RETURN(signal_watch_, loop_->Watch(signals_.get(), EPOLLIN, [this](uint32_t) {
      signalfd_siginfo info;
      while (::read(signals_.get(), &info, sizeof(info)) > 0) {
      }
      if (tasks_.empty()) Shutdown();
    }));
    return absl::OkStatus();
  }

  void Shutdown() {
    // First: who looks for us from here on finds that we are gone.
    if (!socket_path_.empty()) (void)::unlink(std::exchange(socket_path_, "").c_str());
    const absl::Duration step = kFlushPoll;
    if (flushed_for_ == absl::ZeroDuration()) Flush(step);
  }

  void Flush(absl::Duration step) {
    if (!tasks_.empty()) {  // One was created after all: somebody still knows us.
      flushed_for_ = absl::ZeroDuration();
      return;
    }
    if ((publisher_.idle() && server_.flushed()) || flushed_for_ > kFlushWithin) {
      return loop_->Quit();
    }
    flushed_for_ += step;
    loop_->After(step, [this, step] { Flush(step); });
  }

  const std::unique_ptr<Loop> loop_;
  const std::unique_ptr<Children> children_;
  EventPublisher publisher_;
  TaskEvents events_;
  TaskContext context_;
  Tasks tasks_;
  Service service_;
  TtrpcServer server_;
  UniqueFd signals_;
  Loop::Id signal_watch_ = 0;
  std::string socket_path_;
  absl::Duration flushed_for_;
};

}  // namespace

absl::Status RunDaemon(const Options& options, int listener) {
  TuneMemory();
  UniqueFd socket(listener);
  CRISP_RETURN_IF_ERROR(Sys("listener", [&] {
    return ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == -1
               ? -1
               : ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  }));
  if (auto log = OpenLog(options); log.ok()) LogTo(*std::move(log));
  LogDebugToo(options.debug);
  if (options.action == "serve") {
    CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(options.state, "exits"), 0700));
    CRISP_RETURN_IF_ERROR(
        WriteFileAtomic(JoinPath(options.state, "pid"), absl::StrCat(::getpid(), "\n"), 0600));
  }
  CRISP_RETURN_IF_ERROR(Detach());
  ::signal(SIGPIPE, SIG_IGN);
  JoinSchedulingCore();
  // Best effort: without it each launch compiles its filter anew.
  (void)MakeDirs(kCacheDirectory, 0700);

  CRISP_ASSIGN_OR_RETURN(auto loop, Loop::Create());
  CRISP_ASSIGN_OR_RETURN(auto children, Children::Create(loop.get()));
  CRISP_ASSIGN_OR_RETURN(cgroup::Hierarchies hierarchies, cgroup::Hierarchies::Probe());
  Daemon daemon(options, std::move(loop), std::move(children), std::move(hierarchies));
  absl::Status ended = daemon.Run(std::move(socket));
  if (!ended.ok()) LogWarn("the shim ends", {{"error", ended}});
  return ended;
}

}  // namespace crisp::shim
