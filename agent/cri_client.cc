#include "agent/cri_client.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "agent/socket_probe.h"
#include "base/sys.h"

namespace crisp::agent {
namespace {

// ExecSync may return 16 MiB of each stream.
constexpr int kMaxMessageBytes = 64 << 20;

}  // namespace

CriClient::CriClient(const std::string& address) : address_(GrpcTarget(address)) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Calls never leave the machine, whatever the environment's proxies are.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel =
      grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  runtime_ = runtime::v1::RuntimeService::NewStub(channel);
  image_ = runtime::v1::ImageService::NewStub(channel);
  volumes_ = crisp::volumes::v1::Volumes::NewStub(channel);
  images_ = crisp::images::v1::Images::NewStub(channel);
}

CriClient::Cancellable::Cancellable(CriClient* client, grpc::ClientContext* context)
    : client_(*client), context_(context) {
  absl::MutexLock lock(&client_.mu_);
  client_.under_way_.insert(context_);
  if (client_.cancelled_) context_->TryCancel();
}

CriClient::Cancellable::~Cancellable() {
  absl::MutexLock lock(&client_.mu_);
  client_.under_way_.erase(context_);
}

void CriClient::CancelAll() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
  for (grpc::ClientContext* context : under_way_) context->TryCancel();
}

absl::Status CriClient::Explain(const grpc::Status& status) const {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    const absl::Status probe = ProbeSocket(address_);
    switch (ErrnoOf(probe)) {
      case 0:
        break;  // Something answers there: the server's own words count.
      case EACCES:
      case EPERM:
        return absl::UnavailableError(
            absl::StrCat("no permission to use ", address_, ": run crisp as root (sudo)"));
      default:
        return absl::UnavailableError(absl::StrCat(
            "crispd does not answer at ", address_, " (", ErrnoName(ErrnoOf(probe)),
            "): start it with \"systemctl start crispd\" or \"crispd\", or name its socket with "
            "--address or CRISP_ADDRESS"));
    }
  }
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::Status(code, absl::StrCat("timed out: ", status.error_message()));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::Status(
          code, absl::StrCat(
                    "the server at ", address_, " cannot do this: ",
                    status.error_message().empty() ? "not implemented" : status.error_message()));
    default:
      return absl::Status(code, status.error_message().empty() ? absl::StatusCodeToString(code)
                                                               : status.error_message());
  }
}

}  // namespace crisp::agent
