#include "shim/loop/children.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

// Only launches under way can want one of these.
constexpr size_t kMaxUnclaimed = 64;

bool IsChild(pid_t pid) {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Children>> Children::Create(Loop* loop) {
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  CRISP_RETURN_IF_ERROR(
      Sys("block SIGCHLD", [&] { return ::sigprocmask(SIG_BLOCK, &mask, nullptr); }));
  CRISP_RETURN_IF_ERROR(
      Sys("become a subreaper", [] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }));
  CRISP_ASSIGN_OR_RETURN(UniqueFd signals, SysFd("signalfd", [&] {
                           return ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
                         }));
  std::unique_ptr<Children> children(new Children(loop, std::move(signals)));
  Children* const self = children.get();
  CRISP_ASSIGN_OR_RETURN(
      self->watch_, loop->Watch(self->signals_.get(), EPOLLIN, [self](uint32_t) { self->Reap(); }));
  return children;
}

Children::~Children() { loop_->Unwatch(watch_); }

void Children::OnExit(pid_t pid, Handler handler) {
  const auto found = std::find_if(unclaimed_.begin(), unclaimed_.end(),
                                  [&](const Unclaimed& exit) { return exit.pid == pid; });
  if (found != unclaimed_.end()) {
    const ProcessExit exit = found->exit;
    unclaimed_.erase(found);
    // A child of that pid that is still there is another one: the number was used again.
    if (!IsChild(pid)) {
      ended_[pid] = std::move(handler);
      loop_->Post([this, pid, exit] {
        const auto ended = ended_.extract(pid);
        if (!ended.empty()) ended.mapped()(exit);
      });
      return;
    }
  }
  handlers_[pid] = std::move(handler);
}

void Children::Forget(pid_t pid) {
  handlers_.erase(pid);
  ended_.erase(pid);
}

void Children::Reap() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof(info)) > 0) {
  }
  if (before_reaping_) before_reaping_();
  // One signal may stand for many children.
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    const ProcessExit exit = {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                              absl::Now()};
    const auto found = handlers_.find(pid);
    if (found == handlers_.end()) {
      unclaimed_.push_back({pid, exit});
      if (unclaimed_.size() > kMaxUnclaimed) unclaimed_.pop_front();
      continue;
    }
    Handler handler = std::move(found->second);
    handlers_.erase(found);
    handler(exit);
  }
}

}  // namespace crisp::shim
