#include "cri/task/containerd_driver.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/containerd/runc_options.pb.h"
#include "api/containerd/task_events.pb.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cri/task/attach_session.h"
#include "cri/task/late_calls.h"
#include "cri/task/runtime_status.h"

namespace crisp::cri {
namespace {

constexpr int kDeleteAttempts = 20;
constexpr absl::Duration kShimCleanup = absl::Milliseconds(100);

namespace tasks = containerd::services::tasks::v1;
namespace containers = containerd::services::containers::v1;

constexpr char kSpecType[] = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
constexpr char kResourcesType[] =
    "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
constexpr char kRuncOptionsType[] = "containerd.runc.v1.Options";
constexpr char kRuncShims[] = "io.containerd.runc.";

// Marks what is ours in a namespace that others may use too.
constexpr char kKindLabel[] = "io.crisp.kind";
constexpr char kSandboxLabel[] = "io.crisp.sandbox-id";
// containerd refuses longer ones. Labels are for people who look at containerd with
// its own tools; nothing of ours reads them back.
constexpr size_t kMaxLabelBytes = 4096;

constexpr int kSigKilled = 128 + SIGKILL;

int64_t ToNanos(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000'000 + time.nanos();
}

TaskStatus FromContainerd(containerd::v1::types::Status status) {
  switch (status) {
    case containerd::v1::types::CREATED:
      return TaskStatus::kCreated;
    case containerd::v1::types::RUNNING:
      return TaskStatus::kRunning;
    case containerd::v1::types::STOPPED:
      return TaskStatus::kStopped;
    case containerd::v1::types::PAUSED:
    case containerd::v1::types::PAUSING:
      return TaskStatus::kPaused;
    default:
      return TaskStatus::kUnknown;
  }
}

// Null if the task has no log.
absl::StatusOr<std::unique_ptr<LogWriter>> OpenLog(const TaskSpec& spec) {
  if (spec.log_directory.empty() || spec.log_path.empty()) return nullptr;
  return LogWriter::Open(spec.log_directory, spec.log_path);
}

ContainerIo::Options IoOptions(const TaskSpec& spec) {
  ContainerIo::Options options;
  options.tty = spec.tty;
  options.stdin = spec.stdin;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ContainerdDriver>> ContainerdDriver::Open(Containerd* containerd,
                                                                         Options options) {
  const std::string& dir = options.state_dir;
  CRISP_ASSIGN_OR_RETURN(IoDirectory streams, IoDirectory::Open(JoinPath(dir, "io")));
  // Of commands that ran when an earlier driver died.
  CRISP_RETURN_IF_ERROR(RemoveTree(JoinPath(dir, "exec")));
  CRISP_ASSIGN_OR_RETURN(IoDirectory execs, IoDirectory::Open(JoinPath(dir, "exec")));
  CRISP_ASSIGN_OR_RETURN(std::unique_ptr<IoLoop> loop, IoLoop::Create());
  CRISP_ASSIGN_OR_RETURN(cgroup::Hierarchies hierarchies, cgroup::Hierarchies::Probe());
  return std::unique_ptr<ContainerdDriver>(
      new ContainerdDriver(containerd, std::move(options), std::move(hierarchies), std::move(loop),
                           std::move(streams), std::move(execs)));
}

ContainerdDriver::ContainerdDriver(Containerd* containerd, Options options,
                                   cgroup::Hierarchies hierarchies, std::unique_ptr<IoLoop> loop,
                                   IoDirectory streams, IoDirectory execs)
    : containerd_(containerd),
      options_(std::move(options)),
      hierarchies_(std::move(hierarchies)),
      streams_(std::move(streams)),
      execs_(std::move(execs)),
      loop_(std::move(loop)),
      exec_(containerd, loop_.get(), &execs_, options_.exec),
      sessions_(containerd, loop_.get(), &execs_, options_.sessions) {
  watcher_ = std::make_unique<ExitWatcher>(
      containerd_, loop_.get(),
      [this](const std::string& id, const TaskExit& exit) { OnTaskExit(id, exit); });
  // Exits come from Tasks.Wait. The events add what Wait cannot tell: that memory
  // ran out, and how a task ended that containerd has cleaned up meanwhile.
  events_ = std::make_unique<EventStream>(
      containerd_, std::vector<std::string>{"topic==\"/tasks/oom\"", "topic==\"/tasks/exit\""},
      [this](const containerd::types::Envelope& envelope) { OnEvent(envelope); }, nullptr);
}

ContainerdDriver::~ContainerdDriver() {
  events_.reset();
  watcher_->Shutdown();
  sessions_.Shutdown();
  loop_->Stop();
  absl::MutexLock lock(&mu_);
  tasks_.clear();
}

void ContainerdDriver::OnExit(ExitCallback callback) { on_exit_ = std::move(callback); }

absl::StatusOr<uint32_t> ContainerdDriver::Create(const TaskSpec& spec) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", spec.id));
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Task> task, Add(spec));
  auto forget = absl::MakeCleanup([&] { Forget(spec.id); });
  std::shared_ptr<ContainerIo> io;
  if (!spec.is_sandbox) {
    CRISP_ASSIGN_OR_RETURN(std::unique_ptr<LogWriter> log, OpenLog(spec));
    CRISP_ASSIGN_OR_RETURN(
        io, ContainerIo::Create(loop_.get(), streams_, spec.id, IoOptions(spec), std::move(log)));
    absl::MutexLock lock(&mu_);
    task->io = io;
  }
  auto remove_streams = absl::MakeCleanup([&] { (void)ContainerIo::Remove(streams_, spec.id); });
  CRISP_RETURN_IF_ERROR(Annotate(CreateContainer(spec), "create container ", spec.id));
  const auto pid = CreateTask(spec, io.get());
  if (!pid.ok()) {
    // What cannot be undone now is found by List and removed by a later Delete.
    (void)DeleteTask(spec.id);
    (void)DeleteContainer(spec.id);
    return Annotate(pid.status(), "create task ", spec.id);
  }
  watcher_->Watch(spec.id);
  std::move(remove_streams).Cancel();
  std::move(forget).Cancel();
  return pid;
}

absl::Status ContainerdDriver::CreateContainer(const TaskSpec& spec) {
  containers::CreateContainerRequest request;
  containers::Container& container = *request.mutable_container();
  container.set_id(spec.id);
  for (const auto& label : spec.labels) {
    if (label.first.size() + label.second.size() > kMaxLabelBytes) continue;
    (*container.mutable_labels())[label.first] = label.second;
  }
  (*container.mutable_labels())[kKindLabel] = spec.is_sandbox ? "sandbox" : "container";
  (*container.mutable_labels())[kSandboxLabel] = spec.sandbox_id;
  container.set_image(spec.image_name);
  container.mutable_runtime()->set_name(options_.runtime_name);
  if (absl::StartsWith(options_.runtime_name, kRuncShims)) {
    containerd::runc::v1::Options runc;
    runc.set_binary_name(options_.runtime_binary);
    google::protobuf::Any& any = *container.mutable_runtime()->mutable_options();
    any.set_type_url(kRuncOptionsType);
    any.set_value(runc.SerializeAsString());
  }
  container.mutable_spec()->set_type_url(kSpecType);
  container.mutable_spec()->set_value(spec.spec_json);
  if (!spec.snapshot_key.empty()) {
    container.set_snapshotter(containerd_->snapshotter());
    container.set_snapshot_key(spec.snapshot_key);
  }
  containers::CreateContainerResponse response;
  return FromRuntime(containerd_->containers().Create(
      containerd_->Context(options_.call_timeout).get(), request, &response));
}

absl::StatusOr<uint32_t> ContainerdDriver::CreateTask(const TaskSpec& spec, const ContainerIo* io) {
  tasks::CreateTaskRequest request;
  request.set_container_id(spec.id);
  for (const auto& mount : spec.rootfs) *request.add_rootfs() = mount;
  if (io != nullptr) {
    request.set_stdin(io->stdin_path());
    request.set_stdout(io->stdout_path());
    request.set_stderr(io->stderr_path());
    request.set_terminal(spec.tty);
  }
  tasks::CreateTaskResponse response;
  CRISP_RETURN_IF_ERROR(FromRuntime(containerd_->tasks().Create(
      containerd_->Context(options_.create_timeout).get(), request, &response)));
  return response.pid();
}

absl::Status ContainerdDriver::Adopt(const TaskSpec& spec) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", spec.id));
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Task> task, Add(spec));
  if (!spec.is_sandbox) {
    // Neither a log nor streams that cannot be opened are a reason to lose sight
    // of a container. Without a log its output is still read, or it would block.
    auto log = OpenLog(spec);
    if (!log.ok()) {
      LogWarn("log of an adopted container cannot be opened: its output is dropped",
              {{"id", spec.id}, {"error", log.status()}});
    }
    auto io = ContainerIo::Adopt(loop_.get(), streams_, spec.id, IoOptions(spec),
                                 log.ok() ? *std::move(log) : nullptr);
    if (io.ok()) {
      absl::MutexLock lock(&mu_);
      task->io = *std::move(io);
    } else {
      LogWarn("streams of an adopted container cannot be opened",
              {{"id", spec.id}, {"error", io.status()}});
    }
  }
  watcher_->Watch(spec.id);
  return absl::OkStatus();
}

absl::Status ContainerdDriver::Start(const std::string& id) {
  tasks::StartRequest request;
  request.set_container_id(id);
  tasks::StartResponse response;
  absl::Status started = FromRuntime(containerd_->tasks().Start(
      containerd_->Context(options_.start_timeout).get(), request, &response));
  if (absl::IsInternal(started)) {
    // runc has no code of its own for it.
    const auto state = State(id);
    if (state.ok() &&
        (state->status == TaskStatus::kRunning || state->status == TaskStatus::kPaused)) {
      started = absl::FailedPreconditionError(started.message());
    }
  }
  return Annotate(started, "start ", id);
}

absl::Status ContainerdDriver::Kill(const std::string& id, int signal, bool all) {
  tasks::KillRequest request;
  request.set_container_id(id);
  request.set_signal(static_cast<uint32_t>(signal));
  request.set_all(all);
  google::protobuf::Empty nothing;
  const grpc::Status status = containerd_->tasks().Kill(
      containerd_->Context(options_.call_timeout).get(), request, &nothing);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return absl::OkStatus();
  return Annotate(FromRuntime(status), "kill ", id, " with signal ", signal);
}

absl::Status ContainerdDriver::Delete(const std::string& id) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", id));
  const std::shared_ptr<Task> task = Find(id);
  CRISP_RETURN_IF_ERROR(Annotate(DeleteTask(id), "delete task ", id));
  CRISP_RETURN_IF_ERROR(Annotate(DeleteContainer(id), "delete container ", id));
  if (task != nullptr) {
    std::shared_ptr<ContainerIo> io;
    {
      absl::MutexLock lock(&mu_);
      io = task->io;
    }
    if (io != nullptr) io->Close();
    loop_->Post([this, task] { Report(task); });
  }
  CRISP_RETURN_IF_ERROR(ContainerIo::Remove(streams_, id));
  Forget(id);
  return absl::OkStatus();
}

absl::Status ContainerdDriver::DeleteTask(const std::string& id) {
  const std::shared_ptr<Task> task = Find(id);
  bool exited = false;
  if (task != nullptr) {
    absl::MutexLock lock(&mu_);
    exited = task->exited;
  }
  if (!exited) CRISP_RETURN_IF_ERROR(Stop(id));
  if (task != nullptr) NoteOom(task);  // Its cgroup goes with the task.
  tasks::DeleteTaskRequest request;
  request.set_container_id(id);
  tasks::DeleteResponse response;
  grpc::Status status;
  // A task whose shim has lost it is NotFound once, and stays registered in
  // containerd until the second call. Of a shim that has just died containerd says that
  // the connection is closed, until it has cleaned up after it.
  int not_found = 0;
  for (int attempt = 0; attempt < kDeleteAttempts; ++attempt) {
    status = containerd_->tasks().Delete(containerd_->Context(options_.delete_timeout).get(),
                                         request, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      if (++not_found == 2) break;
    } else if (absl::StrContains(status.error_message(), "ttrpc: closed")) {
      absl::SleepFor(kShimCleanup);
    } else {
      break;
    }
  }
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(FromRuntime(status));
  TaskExit exit;
  exit.exit_code = static_cast<int>(response.exit_status());
  exit.exited_at_ns = ToNanos(response.exited_at());
  if (exit.exited_at_ns > 0) OnTaskExit(id, exit);
  return absl::OkStatus();
}

absl::Status ContainerdDriver::Stop(const std::string& id) {
  const absl::Duration deadline = Clock::Real()->Steady() + options_.call_timeout;
  absl::Duration pause = absl::Milliseconds(5);
  while (true) {
    const auto state = State(id);
    if (absl::IsNotFound(state.status())) return absl::OkStatus();
    CRISP_RETURN_IF_ERROR(state.status());
    // One whose state is unknown has lost its shim, which containerd clears away.
    // One that was never started could be deleted as it is, but runc's shim then
    // waits two seconds for the end of its output before it ends the process.
    if (state->status == TaskStatus::kStopped || state->status == TaskStatus::kUnknown) {
      return absl::OkStatus();
    }
    if (Clock::Real()->Steady() > deadline) {
      return absl::DeadlineExceededError("its processes do not end");
    }
    CRISP_RETURN_IF_ERROR(Kill(id, SIGKILL, /*all=*/true));
    absl::SleepFor(pause);
    pause = std::min(pause * 2, absl::Milliseconds(200));
  }
}

absl::Status ContainerdDriver::DeleteContainer(const std::string& id) {
  containers::DeleteContainerRequest request;
  request.set_id(id);
  google::protobuf::Empty nothing;
  const grpc::Status status = containerd_->containers().Delete(
      containerd_->Context(options_.call_timeout).get(), request, &nothing);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return absl::OkStatus();
  return FromRuntime(status);
}

absl::StatusOr<TaskState> ContainerdDriver::State(const std::string& id) {
  tasks::GetRequest request;
  request.set_container_id(id);
  tasks::GetResponse response;
  CRISP_RETURN_IF_ERROR(
      Annotate(FromRuntime(containerd_->tasks().Get(
                   containerd_->Context(options_.call_timeout).get(), request, &response)),
               "state of ", id));
  TaskState state;
  state.status = FromContainerd(response.process().status());
  state.pid = response.process().pid();
  if (state.status != TaskStatus::kStopped) return state;
  state.exit.exit_code = static_cast<int>(response.process().exit_status());
  state.exit.exited_at_ns = ToNanos(response.process().exited_at());
  if (const std::shared_ptr<Task> task = Find(id)) {
    absl::MutexLock lock(&mu_);
    if (task->exited) state.exit = task->exit;
  }
  return state;
}

absl::StatusOr<std::vector<uint32_t>> ContainerdDriver::Pids(const std::string& id) {
  tasks::ListPidsRequest request;
  request.set_container_id(id);
  tasks::ListPidsResponse response;
  CRISP_RETURN_IF_ERROR(
      Annotate(FromRuntime(containerd_->tasks().ListPids(
                   containerd_->Context(options_.call_timeout).get(), request, &response)),
               "processes of ", id));
  std::vector<uint32_t> pids;
  for (const auto& process : response.processes()) pids.push_back(process.pid());
  return pids;
}

absl::StatusOr<std::vector<std::string>> ContainerdDriver::List() {
  std::vector<std::string> ids;
  containers::ListContainersRequest request;
  request.add_filters(absl::StrCat("labels.\"", kKindLabel, "\""));
  const auto context = containerd_->Context(options_.call_timeout);
  // A stream, because a thousand specs do not fit in one message.
  const auto stream = containerd_->containers().ListStream(context.get(), request);
  containers::ListContainerMessage message;
  while (stream->Read(&message)) {
    if (message.container().runtime().name() != options_.runtime_name) continue;
    ids.push_back(message.container().id());
  }
  CRISP_RETURN_IF_ERROR(Annotate(FromRuntime(stream->Finish()), "list containers"));
  // A Create that died before containerd heard of it leaves its streams.
  std::error_code error;
  for (std::filesystem::directory_iterator it(streams_.path, error), end; !error && it != end;
       it.increment(error)) {
    ids.push_back(it->path().filename().string());
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

absl::StatusOr<ExecResult> ContainerdDriver::ExecSync(const std::string& id,
                                                      const std::string& process_json,
                                                      absl::Duration timeout) {
  CRISP_RETURN_IF_ERROR(Annotate(CheckRuns(id), "exec in ", id));
  return exec_.Run(id, process_json, timeout);
}

absl::StatusOr<std::unique_ptr<ExecSession>> ContainerdDriver::Exec(const std::string& id,
                                                                    const std::string& process_json,
                                                                    const SessionStreams& streams) {
  CRISP_RETURN_IF_ERROR(Annotate(CheckRuns(id), "exec in ", id));
  return sessions_.Start(id, process_json, streams);
}

absl::StatusOr<std::unique_ptr<TaskSession>> ContainerdDriver::Attach(
    const std::string& id, const SessionStreams& streams) {
  const std::shared_ptr<Task> task = Find(id);
  if (task == nullptr) return absl::NotFoundError(absl::StrCat("no task ", id));
  std::shared_ptr<ContainerIo> io;
  {
    absl::MutexLock lock(&mu_);
    io = task->io;
  }
  if (io == nullptr) return absl::FailedPreconditionError(absl::StrCat(id, " has no streams"));
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Attachment> attachment, Attachment::Make(streams));
  UniqueFd input;
  if (streams.stdin) {
    auto opened = io->OpenStdin();
    if (opened.ok()) {
      input = *std::move(opened);
    } else if (ErrnoOf(opened.status()) != ENXIO && !absl::IsFailedPrecondition(opened.status())) {
      return Annotate(opened.status(), "input of ", id);
    }
  }
  io->Attach(attachment);
  // After it is attached, so that an end in between is not missed.
  CRISP_RETURN_IF_ERROR(Annotate(CheckRuns(id), "attach to ", id));
  return std::make_unique<AttachSession>(attachment,
                                         std::make_shared<TtyResizer>(containerd_, id, ""),
                                         std::move(input), [this, id, once = task->stdin_once] {
                                           if (once) CloseIoLater(containerd_, id, "");
                                         });
}

absl::Status ContainerdDriver::CheckRuns(const std::string& id) {
  const std::shared_ptr<Task> task = Find(id);
  if (task == nullptr) return absl::OkStatus();
  absl::MutexLock lock(&mu_);
  return task->exited ? absl::FailedPreconditionError("it has ended") : absl::OkStatus();
}

absl::Status ContainerdDriver::Update(const std::string& id, const std::string& resources_json) {
  tasks::UpdateTaskRequest request;
  request.set_container_id(id);
  request.mutable_resources()->set_type_url(kResourcesType);
  request.mutable_resources()->set_value(resources_json);
  google::protobuf::Empty nothing;
  return Annotate(FromRuntime(containerd_->tasks().Update(
                      containerd_->Context(options_.call_timeout).get(), request, &nothing)),
                  "update ", id);
}

absl::Status ContainerdDriver::ReopenLog(const std::string& id) {
  const std::shared_ptr<Task> task = Find(id);
  if (task == nullptr) return absl::NotFoundError(absl::StrCat("no task ", id));
  std::shared_ptr<ContainerIo> io;
  {
    absl::MutexLock lock(&mu_);
    io = task->io;
  }
  if (io == nullptr) return absl::FailedPreconditionError(absl::StrCat(id, " has no log"));
  return Annotate(io->ReopenLog(), id);
}

std::shared_ptr<ContainerdDriver::Task> ContainerdDriver::Find(const std::string& id) {
  absl::MutexLock lock(&mu_);
  auto it = tasks_.find(id);
  return it == tasks_.end() ? nullptr : it->second;
}

absl::StatusOr<std::shared_ptr<ContainerdDriver::Task>> ContainerdDriver::Add(
    const TaskSpec& spec) {
  auto task = std::make_shared<Task>();
  task->id = spec.id;
  task->cgroup_path = spec.cgroup_path;
  task->stdin_once = spec.stdin_once && !spec.tty;
  absl::MutexLock lock(&mu_);
  if (!tasks_.emplace(spec.id, task).second) {
    return absl::AlreadyExistsError(absl::StrCat("there is a task ", spec.id));
  }
  return task;
}

void ContainerdDriver::Forget(const std::string& id) {
  watcher_->Forget(id);
  std::shared_ptr<Task> task;  // Its streams are closed after the lock.
  absl::MutexLock lock(&mu_);
  auto it = tasks_.find(id);
  if (it == tasks_.end()) return;
  task = std::move(it->second);
  tasks_.erase(it);
}

void ContainerdDriver::OnEvent(const containerd::types::Envelope& envelope) {
  if (envelope.event().type_url() == "containerd.events.TaskOOM") {
    containerd::events::TaskOOM event;
    if (!event.ParseFromString(envelope.event().value())) return;
    if (const std::shared_ptr<Task> task = Find(event.container_id())) {
      absl::MutexLock lock(&mu_);
      task->oom_event = true;
    }
  } else if (envelope.event().type_url() == "containerd.events.TaskExit") {
    containerd::events::TaskExit event;
    if (!event.ParseFromString(envelope.event().value())) return;
    if (event.id() != event.container_id()) return;  // Of an exec.
    TaskExit exit;
    exit.exit_code = static_cast<int>(event.exit_status());
    exit.exited_at_ns = ToNanos(event.exited_at());
    watcher_->Resolve(event.container_id(), exit);
  }
}

void ContainerdDriver::OnTaskExit(const std::string& id, const TaskExit& exit) {
  const std::shared_ptr<Task> task = Find(id);
  if (task == nullptr) return;
  NoteOom(task);
  std::shared_ptr<ContainerIo> io;
  {
    absl::MutexLock lock(&mu_);
    if (task->exited) return;
    task->exited = true;
    task->exit = exit;
    // The cgroup's own count says whether it was a process of this container.
    task->exit.oom_killed = exit.exit_code == kSigKilled && !exit.lost &&
                            (task->oom_kills >= 0 ? task->oom_kills > 0 : task->oom_event);
    io = task->io;
  }
  if (io == nullptr) {
    loop_->Post([this, task] { Report(task); });
    return;
  }
  loop_->PostAfter(options_.output_drain, [this, task] { Report(task); });
  // By its id: the callback is the streams' own, and must not keep the task that
  // keeps them.
  io->OnDrained([this, id] {
    loop_->Post([this, id] {
      if (const std::shared_ptr<Task> ended = Find(id)) Report(ended);
    });
  });
}

void ContainerdDriver::NoteOom(const std::shared_ptr<Task>& task) {
  const auto cgroup = cgroup::Cgroup::Open(hierarchies_, task->cgroup_path);
  const auto kills = cgroup.ok() ? cgroup->OomKills() : cgroup.status();
  if (!kills.ok()) return;
  absl::MutexLock lock(&mu_);
  task->oom_kills = static_cast<int>(std::min<uint64_t>(*kills, 1));
}

void ContainerdDriver::Report(const std::shared_ptr<Task>& task) {
  TaskExit exit;
  std::shared_ptr<ContainerIo> io;
  {
    absl::MutexLock lock(&mu_);
    if (!task->exited || task->reported) return;
    task->reported = true;
    exit = task->exit;
    io = task->io;
  }
  if (io != nullptr) io->Exited(exit.exit_code);
  if (on_exit_) on_exit_(task->id, exit);
}

}  // namespace crisp::cri
