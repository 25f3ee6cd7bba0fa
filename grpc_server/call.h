// One call as its handler sees it: whether anybody still waits for the answer.
//
// Ownership: borrowed for the length of the call.
// Threads:   the functions may be called from any.
#ifndef CRISP_GRPC_SERVER_CALL_H_
#define CRISP_GRPC_SERVER_CALL_H_

#include <functional>

namespace crisp {

struct Call {
  std::function<bool()> abandoned;  // The caller has gone away or its time is over.
  std::function<bool()> expired;    // Its time is over.
};

}  // namespace crisp

#endif  // CRISP_GRPC_SERVER_CALL_H_
