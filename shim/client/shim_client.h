// One shim, as crispd sees it: calls over the ttrpc connection to its socket.
//
// Ownership: owns the connection, never the shim: dropping the client leaves the pod
//            running, and Connect finds it again. Borrows the loop, which is stopped
//            before it ends. Answers that were still awaited are forgotten.
// Threads:   safe. Any number of calls at once over one connection; answers come in
//            any order. One loop thread serves the connections of all shims.
// Errors:    the shim's own code and text. Unavailable: the connection is gone, and
//            OnLost has been or will be called. DeadlineExceeded: the shim did not
//            answer in time; what it was asked it may still do.
// Crash:     the shim and its socket outlive crispd.
#ifndef CRISP_SHIM_CLIENT_SHIM_CLIENT_H_
#define CRISP_SHIM_CLIENT_SHIM_CLIENT_H_

#include <google/protobuf/message_lite.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/io_loop.h"

namespace crisp::shim {

inline constexpr char kTaskService[] = "containerd.task.v2.Task";
inline constexpr char kShimService[] = "crisp.shim.v1.Shim";

class ShimClient {
 public:
  // On the loop's thread, once, when the connection ends other than by the
  // destructor. Calls that were under way have failed before.
  using OnLost = std::function<void()>;
  // On the loop's thread, once: it must not block. Not at all after the destructor.
  using Done = std::function<void(absl::Status, std::string payload)>;

  // Connects to `directory`/socket, where a shim listens or will listen: calls wait
  // in the socket until it does. errno ECONNREFUSED or ENOENT: nobody ever will.
  static absl::StatusOr<std::unique_ptr<ShimClient>> Connect(IoLoop* loop,
                                                             const std::string& directory,
                                                             OnLost on_lost);
  ~ShimClient();
  ShimClient(const ShimClient&) = delete;
  ShimClient& operator=(const ShimClient&) = delete;

  // `response` may be null. An infinite `timeout` is none. Not from the loop's thread.
  absl::Status Call(absl::string_view service, absl::string_view method,
                    const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response, absl::Duration timeout);

  void CallAsync(absl::string_view service, absl::string_view method,
                 const google::protobuf::MessageLite& request, absl::Duration timeout, Done done);

  bool lost() const;

 private:
  class Connection;
  explicit ShimClient(std::shared_ptr<Connection> connection);

  const std::shared_ptr<Connection> connection_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_CLIENT_SHIM_CLIENT_H_
