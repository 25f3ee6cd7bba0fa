// One shim, as crispd sees it: the process, its socket, and calls over ttrpc.
//
// Ownership: owns the connection, never the shim: dropping the client leaves the pod
//            running, and Connect finds it again.
// Threads:   safe. Any number of calls at once over one connection; answers come in
//            any order. One loop thread serves the connections of all shims.
// Errors:    the shim's own code and text. Unavailable: the connection is gone; OnLost
//            has been or will be called. DeadlineExceeded: the shim did not answer.
// Crash:     the shim and its socket outlive crispd.
#ifndef CRISP_SHIM_CLIENT_SHIM_CLIENT_H_
#define CRISP_SHIM_CLIENT_SHIM_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/shim/v1/shim.pb.h"
#include "api/shim/wire/task.pb.h"

namespace crisp::shim {

class ShimClient {
 public:
  struct SpawnOptions {
    std::string binary;     // The protected copy of containerd-shim-crisp-v1.
    std::string directory;  // Exists, 0700, of this shim alone: socket, pid, exits.
    std::string id;         // The pod's.
  };

  virtual ~ShimClient() = default;

  virtual absl::Status Call(absl::string_view service, absl::string_view method,
                            const google::protobuf::MessageLite& request,
                            google::protobuf::MessageLite* response, absl::Duration timeout) = 0;

  // Calls back once with the answer, on the loop's thread: it must not block.
  using Done = std::function<void(absl::Status, std::string payload)>;
  virtual void CallAsync(absl::string_view service, absl::string_view method,
                         const google::protobuf::MessageLite& request, absl::Duration timeout,
                         Done done) = 0;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_CLIENT_SHIM_CLIENT_H_
