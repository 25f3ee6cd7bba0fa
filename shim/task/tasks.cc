#include "shim/task/tasks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace crisp::shim {

Tasks::Tasks(TaskContext* context) : context_(context) {
  context_->children->BeforeReaping([this] {
    for (const auto& [id, task] : tasks_) task->AdvanceLaunches();
  });
}

Tasks::~Tasks() { context_->children->BeforeReaping(nullptr); }

absl::StatusOr<Task*> Tasks::Find(const std::string& id) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end() || !found->second->exists()) {
    return absl::NotFoundError(absl::StrCat("no task ", id));
  }
  return found->second.get();
}

absl::StatusOr<Task*> Tasks::FindAny(const std::string& id) {
  const auto found = tasks_.find(id);
  if (found != tasks_.end() && found->second->init().state == State::kCreating) {
    return found->second.get();
  }
  return Find(id);
}

absl::Status Tasks::CheckNew(const std::string& id) const {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("id", id));
  if (tasks_.contains(id)) return absl::AlreadyExistsError(absl::StrCat("task ", id, " exists"));
  return absl::OkStatus();
}

void Tasks::Create(NewTask task, Task::PidCallback done) {
  const std::string id = task.launch.id;
  if (absl::Status fit = CheckNew(id); !fit.ok()) return done(fit);
  if (!task.mounts_from.empty()) {
    const auto holder = Find(task.mounts_from);
    if (!holder.ok()) return done(Annotate(holder.status(), "mounts_from"));
    if (!(*holder)->running()) {
      return done(absl::FailedPreconditionError(
          absl::StrCat("mounts_from: task ", task.mounts_from, " does not run")));
    }
    task.launch.mounts_from = (*holder)->init().pid;
  }
  task.launch.cache_dir = context_->cache_dir;
  auto made = std::make_unique<Task>(context_, id, task.launch.bundle, task.owner,
                                     [this, id] { tasks_.erase(id); });
  Task* const raw = made.get();
  tasks_[id] = std::move(made);
  raw->Create(std::move(task.launch), std::move(task.io), std::move(task.names), task.told,
              std::move(done));
}

}  // namespace crisp::shim
