// A container that somebody wants to do something in.
//
// Threads: free functions; safe.
// Errors:  NotFound; FailedPrecondition if it does not run.
#ifndef CRISP_CRI_RPC_RUNNING_CONTAINER_H_
#define CRISP_CRI_RPC_RUNNING_CONTAINER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cri/rpc/rpc_context.h"
#include "google/protobuf/repeated_field.h"

namespace crisp::cri::rpc {

struct RunningContainer {
  std::shared_ptr<Container> container;
  TaskDriver* driver = nullptr;
};

absl::StatusOr<RunningContainer> FindRunningContainer(const RpcContext& context,
                                                      const std::string& id);

// The OCI process that runs `cmd` in it.
absl::StatusOr<std::string> ExecProcessJson(
    const Container& container, const google::protobuf::RepeatedPtrField<std::string>& cmd,
    bool tty);

}  // namespace crisp::cri::rpc

#endif  // CRISP_CRI_RPC_RUNNING_CONTAINER_H_
