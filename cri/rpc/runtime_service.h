// runtime.v1.RuntimeService: its methods by name, each an RPC of rpcs.h.
//
// Ownership: the methods borrow the context.
// Threads:   as the server's; safe.
#ifndef CRISP_CRI_RPC_RUNTIME_SERVICE_H_
#define CRISP_CRI_RPC_RUNTIME_SERVICE_H_

#include "cri/rpc/rpc_context.h"
#include "grpc_server/methods.h"

namespace crisp::cri {

// What the service has beyond these answers UNIMPLEMENTED, the server's own default.
void AddRuntimeService(RpcContext* context, grpcserver::Methods* methods);

}  // namespace crisp::cri

#endif  // CRISP_CRI_RPC_RUNTIME_SERVICE_H_
