// The gRPC side of crisp.agent.v1: each call goes to its function in rpcs.h; a Status
// becomes gRPC's.
//
// Ownership: borrows the context.
// Threads:   gRPC's own, many at a time.
#ifndef CRISP_AGENT_SERVICE_AGENT_SERVICE_H_
#define CRISP_AGENT_SERVICE_AGENT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "agent/service/service_context.h"
#include "api/agent/v1/agent.grpc.pb.h"

namespace crisp::agent {

class AgentService : public v1::Agent::Service {
 public:
  explicit AgentService(const ServiceContext* context) : context_(*context) {}

  // Calls are answered with UNAVAILABLE before.
  void Open() { open_ = true; }
  // Ends the watches, for which the server would wait otherwise.
  void Close() { closed_ = true; }

 private:
  using Context = grpc::ServerContext;
  grpc::Status Info(Context*, const v1::InfoRequest*, v1::InfoResponse*) override;
  grpc::Status Apply(Context*, const v1::ApplyRequest*, v1::ApplyResponse*) override;
  grpc::Status Create(Context*, const v1::CreateRequest*, v1::CreateResponse*) override;
  grpc::Status Delete(Context*, const v1::DeleteRequest*, v1::DeleteResponse*) override;
  grpc::Status Get(Context*, const v1::GetRequest*, v1::GetResponse*) override;
  grpc::Status List(Context*, const v1::ListRequest*, v1::ListResponse*) override;
  grpc::Status Watch(Context*, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::WatchResponse>*) override;
  grpc::Status Scale(Context*, const v1::ScaleRequest*, v1::ScaleResponse*) override;
  grpc::Status Label(Context*, const v1::LabelRequest*, v1::LabelResponse*) override;
  grpc::Status Patch(Context*, const v1::PatchRequest*, v1::PatchResponse*) override;
  grpc::Status ResolvePod(Context*, const v1::ResolvePodRequest*, v1::ResolvePodResponse*) override;
  grpc::Status Stats(Context*, const v1::StatsRequest*, v1::StatsResponse*) override;

  const ServiceContext& context_;
  std::atomic<bool> open_ = false;
  std::atomic<bool> closed_ = false;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SERVICE_AGENT_SERVICE_H_
