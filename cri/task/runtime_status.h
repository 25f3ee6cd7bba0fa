// The errors of containerd's task service, as the layers above want them.
//
// What an OCI runtime prints when it fails reaches us with code Unknown and with
// that word behind it: it becomes Internal, and the word goes.
//
// Threads: a free function.
#ifndef CRISP_CRI_TASK_RUNTIME_STATUS_H_
#define CRISP_CRI_TASK_RUNTIME_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace crisp::cri {

absl::Status FromRuntime(const grpc::Status& status);

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_RUNTIME_STATUS_H_
