#include "agent/service/server.h"

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "agent/service/agent_service.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unix_socket.h"

namespace crisp::agent {
namespace {

// Far above any object; Kubernetes' API server takes 3 MiB.
constexpr int kMaxReceiveBytes = 16 << 20;

// Takes away a socket that nobody serves.
absl::Status ClearSocket(const std::string& path) {
  const absl::Status connected = ConnectUnix(path).status();
  if (ErrnoOf(connected) == ENAMETOOLONG) return connected;
  if (connected.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("another agent serves ", path));
  }
  if (::unlink(path.c_str()) == -1 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("replace the socket ", path));
  }
  return absl::OkStatus();
}

}  // namespace

struct AgentServer::Parts {
  Parts(std::string p, const ServiceContext* context) : path(std::move(p)), service(context) {}

  const std::string path;
  AgentService service;
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<AgentServer>> AgentServer::Start(const std::string& listen,
                                                                const ServiceContext* context) {
  absl::string_view rest = listen;
  if (!absl::ConsumePrefix(&rest, "unix://") || rest.empty() || rest[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("--listen: must be unix:///PATH, not ", listen));
  }
  const std::string path(rest);
  CRISP_RETURN_IF_ERROR(MakeDirs(path.substr(0, path.rfind('/')), 0700));
  CRISP_RETURN_IF_ERROR(ClearSocket(path));
  auto parts = std::make_unique<Parts>(path, context);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.SetMaxSendMessageSize(-1);  // A list is as long as it is.
  builder.RegisterService(&parts->service);
  // The socket is born unreachable for others, not made so afterwards.
  const mode_t previous = ::umask(0177);
  parts->server = builder.BuildAndStart();
  ::umask(previous);
  if (parts->server == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", listen));
  }
  return std::unique_ptr<AgentServer>(new AgentServer(std::move(parts)));
}

AgentServer::AgentServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

AgentServer::~AgentServer() { (void)::unlink(parts_->path.c_str()); }

void AgentServer::Open() { parts_->service.Open(); }

void AgentServer::Stop(absl::Duration grace) {
  parts_->service.Close();
  parts_->server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoSeconds(grace));
  parts_->server->Wait();
}

}  // namespace crisp::agent
