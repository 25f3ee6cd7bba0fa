#include "cri/task/late_calls.h"

#include <memory>

namespace crisp::cri {
namespace {

namespace tasks = containerd::services::tasks::v1;

constexpr absl::Duration kTimeout = absl::Seconds(30);

template <typename Request, typename Response>
struct LateCall {
  LateCall(Containerd* containerd, const std::string& task_id, const std::string& exec_id)
      : context(containerd->Context(kTimeout)) {
    context->set_wait_for_ready(true);
    request.set_container_id(task_id);
    request.set_exec_id(exec_id);
  }

  const std::unique_ptr<grpc::ClientContext> context;
  Request request;
  Response response;
};

}  // namespace

void CloseIoLater(Containerd* containerd, const std::string& task_id, const std::string& exec_id) {
  auto call = std::make_shared<LateCall<tasks::CloseIORequest, google::protobuf::Empty>>(
      containerd, task_id, exec_id);
  call->request.set_stdin(true);
  containerd->tasks().async()->CloseIO(call->context.get(), &call->request, &call->response,
                                       [call](grpc::Status) {});
}

void DeleteProcessLater(Containerd* containerd, const std::string& task_id,
                        const std::string& exec_id) {
  auto call = std::make_shared<LateCall<tasks::DeleteProcessRequest, tasks::DeleteResponse>>(
      containerd, task_id, exec_id);
  containerd->tasks().async()->DeleteProcess(call->context.get(), &call->request, &call->response,
                                             [call](grpc::Status) {});
}

}  // namespace crisp::cri
