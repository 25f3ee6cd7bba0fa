// A TaskDriver in memory, for tests of what stands above one.
//
// Tasks live in a map; nothing runs. A test ends a task with Exit, makes the next
// call of a method fail with FailNext, plays the processes behind Exec and Attach
// (NextProcess), and reads what was asked of the driver from calls(). Exits are reported on the
// thread that causes them, outside the lock.
#ifndef CRISP_CRI_TASK_FAKE_TASK_DRIVER_H_
#define CRISP_CRI_TASK_FAKE_TASK_DRIVER_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cri/task/fake_session.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class FakeTaskDriver : public TaskDriver {
 public:
  using ExecHandler = std::function<absl::StatusOr<ExecResult>(
      const std::string& id, const std::string& process_json, absl::Duration timeout)>;

  // The next call of `method` ("Create", "Start", ...) fails; calls queue up.
  void FailNext(const std::string& method, absl::Status status) {
    absl::MutexLock lock(&mu_);
    failures_[method].push_back(std::move(status));
  }

  // The task's init ends. Nothing happens if it is not there or has ended.
  void Exit(const std::string& id, TaskExit exit) {
    {
      absl::MutexLock lock(&mu_);
      auto it = tasks_.find(id);
      if (it == tasks_.end() || it->second.state.status == TaskStatus::kStopped) return;
      it->second.state.status = TaskStatus::kStopped;
      it->second.state.exit = exit;
    }
    if (on_exit_) on_exit_(id, exit);
  }

  // The engine forgets the task: as after a crash of everything below.
  void Lose(const std::string& id) {
    absl::MutexLock lock(&mu_);
    tasks_.erase(id);
  }

  // Whether a SIGTERM or SIGKILL ends a task at once (the default).
  void set_dies_of_signals(bool dies) {
    absl::MutexLock lock(&mu_);
    dies_of_signals_ = dies;
  }
  void set_exec_handler(ExecHandler handler) {
    absl::MutexLock lock(&mu_);
    exec_ = std::move(handler);
  }

  // Waits for the next session's other end, in the order of Exec and Attach; null if
  // none comes in time.
  std::shared_ptr<FakeProcess> NextProcess(absl::Duration timeout = absl::Seconds(10)) {
    absl::MutexLock lock(&mu_);
    auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !processes_.empty(); };
    if (!mu_.AwaitWithTimeout(absl::Condition(&there), timeout)) return nullptr;
    std::shared_ptr<FakeProcess> process = std::move(processes_.front());
    processes_.pop_front();
    return process;
  }

  // "Create c1", "Kill c1 15", ... in order.
  std::vector<std::string> calls() const {
    absl::MutexLock lock(&mu_);
    return calls_;
  }
  bool Has(const std::string& id) const {
    absl::MutexLock lock(&mu_);
    return tasks_.count(id) > 0;
  }
  // As it was given to Create or Adopt. The task must be there.
  TaskSpec Spec(const std::string& id) const {
    absl::MutexLock lock(&mu_);
    return tasks_.at(id).spec;
  }

  Features features() const override { return {true, true}; }
  void OnExit(ExitCallback callback) override { on_exit_ = std::move(callback); }

  absl::StatusOr<uint32_t> Create(const TaskSpec& spec) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called("Create", spec.id); !s.ok()) return s;
    if (tasks_.count(spec.id) > 0) return absl::AlreadyExistsError(spec.id);
    Task& task = tasks_[spec.id];
    task.spec = spec;
    task.state.status = TaskStatus::kCreated;
    task.state.pid = next_pid_++;
    return task.state.pid;
  }

  absl::Status Start(const std::string& id) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called("Start", id); !s.ok()) return s;
    auto it = tasks_.find(id);
    if (it == tasks_.end()) return absl::NotFoundError(id);
    if (it->second.state.status != TaskStatus::kCreated) {
      return absl::FailedPreconditionError(absl::StrCat(id, " is not in state created"));
    }
    it->second.state.status = TaskStatus::kRunning;
    return absl::OkStatus();
  }

  absl::Status Kill(const std::string& id, int signal, bool all) override {
    bool dies;
    {
      absl::MutexLock lock(&mu_);
      if (absl::Status s = Called("Kill", absl::StrCat(id, " ", signal)); !s.ok()) return s;
      dies = signal == 9 || (dies_of_signals_ && signal == 15);
    }
    if (dies) Exit(id, TaskExit{128 + signal, 1});
    return absl::OkStatus();
  }

  absl::Status Delete(const std::string& id) override {
    {
      absl::MutexLock lock(&mu_);
      if (absl::Status s = Called("Delete", id); !s.ok()) return s;
    }
    Exit(id, TaskExit{137, 1});
    absl::MutexLock lock(&mu_);
    tasks_.erase(id);
    return absl::OkStatus();
  }

  absl::StatusOr<TaskState> State(const std::string& id) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called("State", id); !s.ok()) return s;
    auto it = tasks_.find(id);
    if (it == tasks_.end()) return absl::NotFoundError(id);
    return it->second.state;
  }

  absl::StatusOr<std::vector<uint32_t>> Pids(const std::string& id) override {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called("Pids", id); !s.ok()) return s;
    auto it = tasks_.find(id);
    if (it == tasks_.end()) return absl::NotFoundError(id);
    return std::vector<uint32_t>{it->second.state.pid};
  }

  absl::StatusOr<std::vector<std::string>> List() override {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called("List", ""); !s.ok()) return s;
    std::vector<std::string> ids;
    for (const auto& entry : tasks_) ids.push_back(entry.first);
    return ids;
  }

  // A task that is not there is lost, as with a real driver.
  absl::Status Adopt(const TaskSpec& spec) override {
    TaskExit exit{kLostExitCode, 1, false, true};
    {
      absl::MutexLock lock(&mu_);
      if (absl::Status s = Called("Adopt", spec.id); !s.ok()) return s;
      auto it = tasks_.find(spec.id);
      if (it != tasks_.end()) {
        it->second.spec = spec;
        if (it->second.state.status != TaskStatus::kStopped) return absl::OkStatus();
        exit = it->second.state.exit;
      }
    }
    if (on_exit_) on_exit_(spec.id, exit);
    return absl::OkStatus();
  }

  absl::StatusOr<ExecResult> ExecSync(const std::string& id, const std::string& process_json,
                                      absl::Duration timeout) override {
    ExecHandler handler;
    {
      absl::MutexLock lock(&mu_);
      if (absl::Status s = Called("ExecSync", id); !s.ok()) return s;
      auto it = tasks_.find(id);
      if (it == tasks_.end()) return absl::NotFoundError(id);
      if (it->second.state.status != TaskStatus::kRunning) {
        return absl::FailedPreconditionError(absl::StrCat(id, " does not run"));
      }
      handler = exec_;
    }
    if (handler) return handler(id, process_json, timeout);
    return ExecResult{};
  }

  absl::StatusOr<std::unique_ptr<ExecSession>> Exec(const std::string& id,
                                                    const std::string& process_json,
                                                    const SessionStreams& streams) override {
    return Session("Exec", id, streams);
  }
  absl::StatusOr<std::unique_ptr<TaskSession>> Attach(const std::string& id,
                                                      const SessionStreams& streams) override {
    return Session("Attach", id, streams);
  }

  absl::Status Update(const std::string& id, const std::string& resources_json) override {
    return Known("Update", id);
  }
  absl::Status ReopenLog(const std::string& id) override { return Known("ReopenLog", id); }

 private:
  struct Task {
    TaskSpec spec;
    TaskState state;
  };

  absl::Status Called(const std::string& method, const std::string& arguments)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    calls_.push_back(absl::StrCat(method, " ", arguments));
    std::deque<absl::Status>& queue = failures_[method];
    if (queue.empty()) return absl::OkStatus();
    absl::Status status = std::move(queue.front());
    queue.pop_front();
    return status;
  }

  absl::Status Known(const std::string& method, const std::string& id) {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called(method, id); !s.ok()) return s;
    return tasks_.count(id) > 0 ? absl::OkStatus() : absl::NotFoundError(id);
  }

  absl::StatusOr<std::unique_ptr<FakeSession>> Session(const std::string& method,
                                                       const std::string& id,
                                                       const SessionStreams& streams) {
    absl::MutexLock lock(&mu_);
    if (absl::Status s = Called(method, id); !s.ok()) return s;
    auto it = tasks_.find(id);
    if (it == tasks_.end()) return absl::NotFoundError(id);
    if (it->second.state.status != TaskStatus::kRunning) {
      return absl::FailedPreconditionError(absl::StrCat(id, " does not run"));
    }
    auto process = std::make_shared<FakeProcess>(streams);
    auto session = std::make_unique<FakeSession>(process);
    processes_.push_back(std::move(process));
    return session;
  }

  ExitCallback on_exit_;  // Set before the first call, as the interface says.
  mutable absl::Mutex mu_;
  std::map<std::string, Task> tasks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::deque<absl::Status>> failures_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  ExecHandler exec_ ABSL_GUARDED_BY(mu_);
  std::deque<std::shared_ptr<FakeProcess>> processes_ ABSL_GUARDED_BY(mu_);
  uint32_t next_pid_ ABSL_GUARDED_BY(mu_) = 1000;
  bool dies_of_signals_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_FAKE_TASK_DRIVER_H_
