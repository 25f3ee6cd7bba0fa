// What crispd's log says of each RPC.
//
// Threads: safe.
#ifndef CRISP_CRI_MAIN_CALL_LOG_H_
#define CRISP_CRI_MAIN_CALL_LOG_H_

#include "grpc_server/grpc_server.h"

namespace crisp::cri {

// A line for a call that failed or was slow.
void LogCall(const grpcserver::Outcome& outcome);
// At level debug, where every call has one.
void LogEveryCall(const grpcserver::Outcome& outcome);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_CALL_LOG_H_
