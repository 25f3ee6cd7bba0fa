#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp {
namespace {

constexpr size_t kMaxErrorOutput = 64 << 10;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(fds, O_CLOEXEC); }));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What the child reads. No pipe: one that a child closes unread would end us with SIGPIPE.
absl::StatusOr<UniqueFd> MakeInput(const std::string& data) {
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd fd, SysFd("memfd_create", [] { return ::memfd_create("stdin", MFD_CLOEXEC); }));
  CRISP_RETURN_IF_ERROR(WriteAll(fd.get(), data));
  CRISP_RETURN_IF_ERROR(SysValue("lseek", [&] { return ::lseek(fd.get(), 0, SEEK_SET); }).status());
  return fd;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

const std::string& ProgramOf(const ProcessSpec& spec) {
  return spec.program.empty() ? spec.argv[0] : spec.program;
}

absl::StatusOr<pid_t> Spawn(const ProcessSpec& spec, int in, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  auto destroy = absl::MakeCleanup([&] {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  });
  ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, err, 2);
  // Descriptors of libraries that forgot O_CLOEXEC stay behind too.
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none, defaults;
  ::sigemptyset(&none);
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const std::string& program = ProgramOf(spec);
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes,
                                  Pointers(spec.argv).data(), Pointers(spec.environment).data());
  if (error != 0) return ErrnoStatus(error, absl::StrCat("start ", program));
  return pid;
}

int ExitCode(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// Moves bytes between the child's pipes and `result` until both outputs are at
// their end. The child's exit ends the wait too: a grandchild that kept the
// pipes open must not hold us.
class Conversation {
 public:
  Conversation(const ProcessSpec& spec, UniqueFd out, UniqueFd err, int pidfd)
      : spec_(spec), out_(std::move(out)), err_(std::move(err)), pidfd_(pidfd) {
    for (int fd : {out_.get(), err_.get()}) {
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
  }

  absl::Status Run(ProcessResult* result) {
    const absl::Time deadline = absl::Now() + spec_.timeout;
    bool exited = false;
    while (out_.ok() || err_.ok() || !exited) {
      // Once the child is gone only what the pipes already hold is read.
      const absl::Duration left = exited ? absl::ZeroDuration() : deadline - absl::Now();
      if (!exited && left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(absl::StrCat(ProgramOf(spec_), " ran longer than ",
                                                        absl::FormatDuration(spec_.timeout)));
      }
      pollfd fds[] = {
          {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {exited ? -1 : pidfd_, POLLIN, 0}};
      const auto timeout_ms =
          static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 1 << 30));
      CRISP_ASSIGN_OR_RETURN(const int ready, SysValue("poll", [&] {
                               return ::poll(fds, 3, exited ? 0 : timeout_ms);
                             }));
      if (exited && ready == 0) break;
      if (fds[0].revents != 0) Drain(&out_, &result->out);
      if (fds[1].revents != 0) Drain(&err_, &result->err);
      if (fds[2].revents != 0) exited = true;
      if (result->out.size() > spec_.max_output_bytes) {
        return absl::ResourceExhaustedError(
            absl::StrCat(ProgramOf(spec_), " wrote more than ", spec_.max_output_bytes, " bytes"));
      }
      if (result->err.size() > kMaxErrorOutput) {
        result->err.erase(0, result->err.size() - kMaxErrorOutput);
      }
    }
    return absl::OkStatus();
  }

 private:
  void Drain(UniqueFd* fd, std::string* into) {
    char buffer[16 << 10];
    const ssize_t n = ::read(fd->get(), buffer, sizeof(buffer));
    if (n > 0) {
      into->append(buffer, static_cast<size_t>(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      fd->reset();
    }
  }

  const ProcessSpec& spec_;
  UniqueFd out_, err_;
  const int pidfd_;
};

}  // namespace

absl::StatusOr<ProcessResult> RunProcess(const ProcessSpec& spec) {
  if (spec.argv.empty() || !absl::StartsWith(ProgramOf(spec), "/")) {
    return absl::InvalidArgumentError("the program must be an absolute path");
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd in, MakeInput(spec.stdin_data));
  CRISP_ASSIGN_OR_RETURN(Pipe out, MakePipe());
  CRISP_ASSIGN_OR_RETURN(Pipe err, MakePipe());
  CRISP_ASSIGN_OR_RETURN(const pid_t pid, Spawn(spec, in.get(), out.write.get(), err.write.get()));
  in.reset();
  out.write.reset();
  err.write.reset();
  auto reap = [pid] {
    int wait_status = 0;
    while (::waitpid(pid, &wait_status, 0) == -1 && errno == EINTR) {
    }
    return wait_status;
  };
  auto abandon = absl::MakeCleanup([&] {
    (void)::kill(-pid, SIGKILL);
    (void)reap();
  });
  CRISP_ASSIGN_OR_RETURN(UniqueFd pidfd,
                         SysFd("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); }));
  ProcessResult result;
  CRISP_RETURN_IF_ERROR(
      Conversation(spec, std::move(out.read), std::move(err.read), pidfd.get()).Run(&result));
  std::move(abandon).Cancel();
  result.exit_code = ExitCode(reap());
  return result;
}

}  // namespace crisp
