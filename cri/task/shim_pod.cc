#include "cri/task/shim_pod.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "api/shim/wire/task.pb.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/dir_entries.h"
#include "base/file.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/client/exit_record.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kShutdownTimeout = absl::Seconds(2);
constexpr size_t kMaxNoteBytes = 8192;

}  // namespace

ShimPod::ShimPod(IoLoop* loop, std::string directory, std::string id, Lost lost)
    : loop_(loop), directory_(std::move(directory)), id_(std::move(id)), lost_(std::move(lost)) {}

absl::Status ShimPod::MakeDirectory() { return MakeDirs(JoinPath(directory_, "tasks"), 0700); }

absl::Status ShimPod::Spawn(const shim::ShimBinary& binary) {
  CRISP_ASSIGN_OR_RETURN(shim::ShimProcess process,
                         shim::ShimProcess::Spawn(binary, directory_, id_));
  {
    absl::MutexLock lock(&mu_);
    process_ = std::make_shared<shim::ShimProcess>(std::move(process));
  }
  return Connect();
}

absl::Status ShimPod::Connect() {
  {
    absl::MutexLock lock(&mu_);
    if (process_ == nullptr) {
      auto found = shim::ShimProcess::Find(directory_);
      if (found.ok()) process_ = std::make_shared<shim::ShimProcess>(*std::move(found));
    }
  }
  CRISP_ASSIGN_OR_RETURN(std::shared_ptr<shim::ShimClient> client,
                         shim::ShimClient::Connect(loop_, directory_, [weak = weak_from_this()] {
                           const std::shared_ptr<ShimPod> self = weak.lock();
                           if (self == nullptr) return;
                           std::shared_ptr<shim::ShimClient> gone;  // Dies after the lock.
                           {
                             absl::MutexLock lock(&self->mu_);
                             gone.swap(self->client_);
                           }
                           self->lost_(self);
                         }));
  absl::MutexLock lock(&mu_);
  client_ = std::move(client);
  return absl::OkStatus();
}

std::shared_ptr<shim::ShimClient> ShimPod::client() const {
  absl::MutexLock lock(&mu_);
  return client_ != nullptr && !client_->lost() ? client_ : nullptr;
}

bool ShimPod::Lives(absl::Duration grace) const {
  std::shared_ptr<shim::ShimProcess> process;
  {
    absl::MutexLock lock(&mu_);
    process = process_;
  }
  return process != nullptr && !process->AwaitEnd(grace);
}

void ShimPod::KillShim() const {
  std::shared_ptr<shim::ShimProcess> process;
  {
    absl::MutexLock lock(&mu_);
    process = process_;
  }
  if (process == nullptr) return;
  process->Kill();
  (void)process->AwaitEnd(kShutdownTimeout);
}

absl::Status ShimPod::Note(const std::string& task_id, const std::string& cgroup_path) {
  // A note that a crash cuts short is of a task that nobody was asked to make.
  const std::string path = JoinPath(JoinPath(directory_, "tasks"), task_id);
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("note task ", task_id), [&] {
                           return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                                         0600);
                         }));
  return WriteAll(fd.get(), cgroup_path);
}

void ShimPod::Unnote(const std::string& task_id) {
  for (const std::string& path :
       {JoinPath(JoinPath(directory_, "exits"), absl::StrCat(task_id, ".json")),
        JoinPath(JoinPath(directory_, "tasks"), task_id)}) {
    if (::unlink(path.c_str()) == -1 && errno != ENOENT) {
      LogWarn("cannot remove a file of a task that is gone",
              {{"path", path}, {"error", ErrnoName(errno)}});
    }
  }
}

absl::StatusOr<std::map<std::string, std::string>> ShimPod::Notes() const {
  std::map<std::string, std::string> notes;
  const std::string path = JoinPath(directory_, "tasks");
  const absl::StatusOr<UniqueFd> dir = OpenDir(path);
  if (!dir.ok()) {
    if (ErrnoOf(dir.status()) == ENOENT) return notes;
    return dir.status();
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(dir->get()));
  for (const std::string& name : names) {
    const auto cgroup_path = ReadFileAt(dir->get(), name, kMaxNoteBytes);
    notes[name] = cgroup_path.ok() ? *cgroup_path : "";
  }
  return notes;
}

absl::StatusOr<TaskExit> ShimPod::RecordedExit(const std::string& task_id) const {
  CRISP_ASSIGN_OR_RETURN(const shim::ExitRecord record,
                         shim::ReadExitRecordOf(directory_, task_id));
  return TaskExit{.exit_code = record.exit_code,
                  .exited_at_ns = absl::ToUnixNanos(record.exited_at),
                  .oom_killed = record.oom_killed};
}

absl::Status ShimPod::End() {
  bool asked = false;
  if (const auto connected = client(); connected != nullptr && !silent) {
    asked = true;
    shim::wire::ShutdownRequest request;
    request.set_id(id_);
    request.set_now(true);
    // Whatever it answers, or if the connection ends first: its process tells.
    (void)connected->Call(shim::kTaskService, "Shutdown", request, nullptr, kShutdownTimeout);
  }
  if (Lives(asked ? kShutdownTimeout : absl::ZeroDuration())) KillShim();
  {
    std::shared_ptr<shim::ShimClient> gone;
    absl::MutexLock lock(&mu_);
    gone.swap(client_);
  }
  return RemoveTree(directory_);
}

}  // namespace crisp::cri
