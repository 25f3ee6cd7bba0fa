#include "cri/task/exit_watcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(5);
// How long the exit event of a task that is gone may take: containerd publishes
// it after it has cleaned up behind a dead shim.
constexpr absl::Duration kEventGrace = absl::Seconds(1);

}  // namespace

struct ExitWatcher::Call {
  std::string id;
  std::unique_ptr<grpc::ClientContext> context;
  containerd::services::tasks::v1::WaitRequest request;
  containerd::services::tasks::v1::WaitResponse response;
};

ExitWatcher::ExitWatcher(Containerd* containerd, IoLoop* loop, Callback callback)
    : containerd_(containerd), loop_(loop), callback_(std::move(callback)) {}

ExitWatcher::~ExitWatcher() { Shutdown(); }

void ExitWatcher::Watch(const std::string& id) {
  {
    absl::MutexLock lock(&mu_);
    if (shut_down_) return;
    watched_[id].backoff = kFirstBackoff;
  }
  Issue(id);
}

void ExitWatcher::Forget(const std::string& id) {
  std::shared_ptr<Call> call;
  {
    absl::MutexLock lock(&mu_);
    auto it = watched_.find(id);
    if (it == watched_.end()) return;
    call = std::move(it->second.call);
    watched_.erase(it);
  }
  if (call != nullptr) call->context->TryCancel();
}

void ExitWatcher::Resolve(const std::string& id, const TaskExit& exit) {
  {
    absl::MutexLock lock(&mu_);
    if (!watched_.contains(id)) return;
  }
  Forget(id);
  // Two that resolve at once post twice; the receiver takes the first.
  loop_->Post([this, id, exit] { callback_(id, exit); });
}

void ExitWatcher::Shutdown() {
  std::vector<std::shared_ptr<Call>> calls;
  {
    absl::MutexLock lock(&mu_);
    shut_down_ = true;
    for (auto& entry : watched_) {
      if (entry.second.call != nullptr) calls.push_back(std::move(entry.second.call));
    }
    watched_.clear();
  }
  for (const auto& call : calls) call->context->TryCancel();
  absl::MutexLock lock(&mu_);
  auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return outstanding_ == 0; };
  mu_.Await(absl::Condition(&idle));
}

void ExitWatcher::Issue(const std::string& id) {
  auto call = std::make_shared<Call>();
  call->context = containerd_->Context(absl::InfiniteDuration());
  call->id = id;
  const std::vector<std::string> parts = absl::StrSplit(id, '/');
  call->request.set_container_id(parts[0]);
  if (parts.size() > 1) call->request.set_exec_id(parts[1]);
  {
    absl::MutexLock lock(&mu_);
    auto it = watched_.find(id);
    if (shut_down_ || it == watched_.end() || it->second.call != nullptr) return;
    it->second.call = call;
    ++outstanding_;
  }
  containerd_->tasks().async()->Wait(call->context.get(), &call->request, &call->response,
                                     [this, call](grpc::Status status) { OnDone(call, status); });
}

void ExitWatcher::OnDone(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  const std::string& id = call->id;
  TaskExit exit;
  bool ended = false;
  absl::Duration retry;
  {
    absl::MutexLock lock(&mu_);
    auto it = watched_.find(id);
    if (it == watched_.end() || it->second.call != call) {  // Forgotten, resolved or shut down.
      --outstanding_;
      return;
    }
    Watched& watched = it->second;
    watched.call = nullptr;
    if (status.ok()) {
      ended = true;
      exit.exit_code = static_cast<int>(call->response.exit_status());
      exit.exited_at_ns =
          call->response.exited_at().seconds() * 1'000'000'000 + call->response.exited_at().nanos();
    } else if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      if (watched.missing) {
        ended = true;
        exit.exit_code = kLostExitCode;
        exit.exited_at_ns = absl::GetCurrentTimeNanos();
        exit.lost = true;
      }
      watched.missing = true;
      retry = kEventGrace;
    } else {
      retry = watched.backoff;
      watched.backoff = std::min(watched.backoff * 2, kMaxBackoff);
    }
  }
  if (ended) {
    Resolve(id, exit);
  } else {
    loop_->PostAfter(retry, [this, id] { Issue(id); });
  }
  // Last: Shutdown may return, and this be destroyed, from here on.
  absl::MutexLock lock(&mu_);
  --outstanding_;
}

}  // namespace crisp::cri
