#include "cri/task/runtime_status.h"

#include <string>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "cri/containerd/grpc_status.h"

namespace crisp::cri {

absl::Status FromRuntime(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNKNOWN) return FromGrpc(status);
  const std::string message = status.error_message();
  absl::string_view text = message;
  while (absl::ConsumeSuffix(&text, ": unknown")) {
  }
  return absl::InternalError(text);
}

}  // namespace crisp::cri
