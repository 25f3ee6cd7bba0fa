// The calls of crisp.agent.v1, a function each: check, delegate, answer.
//
// Threads: any, many at a time.
// Errors:  as api/agent/v1/agent.proto lists them.
#ifndef CRISP_AGENT_SERVICE_RPCS_H_
#define CRISP_AGENT_SERVICE_RPCS_H_

#include <functional>

#include "absl/status/status.h"
#include "agent/service/service_context.h"
#include "api/agent/v1/agent.pb.h"

namespace crisp::agent::rpc {

namespace v1 = crisp::agent::v1;

absl::Status Info(const ServiceContext& context, v1::InfoResponse* response);
absl::Status Apply(const ServiceContext& context, const v1::ApplyRequest& request,
                   v1::ApplyResponse* response);
absl::Status Create(const ServiceContext& context, const v1::CreateRequest& request,
                    v1::CreateResponse* response);
absl::Status Patch(const ServiceContext& context, const v1::PatchRequest& request,
                   v1::PatchResponse* response);
absl::Status Scale(const ServiceContext& context, const v1::ScaleRequest& request,
                   v1::ScaleResponse* response);
absl::Status Label(const ServiceContext& context, const v1::LabelRequest& request,
                   v1::LabelResponse* response);
absl::Status Delete(const ServiceContext& context, const v1::DeleteRequest& request,
                    v1::DeleteResponse* response);
absl::Status Get(const ServiceContext& context, const v1::GetRequest& request,
                 v1::GetResponse* response);
absl::Status List(const ServiceContext& context, const v1::ListRequest& request,
                  v1::ListResponse* response);
absl::Status ResolvePod(const ServiceContext& context, const v1::ResolvePodRequest& request,
                        v1::ResolvePodResponse* response);
absl::Status Stats(const ServiceContext& context, const v1::StatsRequest& request,
                   v1::StatsResponse* response);

// How Watch reaches its client.
struct WatchClient {
  std::function<bool(const v1::WatchResponse&)> send;  // False once it is gone.
  std::function<bool()> gone;                          // Or the server ends.
};
absl::Status Watch(const ServiceContext& context, const v1::WatchRequest& request,
                   const WatchClient& client);

}  // namespace crisp::agent::rpc

#endif  // CRISP_AGENT_SERVICE_RPCS_H_
