// One CRI socket under measurement.
//
// Ownership: owns its channel.
// Threads:   safe; a pod belongs to the thread that made it.
// Errors:    the server's own code and message, with the name of the target and
//            of the call.
#ifndef CRISP_TESTS_PERF_PODBENCH_TARGET_H_
#define CRISP_TESTS_PERF_PODBENCH_TARGET_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/cri/v1/api.grpc.pb.h"

namespace crisp::podbench {

struct PodOptions {
  std::string image;
  bool host_network = false;
  std::string runtime_handler;
  bool exec = true;  // Also time ExecSync of `true`.
};

// Called with the CRI name of each operation and the time that it took.
using Timing = std::function<void(const std::string& operation, absl::Duration took)>;

class Target {
 public:
  Target(std::string name, const std::string& address);

  const std::string& name() const { return name_; }

  // Waits until the server answers, and checks that it has the image.
  absl::Status Prepare(const std::string& image);

  // One pod with one container from nothing to nothing. `serial` makes its name
  // unique. A failure ends the life early; the pod is removed all the same.
  absl::Status LivePod(const PodOptions& options, int serial, const Timing& timing);

 private:
  template <typename Request, typename Response>
  absl::Status Call(const char* operation,
                    grpc::Status (runtime::v1::RuntimeService::Stub::*rpc)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                    const Request& request, Response* response, const Timing& timing);
  absl::Status StartPod(const PodOptions& options, int serial, const Timing& timing,
                        std::string* pod_id, std::string* container_id);
  absl::Status EndPod(const std::string& pod_id, const std::string& container_id,
                      const Timing& timing);

  const std::string name_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<runtime::v1::RuntimeService::Stub> runtime_;
  const std::unique_ptr<runtime::v1::ImageService::Stub> images_;
};

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_TARGET_H_
