#include "shim/io/logger_binary.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr absl::Duration kReadyWithin = absl::Seconds(10);
// A logger that has seen the end of its pipes may still have something to write.
constexpr absl::Duration kEndsWithin = absl::Seconds(12);
// Above the numbers that the program gets.
constexpr int kFirstFree = 10;

struct Command {
  bool v2 = false;
  std::vector<std::string> argv;
};

absl::StatusOr<std::string> PercentDecode(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      int value = 0;
      if (i + 2 >= text.size() || !absl::SimpleHexAtoi(text.substr(i + 1, 2), &value)) {
        return absl::InvalidArgumentError("a % without two hex digits");
      }
      out.push_back(static_cast<char>(value));
      i += 2;
    }
  }
  return out;
}

absl::StatusOr<Command> ParseUri(absl::string_view uri) {
  Command command;
  if (absl::ConsumePrefix(&uri, "binary-v2://")) {
    command.v2 = true;
  } else if (!absl::ConsumePrefix(&uri, "binary://")) {
    return absl::InvalidArgumentError("not a binary:// URI");
  }
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(uri, absl::MaxSplits('?', 1));
  CRISP_ASSIGN_OR_RETURN(std::string path, PercentDecode(parts.first));
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("logger \"", path, "\" is not absolute"));
  }
  command.argv.push_back(std::move(path));
  for (absl::string_view pair : absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> argument =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    for (absl::string_view part : {argument.first, argument.second}) {
      CRISP_ASSIGN_OR_RETURN(std::string word, PercentDecode(part));
      if (!word.empty()) command.argv.push_back(std::move(word));
    }
  }
  return command;
}

// A copy whose number does not collide with those the program gets.
absl::StatusOr<UniqueFd> MoveUp(UniqueFd fd) {
  return SysFd("dup", [&] { return ::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFree); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<LoggerBinary>> LoggerBinary::Start(
    Loop* loop, Children* children, absl::string_view uri, const std::string& container_id,
    const std::string& container_namespace, UniqueFd out, UniqueFd err) {
  CRISP_ASSIGN_OR_RETURN(const Command command, Annotate(ParseUri(uri), "stdout ", uri));
  std::array<int, 2> pipe;
  CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(pipe.data(), O_CLOEXEC); }));
  std::unique_ptr<LoggerBinary> logger(new LoggerBinary(loop, children));
  logger->ready_fd_ = UniqueFd(pipe[0]);
  logger->needs_byte_ = command.v2;
  std::array<UniqueFd, 3> fds = {std::move(out), std::move(err), UniqueFd(pipe[1])};

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  auto destroy = absl::MakeCleanup([&] {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  });
  for (int i = 0; i < 3; ++i) {
    CRISP_ASSIGN_OR_RETURN(fds[i], MoveUp(std::move(fds[i])));
    ::posix_spawn_file_actions_adddup2(&actions, fds[i].get(), 3 + i);
  }
  for (int fd = 0; fd < 3; ++fd) {
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  sigset_t none, changed;
  ::sigemptyset(&none);
  ::sigemptyset(&changed);
  for (const int signal : {SIGCHLD, SIGPIPE, SIGTERM, SIGINT}) ::sigaddset(&changed, signal);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &changed);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::string id = absl::StrCat("CONTAINER_ID=", container_id);
  std::string ns = absl::StrCat("CONTAINER_NAMESPACE=", container_namespace);
  char* const environment[] = {id.data(), ns.data(), nullptr};
  if (const int error =
          ::posix_spawn(&logger->pid_, argv[0], &actions, &attributes, argv.data(), environment);
      error != 0) {
    logger->pid_ = 0;
    return ErrnoStatus(error, absl::StrCat("start logger ", command.argv[0]));
  }
  children->OnExit(logger->pid_, [self = logger.get()](const ProcessExit&) { self->pid_ = 0; });
  LoggerBinary* const self = logger.get();
  CRISP_ASSIGN_OR_RETURN(self->watch_, loop->Watch(pipe[0], EPOLLIN, [self](uint32_t) {
    char byte;
    const ssize_t n = ::read(self->ready_fd_.get(), &byte, 1);
    self->Done(n <= 0 && self->needs_byte_
                   ? absl::FailedPreconditionError("the logger ended before it was ready")
                   : absl::OkStatus());
  }));
  self->timer_ = loop->After(kReadyWithin, [self] {
    self->Done(absl::DeadlineExceededError("the logger did not get ready"));
  });
  return logger;
}

LoggerBinary::~LoggerBinary() {
  loop_->Unwatch(watch_);
  loop_->Cancel(timer_);
  if (pid_ == 0) return;
  // Outlives us for a moment: asked to end, then made to. Only while it is there does
  // its number mean anything, so its exit takes the timer away.
  const pid_t pid = pid_;
  ::kill(pid, SIGTERM);
  const Loop::Id timer = loop_->After(kEndsWithin, [pid] { ::kill(pid, SIGKILL); });
  children_->OnExit(pid, [loop = loop_, timer](const ProcessExit&) { loop->Cancel(timer); });
}

void LoggerBinary::OnReady(absl::AnyInvocable<void(absl::Status)> ready) {
  ready_ = std::move(ready);
}

void LoggerBinary::Done(absl::Status status) {
  loop_->Unwatch(std::exchange(watch_, 0));
  loop_->Cancel(std::exchange(timer_, 0));
  ready_fd_.reset();
  if (ready_) std::exchange(ready_, nullptr)(std::move(status));
}

}  // namespace crisp::shim
