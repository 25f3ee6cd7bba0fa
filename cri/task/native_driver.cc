#include "cri/task/native_driver.h"

#include <signal.h>

#include <algorithm>
#include <functional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "api/shim/wire/task.pb.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/cgroup.h"
#include "cri/task/native_messages.h"

namespace crisp::cri {
namespace {

namespace wire = shim::wire;
using shim::kShimService;
using shim::kTaskService;

constexpr char kResourcesType[] =
    "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
constexpr int kBackgroundThreads = 4;
// What an ExecSync with a time-out may take on top of it: to kill and to answer.
constexpr absl::Duration kExecMargin = absl::Seconds(10);

bool ShimIsSilent(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<NativeDriver>> NativeDriver::Open(Options options) {
  CRISP_RETURN_IF_ERROR(MakeDirs(options.state_dir, 0700));
  CRISP_ASSIGN_OR_RETURN(shim::ShimBinary binary, shim::ShimBinary::Open(options.shim_binary));
  CRISP_ASSIGN_OR_RETURN(cgroup::Hierarchies hierarchies, cgroup::Hierarchies::Probe());
  CRISP_ASSIGN_OR_RETURN(std::unique_ptr<IoLoop> loop, IoLoop::Create());
  // Of sessions that an earlier crispd had.
  const std::string sessions_dir = JoinPath(options.state_dir, ".sessions");
  CRISP_RETURN_IF_ERROR(RemoveTree(sessions_dir));
  CRISP_ASSIGN_OR_RETURN(IoDirectory sessions, IoDirectory::Open(sessions_dir));
  std::unique_ptr<NativeDriver> driver(new NativeDriver(std::move(options), std::move(binary),
                                                        std::move(hierarchies), std::move(loop),
                                                        std::move(sessions)));
  CRISP_RETURN_IF_ERROR(Annotate(driver->FindShims(), "take up the shims that run"));
  return driver;
}

NativeDriver::NativeDriver(Options options, shim::ShimBinary binary,
                           cgroup::Hierarchies hierarchies, std::unique_ptr<IoLoop> loop,
                           IoDirectory sessions)
    : options_(std::move(options)),
      binary_(std::move(binary)),
      hierarchies_(std::move(hierarchies)),
      loop_(std::move(loop)),
      sessions_(loop_.get(), std::move(sessions), {}),
      background_(std::make_unique<Background>(kBackgroundThreads)) {}

NativeDriver::~NativeDriver() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  background_.reset();  // Runs what was posted, which needs the loop.
  loop_->Stop();
}

void NativeDriver::OnExit(ExitCallback callback) { on_exit_ = std::move(callback); }

NativeDriver::TaskRef NativeDriver::Find(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : found->second;
}

absl::StatusOr<std::shared_ptr<shim::ShimClient>> NativeDriver::ClientOf(const std::string& id) {
  PodRef pod;
  {
    absl::MutexLock lock(&mu_);
    const auto found = tasks_.find(id);
    if (found == tasks_.end() || found->second->pod == nullptr) {
      return absl::NotFoundError(absl::StrCat("no task ", id));
    }
    if (found->second->exited) {
      return absl::FailedPreconditionError(absl::StrCat("task ", id, " has ended"));
    }
    pod = found->second->pod;
  }
  std::shared_ptr<shim::ShimClient> client = pod->client();
  if (client == nullptr)
    return absl::UnavailableError(absl::StrCat("the shim of ", id, " is gone"));
  return client;
}

absl::StatusOr<NativeDriver::TaskRef> NativeDriver::Add(const TaskSpec& spec) {
  auto task = std::make_shared<Task>();
  task->id = spec.id;
  task->pod_id = spec.sandbox_id;
  task->cgroup_path = spec.cgroup_path;
  task->has_log = !spec.is_sandbox && !spec.log_directory.empty() && !spec.log_path.empty();
  task->has_stdin = spec.stdin;
  task->ours = true;
  absl::MutexLock lock(&mu_);
  if (!spec.is_sandbox) {
    const auto pod = pods_.find(spec.sandbox_id);
    if (pod == pods_.end()) {
      return absl::FailedPreconditionError(absl::StrCat("no shim runs pod ", spec.sandbox_id));
    }
    task->pod = pod->second;
  }
  if (!tasks_.emplace(spec.id, task).second) {
    return absl::AlreadyExistsError(absl::StrCat("there is a task ", spec.id));
  }
  return task;
}

absl::StatusOr<NativeDriver::PodRef> NativeDriver::StartShim(const TaskSpec& spec) {
  auto pod = std::make_shared<ShimPod>(loop_.get(), JoinPath(options_.state_dir, spec.id), spec.id,
                                       [this](const PodRef& lost) { OnLost(lost); });
  CRISP_RETURN_IF_ERROR(pod->MakeDirectory());
  auto undo = absl::MakeCleanup([&] { (void)pod->End(); });
  CRISP_RETURN_IF_ERROR(pod->Note(spec.id, spec.cgroup_path));
  CRISP_FAILPOINT("native/shim noted");
  CRISP_RETURN_IF_ERROR(pod->Spawn(binary_));
  CRISP_FAILPOINT("native/shim started");
  std::move(undo).Cancel();
  return pod;
}

absl::StatusOr<uint32_t> NativeDriver::Create(const TaskSpec& spec) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", spec.id));
  CRISP_ASSIGN_OR_RETURN(const TaskRef task, Add(spec));
  absl::Status created;
  if (spec.is_sandbox) {
    absl::StatusOr<PodRef> pod = StartShim(spec);
    if (!pod.ok()) {
      Drop(task);
      return Annotate(pod.status(), "start the shim of pod ", spec.id);
    }
    {
      absl::MutexLock lock(&mu_);
      task->pod = *pod;
      pods_[spec.id] = *pod;
    }
    Watch(*pod);
  } else {
    created = task->pod->Note(spec.id, spec.cgroup_path);
    CRISP_FAILPOINT("native/task noted");
  }
  if (created.ok()) created = AskToCreate(spec, task);
  if (!created.ok()) {
    // A shim that said no has nothing of it. Of one that did not answer nobody knows.
    const absl::Status undone = ShimIsSilent(created) ? DeleteByShim(task) : absl::OkStatus();
    if (undone.ok()) {
      Drop(task);
    } else {
      LogWarn("a task that could not be made may be there in part",
              {{"id", spec.id}, {"error", undone}});
    }
    return Annotate(created, "create task ", spec.id);
  }
  absl::MutexLock lock(&mu_);
  return task->state.pid;
}

absl::Status NativeDriver::AskToCreate(const TaskSpec& spec, const TaskRef& task) {
  const std::shared_ptr<shim::ShimClient> client = task->pod->client();
  if (client == nullptr) return absl::UnavailableError("the pod's shim is gone");
  shim::v1::CreateResponse response;
  CRISP_RETURN_IF_ERROR(FromLaunch(client->Call(kShimService, "Create", CreateRequestOf(spec),
                                                &response, options_.create_timeout)));
  absl::MutexLock lock(&mu_);
  task->confirmed = true;
  task->state.pid = response.pid();
  if (!task->exited) task->state.status = TaskStatus::kCreated;
  return absl::OkStatus();
}

absl::Status NativeDriver::Start(const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(const auto client, Annotate(ClientOf(id), "start ", id));
  wire::StartRequest request;
  request.set_id(id);
  CRISP_RETURN_IF_ERROR(Annotate(
      FromLaunch(client->Call(kTaskService, "Start", request, nullptr, options_.start_timeout)),
      "start ", id));
  const TaskRef task = Find(id);
  if (task == nullptr) return absl::OkStatus();
  absl::MutexLock lock(&mu_);
  if (!task->exited) task->state.status = TaskStatus::kRunning;
  return absl::OkStatus();
}

absl::Status NativeDriver::Kill(const std::string& id, int signal, bool all) {
  const auto client = ClientOf(id);
  // Gone, or its init is: as good as killed.
  if (absl::IsNotFound(client.status()) || absl::IsFailedPrecondition(client.status())) {
    return absl::OkStatus();
  }
  const TaskRef task = Find(id);
  if (task == nullptr) return absl::OkStatus();
  absl::Status killed = client.status();
  if (client.ok() && !(task->pod->silent && signal == SIGKILL)) {
    wire::KillRequest request;
    request.set_id(id);
    request.set_signal(static_cast<uint32_t>(signal));
    request.set_all(all);
    killed = (*client)->Call(kTaskService, "Kill", request, nullptr, options_.kill_timeout);
    task->pod->silent = absl::IsDeadlineExceeded(killed);
    if (absl::IsNotFound(killed)) return absl::OkStatus();
    if (killed.ok()) return killed;
  }
  if (signal == SIGKILL && (task->pod->silent || ShimIsSilent(killed))) return KillByCgroup(task);
  return Annotate(killed, "kill ", id, " with signal ", signal);
}

absl::Status NativeDriver::Delete(const std::string& id) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", id));
  const TaskRef task = Find(id);
  if (task == nullptr) return absl::OkStatus();
  if (task->pod != nullptr) {
    CRISP_RETURN_IF_ERROR(Annotate(DeleteByShim(task), "delete task ", id));
    CRISP_FAILPOINT("native/task deleted");
  }
  Drop(task);
  return absl::OkStatus();
}

absl::Status NativeDriver::DeleteByShim(const TaskRef& task) {
  const std::shared_ptr<shim::ShimClient> client = task->pod->client();
  if (client == nullptr) return DeleteWithout(task);
  CRISP_RETURN_IF_ERROR(Kill(task->id, SIGKILL, /*all=*/true));
  {
    absl::MutexLock lock(&mu_);
    if (task->confirmed &&
        !mu_.AwaitWithTimeout(absl::Condition(&task->exited), options_.call_timeout)) {
      return absl::DeadlineExceededError("its processes do not end");
    }
  }
  if (task->pod->silent) return DeleteWithout(task);
  wire::DeleteRequest request;
  request.set_id(task->id);
  const absl::Status deleted =
      client->Call(kTaskService, "Delete", request, nullptr, options_.delete_timeout);
  if (deleted.ok()) return deleted;
  // A shim that knows nothing of it may still have been making it for an earlier crispd.
  if (absl::IsNotFound(deleted)) return task->confirmed ? absl::OkStatus() : DeleteWithout(task);
  if (ShimIsSilent(deleted)) return DeleteWithout(task);
  return deleted;
}

absl::Status NativeDriver::DeleteWithout(const TaskRef& task) {
  if (task->cgroup_path.empty()) return absl::OkStatus();
  const auto cgroup = cgroup::Cgroup::Open(hierarchies_, task->cgroup_path);
  if (absl::IsNotFound(cgroup.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(cgroup.status());
  CRISP_RETURN_IF_ERROR(cgroup->Kill(SIGKILL));
  return cgroup->Remove();
}

void NativeDriver::Drop(const TaskRef& task) {
  PodRef ended;
  {
    absl::MutexLock lock(&mu_);
    tasks_.erase(task->id);
    const bool last = std::none_of(tasks_.begin(), tasks_.end(), [&](const auto& other) {
      return other.second->pod_id == task->pod_id && other.second->pod != nullptr;
    });
    if (last && task->pod != nullptr) {
      ended = task->pod;
      pods_.erase(task->pod_id);
    }
  }
  if (task->pod != nullptr) task->pod->Unnote(task->id);
  CRISP_FAILPOINT("native/task forgotten");
  if (ended == nullptr) return;
  InBackground([ended] {
    if (const absl::Status done = ended->End(); !done.ok()) {
      LogWarn("a shim's directory stays", {{"pod", ended->id()}, {"error", done}});
    }
  });
}

absl::StatusOr<TaskState> NativeDriver::State(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = tasks_.find(id);
  if (found == tasks_.end() || !found->second->confirmed) {
    return absl::NotFoundError(absl::StrCat("no task ", id));
  }
  return found->second->state;
}

absl::StatusOr<std::vector<uint32_t>> NativeDriver::Pids(const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(const auto client, ClientOf(id));
  wire::PidsRequest request;
  request.set_id(id);
  wire::PidsResponse response;
  CRISP_RETURN_IF_ERROR(
      Annotate(client->Call(kTaskService, "Pids", request, &response, options_.call_timeout),
               "processes of ", id));
  std::vector<uint32_t> pids;
  for (const wire::ProcessInfo& process : response.processes()) pids.push_back(process.pid());
  return pids;
}

absl::StatusOr<std::vector<std::string>> NativeDriver::List() {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> ids;
  for (const auto& [id, task] : tasks_) ids.push_back(id);
  return ids;
}

absl::StatusOr<ExecResult> NativeDriver::ExecSync(const std::string& id,
                                                  const std::string& process_json,
                                                  absl::Duration timeout) {
  CRISP_ASSIGN_OR_RETURN(const auto client, Annotate(ClientOf(id), "exec in ", id));
  const bool bounded = timeout > absl::ZeroDuration() && timeout != absl::InfiniteDuration();
  shim::v1::ExecSyncRequest request;
  request.set_id(id);
  request.set_process_json(process_json);
  if (bounded) request.set_timeout_ns(absl::ToInt64Nanoseconds(timeout));
  request.set_max_output_bytes(options_.max_output_bytes);
  request.set_drain_ns(absl::ToInt64Nanoseconds(options_.exec_drain));
  shim::v1::ExecSyncResponse response;
  const absl::Duration deadline =
      bounded ? timeout + options_.exec_drain + kExecMargin : absl::InfiniteDuration();
  CRISP_RETURN_IF_ERROR(
      Annotate(FromLaunch(client->Call(kShimService, "ExecSync", request, &response, deadline)),
               "exec in ", id));
  return ExecResult{.out = std::move(*response.mutable_stdout()),
                    .err = std::move(*response.mutable_stderr()),
                    .exit_code = response.exit_code()};
}

absl::Status NativeDriver::Update(const std::string& id, const std::string& resources_json) {
  CRISP_ASSIGN_OR_RETURN(const auto client, Annotate(ClientOf(id), "update ", id));
  wire::UpdateTaskRequest request;
  request.set_id(id);
  request.mutable_resources()->set_type_url(kResourcesType);
  request.mutable_resources()->set_value(resources_json);
  return Annotate(client->Call(kTaskService, "Update", request, nullptr, options_.call_timeout),
                  "update ", id);
}

absl::Status NativeDriver::ReopenLog(const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(const auto client, Annotate(ClientOf(id), "reopen the log of ", id));
  if (!Find(id)->has_log) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id, " has no log"));
  }
  shim::v1::ReopenLogRequest request;
  request.set_id(id);
  return Annotate(client->Call(kShimService, "ReopenLog", request, nullptr, options_.call_timeout),
                  "reopen the log of ", id);
}

absl::StatusOr<std::unique_ptr<ExecSession>> NativeDriver::Exec(const std::string& id,
                                                                const std::string& process_json,
                                                                const SessionStreams& streams) {
  CRISP_ASSIGN_OR_RETURN(auto client, Annotate(ClientOf(id), "exec in ", id));
  return Annotate(sessions_.Exec(std::move(client), id, process_json, streams), "exec in ", id);
}

absl::StatusOr<std::unique_ptr<TaskSession>> NativeDriver::Attach(const std::string& id,
                                                                  const SessionStreams& streams) {
  CRISP_ASSIGN_OR_RETURN(auto client, Annotate(ClientOf(id), "attach to ", id));
  const TaskRef task = Find(id);
  SessionStreams wanted = streams;
  if (task == nullptr || !task->has_stdin) wanted.stdin = false;
  return Annotate(sessions_.Attach(std::move(client), id, wanted), "attach to ", id);
}

}  // namespace crisp::cri
