#include "cri/main/server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

// What CRI clients receive; an ExecSync answer may hold 16 MiB a stream.
constexpr int kMaxReceiveBytes = 16 << 20;
constexpr int kMaxSendBytes = 64 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& listen,
                                                      const std::vector<grpc::Service*>& services) {
  const std::string path = listen.substr(sizeof("unix://") - 1);
  CRISP_RETURN_IF_ERROR(MakeDirs(path.substr(0, path.rfind('/')), 0700));
  if (::unlink(path.c_str()) == -1 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("replace the socket ", path));
  }
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.SetMaxSendMessageSize(kMaxSendBytes);
  for (grpc::Service* service : services) builder.RegisterService(service);
  // The socket is born unreachable for others, not made so afterwards.
  const mode_t previous = ::umask(0177);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ::umask(previous);
  if (server == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", listen));
  }
  return std::unique_ptr<Server>(new Server(path, std::move(server)));
}

Server::Server(std::string path, std::unique_ptr<grpc::Server> server)
    : path_(std::move(path)), server_(std::move(server)) {}

Server::~Server() { (void)::unlink(path_.c_str()); }

void Server::Stop(absl::Duration grace) {
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoSeconds(grace));
  server_->Wait();
}

}  // namespace crisp::cri
