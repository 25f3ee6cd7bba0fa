#include "cri/containerd/grpc_status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace crisp::cri {
namespace {

// The type of what gRPC's binary details hold.
constexpr char kDetails[] = "type.googleapis.com/google.rpc.Status";

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = status.error_code();
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  absl::Status out(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                   status.error_message());
  if (!status.error_details().empty()) {
    out.SetPayload(kDetails, absl::Cord(status.error_details()));
  }
  return out;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const absl::optional<absl::Cord> details = status.GetPayload(kDetails);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.has_value() ? std::string(*details) : std::string());
}

}  // namespace crisp::cri
