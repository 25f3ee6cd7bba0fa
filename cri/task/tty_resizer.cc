#include "cri/task/tty_resizer.h"

namespace crisp::cri {
namespace {

namespace tasks = containerd::services::tasks::v1;

struct ResizeCall {
  std::unique_ptr<grpc::ClientContext> context;
  tasks::ResizePtyRequest request;
  google::protobuf::Empty response;
};

}  // namespace

void TtyResizer::Resize(uint32_t width, uint32_t height) {
  absl::MutexLock lock(&mu_);
  if (stopped_) return;
  if (in_flight_) {
    next_ = Size{width, height};
  } else {
    Send(Size{width, height});
  }
}

void TtyResizer::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
  next_.reset();
}

void TtyResizer::Send(const Size& size) {
  in_flight_ = true;
  auto call = std::make_shared<ResizeCall>();
  call->context = containerd_->Context();
  call->request.set_container_id(task_id_);
  call->request.set_exec_id(exec_id_);
  call->request.set_width(size.width);
  call->request.set_height(size.height);
  containerd_->tasks().async()->ResizePty(
      call->context.get(), &call->request, &call->response,
      [self = shared_from_this(), call](grpc::Status) { self->OnDone(); });
}

void TtyResizer::OnDone() {
  absl::MutexLock lock(&mu_);
  in_flight_ = false;
  if (stopped_ || !next_.has_value()) return;
  const Size size = *next_;
  next_.reset();
  Send(size);
}

}  // namespace crisp::cri
