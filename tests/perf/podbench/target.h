// One CRI socket under measurement.
//
// Ownership: owns its channel.
// Threads:   safe; a pod belongs to the thread that made it.
// Errors:    the server's own code and message, with the name of the target and
//            of the call.
#ifndef CRISP_TESTS_PERF_PODBENCH_TARGET_H_
#define CRISP_TESTS_PERF_PODBENCH_TARGET_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/cri/v1/api.grpc.pb.h"

namespace crisp::podbench {

struct PodOptions {
  std::string image;
  bool host_network = false;
  bool exec = true;  // Also time ExecSync of `true`.
  // What the container runs; empty: it waits, and ends at once on SIGTERM.
  std::vector<std::string> command;
  std::string log_directory;   // Absolute; empty: output is discarded.
  std::string data_directory;  // Of the host, read-only at /data; empty: none.
};

// The file in `log_directory` that the container's output goes to.
inline constexpr char kLogFile[] = "main.log";

// In the environment of every container's processes, so that they can be told from
// the runtime's own: "PODBENCH=<serial>".
inline constexpr char kWorkloadVariable[] = "PODBENCH";

struct PodIds {
  std::string pod;
  std::string container;  // Empty if the pod failed before it had one.
};

// Called with the CRI name of each operation and the time that it took.
using Timing = std::function<void(const std::string& operation, absl::Duration took)>;

class Target {
 public:
  // `handler` is the runtime handler of every pod; "" the server's default.
  Target(std::string name, const std::string& address, std::string handler);

  const std::string& name() const { return name_; }

  // The process at the other end of the socket.
  absl::StatusOr<pid_t> ServerPid() const;
  const std::string& socket() const { return socket_; }  // Its path.

  // Waits until the server answers, and checks that it has the image.
  absl::Status Prepare(const std::string& image);

  // One pod with one container from nothing to nothing. `serial` makes its name
  // unique. A failure ends the life early; the pod is removed all the same.
  absl::Status LivePod(const PodOptions& options, int serial, const Timing& timing);

  // The halves of that. `ids` tells what there is to end even after a failure.
  absl::Status StartPod(const PodOptions& options, int serial, const Timing& timing, PodIds* ids);
  absl::Status EndPod(const PodIds& ids, const Timing& timing);

  // One more container in the pod, not started. It goes with the pod.
  absl::Status AddContainer(const PodIds& ids, const PodOptions& options, int serial);

  absl::Status ExecTrue(const PodIds& ids, const Timing& timing);
  absl::StatusOr<runtime::v1::ContainerState> State(const PodIds& ids);

 private:
  template <typename Request, typename Response>
  absl::Status Call(const char* operation,
                    grpc::Status (runtime::v1::RuntimeService::Stub::*rpc)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                    const Request& request, Response* response, const Timing& timing);

  const std::string name_;
  const std::string socket_;  // A path.
  const std::string handler_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<runtime::v1::RuntimeService::Stub> runtime_;
  const std::unique_ptr<runtime::v1::ImageService::Stub> images_;
};

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_TARGET_H_
