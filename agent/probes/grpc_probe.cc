#include "agent/probes/grpc_probe.h"

#include <grpcpp/grpcpp.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/health/v1/health.grpc.pb.h"

namespace crisp::agent {

ProbeOutcome GrpcHealth(const std::string& host, int port, const std::string& service,
                        absl::Duration timeout) {
  using Result = ProbeOutcome::Result;
  using grpc::health::v1::HealthCheckResponse;
  const bool v6 = absl::StrContains(host, ':');
  const std::string address = absl::StrCat(v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A probe asks anew each time: an earlier connection says nothing about the next.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetUserAgentPrefix("kube-probe/crisp");
  const auto channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse reply;
  const grpc::Status status = stub->Check(&context, request, &reply);
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      if (reply.status() == HealthCheckResponse::SERVING)
        return {Result::kSuccess, "service is serving"};
      return {Result::kFailure,
              absl::StrCat("service unhealthy (responded with \"",
                           HealthCheckResponse::ServingStatus_Name(reply.status()), "\")")};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Result::kFailure,
              absl::StrCat("error: this server does not implement the grpc health protocol "
                           "(grpc.health.v1.Health): ",
                           status.error_message())};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNAVAILABLE:
      return {Result::kFailure,
              absl::StrCat("timeout: failed to connect service \"", address, "\" within ",
                           absl::FormatDuration(timeout), ": ", status.error_message())};
    default:
      return {Result::kFailure,
              absl::StrCat("error: health rpc probe failed: ", status.error_message())};
  }
}

}  // namespace crisp::agent
