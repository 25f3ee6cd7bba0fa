// The node as the agent sees it: CRI, the Volumes service and image import, all
// on crispd's socket.
//
//   CriClient node("unix:///run/crisp/crisp.sock");
//   auto reply = node.Runtime(&RuntimeService::Stub::Version, request, absl::Seconds(5));
//
// Ownership: owns its channel; connects on first use and again after a loss.
// Threads:   safe; every call blocks.
// Errors:    the server's code and message; a server that cannot be reached is
//            Unavailable, with what to do about it.
#ifndef CRISP_AGENT_CRI_CLIENT_H_
#define CRISP_AGENT_CRI_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "api/cri/v1/api.grpc.pb.h"
#include "api/images/v1/images.grpc.pb.h"
#include "api/volumes/v1/volumes.grpc.pb.h"

namespace crisp::agent {

class CriClient {
 public:
  static constexpr char kDefaultAddress[] = "unix:///run/crisp/crisp.sock";

  // `address` is a gRPC target; a bare path is taken as a unix socket.
  explicit CriClient(const std::string& address);

  // The bound of calls that the server answers from memory.
  static constexpr absl::Duration kQuick = absl::Seconds(30);

  template <typename Request, typename Reply>
  using RuntimeCall = grpc::Status (runtime::v1::RuntimeService::Stub::*)(grpc::ClientContext*,
                                                                          const Request&, Reply*);
  template <typename Request, typename Reply>
  using ImageCall = grpc::Status (runtime::v1::ImageService::Stub::*)(grpc::ClientContext*,
                                                                      const Request&, Reply*);
  template <typename Request, typename Reply>
  using VolumesCall = grpc::Status (crisp::volumes::v1::Volumes::Stub::*)(grpc::ClientContext*,
                                                                          const Request&, Reply*);

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Runtime(RuntimeCall<Request, Reply> method, const Request& request,
                                absl::Duration timeout = kQuick) {
    return Call(*runtime_, method, request, timeout);
  }
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Image(ImageCall<Request, Reply> method, const Request& request,
                              absl::Duration timeout = kQuick) {
    return Call(*image_, method, request, timeout);
  }
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Volumes(VolumesCall<Request, Reply> method, const Request& request,
                                absl::Duration timeout = kQuick) {
    return Call(*volumes_, method, request, timeout);
  }

  crisp::images::v1::Images::Stub& images() { return *images_; }
  // For what is no plain call: streams.
  runtime::v1::RuntimeService::Stub& runtime() { return *runtime_; }

  // A failed RPC in the user's words.
  absl::Status Explain(const grpc::Status& status) const;

  const std::string& address() const { return address_; }

  // Ends every call under way, and every later one at once, as Cancelled.
  void CancelAll();

 private:
  // A call's context, known to CancelAll while it lives.
  class Cancellable {
   public:
    Cancellable(CriClient* client, grpc::ClientContext* context);
    ~Cancellable();
    Cancellable(const Cancellable&) = delete;
    Cancellable& operator=(const Cancellable&) = delete;

   private:
    CriClient& client_;
    grpc::ClientContext* const context_;
  };

  template <typename Stub, typename Request, typename Reply>
  absl::StatusOr<Reply> Call(Stub& stub,
                             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
                             const Request& request, absl::Duration timeout) {
    grpc::ClientContext context;
    if (timeout != absl::InfiniteDuration()) {
      context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    }
    const Cancellable cancellable(this, &context);
    Reply reply;
    const grpc::Status status = (stub.*method)(&context, request, &reply);
    if (!status.ok()) return Explain(status);
    return reply;
  }

  std::string address_;
  absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> under_way_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<runtime::v1::RuntimeService::Stub> runtime_;
  std::unique_ptr<runtime::v1::ImageService::Stub> image_;
  std::unique_ptr<crisp::volumes::v1::Volumes::Stub> volumes_;
  std::unique_ptr<crisp::images::v1::Images::Stub> images_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CRI_CLIENT_H_
