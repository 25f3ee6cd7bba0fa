#include "agent/service/agent_service.h"

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/service/rpcs.h"
#include "base/log.h"

namespace crisp::agent {
namespace {

grpc::StatusCode CodeOf(absl::StatusCode code) {
  // A conflict has one code on the wire, however it came about.
  if (code == absl::StatusCode::kAborted) return grpc::StatusCode::FAILED_PRECONDITION;
  // gRPC's codes and Abseil's are the same numbers.
  return static_cast<grpc::StatusCode>(code);
}

// Runs a call, tells the log what became of it, and answers.
template <typename F>
grpc::Status Answer(bool open, const char* name, F call) {
  if (!open) {
    return {grpc::StatusCode::UNAVAILABLE, "the agent is still reading its state; try again"};
  }
  const absl::Time began = absl::Now();
  const absl::Status status = call();
  const double ms = absl::ToDoubleMilliseconds(absl::Now() - began);
  if (status.ok()) {
    LogDebug("call answered", {{"rpc", name}, {"ms", ms}});
    return grpc::Status::OK;
  }
  LogDebug("call failed", {{"rpc", name}, {"ms", ms}, {"reason", status}});
  return {CodeOf(status.code()), std::string(status.message())};
}

}  // namespace

grpc::Status AgentService::Info(Context*, const v1::InfoRequest*, v1::InfoResponse* response) {
  return Answer(open_, "Info", [&] { return rpc::Info(context_, response); });
}

grpc::Status AgentService::Apply(Context*, const v1::ApplyRequest* request,
                                 v1::ApplyResponse* response) {
  return Answer(open_, "Apply", [&] { return rpc::Apply(context_, *request, response); });
}

grpc::Status AgentService::Create(Context*, const v1::CreateRequest* request,
                                  v1::CreateResponse* response) {
  return Answer(open_, "Create", [&] { return rpc::Create(context_, *request, response); });
}

grpc::Status AgentService::Delete(Context*, const v1::DeleteRequest* request,
                                  v1::DeleteResponse* response) {
  return Answer(open_, "Delete", [&] { return rpc::Delete(context_, *request, response); });
}

grpc::Status AgentService::Get(Context*, const v1::GetRequest* request, v1::GetResponse* response) {
  return Answer(open_, "Get", [&] { return rpc::Get(context_, *request, response); });
}

grpc::Status AgentService::List(Context*, const v1::ListRequest* request,
                                v1::ListResponse* response) {
  return Answer(open_, "List", [&] { return rpc::List(context_, *request, response); });
}

grpc::Status AgentService::Watch(Context* context, const v1::WatchRequest* request,
                                 grpc::ServerWriter<v1::WatchResponse>* writer) {
  return Answer(open_, "Watch", [&] {
    rpc::WatchClient client;
    client.send = [writer](const v1::WatchResponse& response) { return writer->Write(response); };
    client.gone = [this, context] { return closed_ || context->IsCancelled(); };
    return rpc::Watch(context_, *request, client);
  });
}

grpc::Status AgentService::Scale(Context*, const v1::ScaleRequest* request,
                                 v1::ScaleResponse* response) {
  return Answer(open_, "Scale", [&] { return rpc::Scale(context_, *request, response); });
}

grpc::Status AgentService::Label(Context*, const v1::LabelRequest* request,
                                 v1::LabelResponse* response) {
  return Answer(open_, "Label", [&] { return rpc::Label(context_, *request, response); });
}

grpc::Status AgentService::Patch(Context*, const v1::PatchRequest* request,
                                 v1::PatchResponse* response) {
  return Answer(open_, "Patch", [&] { return rpc::Patch(context_, *request, response); });
}

grpc::Status AgentService::ResolvePod(Context*, const v1::ResolvePodRequest* request,
                                      v1::ResolvePodResponse* response) {
  return Answer(open_, "ResolvePod", [&] { return rpc::ResolvePod(context_, *request, response); });
}

grpc::Status AgentService::Stats(Context*, const v1::StatsRequest* request,
                                 v1::StatsResponse* response) {
  return Answer(open_, "Stats", [&] { return rpc::Stats(context_, *request, response); });
}

}  // namespace crisp::agent
