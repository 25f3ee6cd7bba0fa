// Create, of both services: a task from containerd's bundle, or from crispd's message.
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/shim/v1/shim.pb.h"
#include "api/shim/wire/bootstrap.pb.h"
#include "api/shim/wire/task.pb.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "shim/io/container_log.h"
#include "shim/io/open_stdio.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

constexpr char kRuncOptions[] = "containerd.runc.v1.Options";
constexpr size_t kMaxSpecBytes = 16 << 20;

absl::StatusOr<wire::RuncOptions> OptionsOf(const wire::CreateTaskRequest& request) {
  wire::RuncOptions options;
  // Another runtime's options say nothing to us.
  if (request.options().type_url() == kRuncOptions &&
      !options.ParseFromString(request.options().value())) {
    return absl::InvalidArgumentError("options do not parse");
  }
  return options;
}

// What differs: where the spec comes from, and where the streams lead.

absl::Status Fill(const wire::CreateTaskRequest& request, Tasks& tasks, NewTask* task) {
  if (!request.checkpoint().empty()) {
    return absl::UnimplementedError("restoring from a checkpoint is not supported");
  }
  if (request.bundle().empty() || request.bundle()[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("bundle \"", request.bundle(), "\" is not absolute"));
  }
  CRISP_ASSIGN_OR_RETURN(const wire::RuncOptions options, OptionsOf(request));
  task->launch.bundle = request.bundle();
  CRISP_ASSIGN_OR_RETURN(task->launch.spec_json,
                         ReadFile(JoinPath(request.bundle(), "config.json"), kMaxSpecBytes));
  task->launch.no_pivot_root = options.no_pivot_root();
  task->launch.no_new_keyring = options.no_new_keyring();

  Stdio stdio;
  stdio.in = request.stdin();
  stdio.out = request.stdout();
  stdio.err = request.stderr();
  stdio.terminal = request.terminal();
  stdio.owner = task->owner = {options.io_uid(), options.io_gid()};
  stdio.container_id = request.id();
  stdio.container_namespace = tasks.context()->container_namespace;
  CRISP_ASSIGN_OR_RETURN(task->io,
                         OpenStdio(tasks.context()->loop, tasks.context()->children, stdio));
  task->names = {stdio.in, stdio.out, stdio.err};
  task->told = request;
  return absl::OkStatus();
}

absl::Status Fill(v1::CreateRequest& request, Tasks& tasks, NewTask* task) {
  Loop* const loop = tasks.context()->loop;
  const v1::Streams& streams = request.streams();
  CRISP_ASSIGN_OR_RETURN(auto log,
                         ContainerLog::Open(loop, streams.log_directory(), streams.log_path()));
  task->io = std::make_unique<ProcessIo>(loop, streams.terminal());
  CRISP_RETURN_IF_ERROR(task->io->AddLog(std::move(log)));
  if (streams.stdin()) CRISP_RETURN_IF_ERROR(task->io->AddInput());
  task->io->SetStdinOnce(streams.stdin_once());
  task->launch.spec_json = std::move(*request.mutable_spec_json());
  task->launch.crisp_options = true;
  task->mounts_from = request.mounts_from();
  return absl::OkStatus();
}

// What does not.
template <typename Request, typename Response>
void Create(Service& service, absl::string_view payload, Reply reply) {
  Request request;
  if (!Parse(payload, &request, reply)) return;
  Tasks& tasks = service.tasks();
  NewTask task;
  task.launch.id = request.id();
  for (const wire::Mount& mount : request.rootfs()) {
    task.launch.rootfs.push_back({mount.type(),
                                  mount.source(),
                                  mount.target(),
                                  {mount.options().begin(), mount.options().end()}});
  }
  absl::Status filled = tasks.CheckNew(request.id());
  if (filled.ok()) filled = Fill(request, tasks, &task);
  if (!filled.ok()) return std::move(reply).Error(filled);
  tasks.Create(std::move(task), [reply = std::move(reply)](absl::StatusOr<pid_t> pid) mutable {
    if (!pid.ok()) return std::move(reply).Error(pid.status());
    Response response;
    response.set_pid(static_cast<uint32_t>(*pid));
    std::move(reply).Ok(response);
  });
}

}  // namespace

void TaskCreate(Service& service, absl::string_view payload, Reply reply) {
  Create<wire::CreateTaskRequest, wire::CreateTaskResponse>(service, payload, std::move(reply));
}

void PodCreate(Service& service, absl::string_view payload, Reply reply) {
  Create<v1::CreateRequest, v1::CreateResponse>(service, payload, std::move(reply));
}

}  // namespace crisp::shim
