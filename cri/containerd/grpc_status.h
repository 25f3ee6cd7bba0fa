// What containerd's client answers, as an absl::Status: the codes share their numbers.
//
// Threads: free functions.
// Errors:  code and message are kept. A code outside gRPC's range is Unknown.
#ifndef CRISP_CRI_CONTAINERD_GRPC_STATUS_H_
#define CRISP_CRI_CONTAINERD_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace crisp::cri {

absl::Status FromGrpc(const grpc::Status& status);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_GRPC_STATUS_H_
