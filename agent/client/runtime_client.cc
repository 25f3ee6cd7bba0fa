#include "agent/client/runtime_client.h"

#include "absl/strings/str_cat.h"
#include "agent/cri_client.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

using runtime::v1::RuntimeService;

constexpr size_t kChunk = 512 << 10;

template <typename Request>
void Fill(const CommandStreamRequest& from, Request* to) {
  to->set_container_id(from.container_id);
  to->set_stdin(from.in);
  to->set_stdout(from.out);
  // A terminal has one output.
  to->set_stderr(from.err && !from.tty);
  to->set_tty(from.tty);
}

}  // namespace

struct RuntimeClient::Rpc {
  explicit Rpc(const std::string& address) : node(address) {}
  agent::CriClient node;
};

RuntimeClient::RuntimeClient(const std::string& address) : rpc_(std::make_unique<Rpc>(address)) {}
RuntimeClient::~RuntimeClient() = default;

const std::string& RuntimeClient::address() const { return rpc_->node.address(); }

absl::StatusOr<std::string> RuntimeClient::Exec(const CommandStreamRequest& request) {
  runtime::v1::ExecRequest message;
  Fill(request, &message);
  for (const std::string& word : request.command) message.add_cmd(word);
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         rpc_->node.Runtime(&RuntimeService::Stub::Exec, message));
  return reply.url();
}

absl::StatusOr<std::string> RuntimeClient::Attach(const CommandStreamRequest& request) {
  runtime::v1::AttachRequest message;
  Fill(request, &message);
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         rpc_->node.Runtime(&RuntimeService::Stub::Attach, message));
  return reply.url();
}

absl::StatusOr<std::string> RuntimeClient::PortForward(const std::string& sandbox_id,
                                                       uint16_t port) {
  runtime::v1::PortForwardRequest message;
  message.set_pod_sandbox_id(sandbox_id);
  message.add_port(port);
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         rpc_->node.Runtime(&RuntimeService::Stub::PortForward, message));
  return reply.url();
}

absl::StatusOr<std::vector<ImportedImage>> RuntimeClient::Import(std::istream& archive,
                                                                 const std::string& source,
                                                                 const std::string& name) {
  grpc::ClientContext context;
  images::v1::ImportImageResponse reply;
  auto writer = rpc_->node.images().ImportImage(&context, &reply);
  images::v1::ImportImageRequest request;
  request.set_name(name);
  std::string chunk(kChunk, '\0');
  bool sent = true;
  // The first message goes out even for an empty file: the server says what is wrong.
  do {
    archive.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    request.set_data(chunk.data(), static_cast<size_t>(archive.gcount()));
    sent = writer->Write(request);
    request.clear_name();
  } while (sent && archive);
  if (archive.bad()) {
    context.TryCancel();
    (void)writer->Finish();
    return absl::DataLossError(absl::StrCat("reading ", source, " failed"));
  }
  // A failed write means that the server has ended the call: Finish says why.
  if (sent) writer->WritesDone();
  if (const grpc::Status status = writer->Finish(); !status.ok()) {
    return rpc_->node.Explain(status);
  }
  std::vector<ImportedImage> images;
  for (const auto& image : reply.images()) images.push_back({image.name(), image.id()});
  return images;
}

absl::StatusOr<RuntimeVersion> RuntimeClient::Version() {
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->node.Runtime(&RuntimeService::Stub::Version,
                                                              runtime::v1::VersionRequest()));
  return RuntimeVersion{reply.runtime_name(), reply.runtime_version(), reply.runtime_api_version()};
}

absl::StatusOr<std::vector<RuntimeCondition>> RuntimeClient::Conditions() {
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->node.Runtime(&RuntimeService::Stub::Status,
                                                              runtime::v1::StatusRequest()));
  std::vector<RuntimeCondition> conditions;
  for (const auto& each : reply.status().conditions()) {
    conditions.push_back({each.type(), each.status(), each.reason(), each.message()});
  }
  return conditions;
}

}  // namespace crisp::cli
