// absl::Status and grpc::Status, one to one: their codes share their numbers.
//
// Threads: free functions.
// Errors:  code and message are kept in both directions. The binary details that
//          a gRPC status may carry travel as a payload, so FromGrpc followed by
//          ToGrpc gives back what came. A code outside gRPC's range is Unknown.
#ifndef CRISP_CRI_CONTAINERD_GRPC_STATUS_H_
#define CRISP_CRI_CONTAINERD_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace crisp::cri {

absl::Status FromGrpc(const grpc::Status& status);

// An errno payload adds nothing here: ErrnoStatus has already chosen the code
// and spelt the errno in the message.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_GRPC_STATUS_H_
