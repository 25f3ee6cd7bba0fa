#include "cri/containerd/containerd.h"

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/unix_socket.h"
#include "cri/containerd/containerd_version.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kReconnectCheck = absl::Milliseconds(250);
// How long a hung containerd can seem well: kubelet asks every five seconds.
constexpr absl::Duration kVersionAge = absl::Seconds(5);
constexpr absl::Duration kVersionTimeout = absl::Seconds(2);
constexpr char kSnapshotterType[] = "io.containerd.snapshotter.v1";

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(Containerd::kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(Containerd::kMaxMessageBytes);
  // A daemon that dies closes the socket, so pings only find one that hangs.
  // containerd ends connections that are pinged more often than every 5 minutes.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 6 * 60 * 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 60 * 1000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Each Containerd is a connection of its own, as its users expect.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("unix://", socket),
                                   grpc::InsecureChannelCredentials(), arguments);
}

absl::StatusOr<std::string> VersionWithin(Containerd::VersionService::Stub& stub,
                                          std::unique_ptr<grpc::ClientContext> context) {
  containerd::services::version::v1::VersionResponse response;
  CRISP_RETURN_IF_ERROR(
      FromGrpc(stub.Version(context.get(), google::protobuf::Empty(), &response)));
  return response.version();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Containerd>> Containerd::Connect(const std::string& socket,
                                                                const std::string& ns) {
  const std::string path(absl::StripPrefix(socket, "unix://"));
  if (!absl::StartsWith(path, "/") || path.size() > kUnixPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat("containerd address \"", socket,
                                                   "\" is not an absolute path of at most ",
                                                   kUnixPathBytes, " bytes"));
  }
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("containerd namespace", ns));
  return std::unique_ptr<Containerd>(new Containerd(path, ns, MakeChannel(path)));
}

Containerd::Containerd(std::string socket, std::string ns, std::shared_ptr<grpc::Channel> channel)
    : socket_(std::move(socket)),
      ns_(std::move(ns)),
      channel_(std::move(channel)),
      content_(Content::NewStub(channel_)),
      images_(Images::NewStub(channel_)),
      snapshots_(Snapshots::NewStub(channel_)),
      diff_(Diff::NewStub(channel_)),
      leases_(Leases::NewStub(channel_)),
      containers_(Containers::NewStub(channel_)),
      tasks_(Tasks::NewStub(channel_)),
      events_(Events::NewStub(channel_)),
      introspection_(Introspection::NewStub(channel_)),
      version_(VersionService::NewStub(channel_)),
      reconnector_([this] { KeepConnected(); }) {}

Containerd::~Containerd() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  reconnector_.join();
}

// gRPC moves a handshake on only while some thread waits inside it. Calls that
// fail at once do not wait, so that without this thread an attempt to connect
// would be left alone until it timed out.
void Containerd::KeepConnected() {
  const auto closing_soon = [this] {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&closing_), kReconnectCheck);
  };
  absl::Time next_version = absl::InfinitePast();
  while (!closing_soon()) {
    const bool connected = channel_->WaitForConnected(std::chrono::system_clock::now() +
                                                      absl::ToChronoMilliseconds(kReconnectCheck));
    RefreshVersion(connected, &next_version);
  }
}

void Containerd::RefreshVersion(bool connected, absl::Time* next) {
  if (!connected) {
    *next = absl::InfinitePast();  // With the next connection.
    return;
  }
  if (absl::Now() < *next) return;
  (void)Version(kVersionTimeout);
  *next = absl::Now() + kVersionAge;
}

std::unique_ptr<grpc::ClientContext> Containerd::Context(absl::Duration timeout,
                                                         const std::string& lease) const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("containerd-namespace", ns_);
  if (!lease.empty()) context->AddMetadata("containerd-lease", lease);
  if (timeout < absl::InfiniteDuration()) {
    context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout));
  }
  return context;
}

absl::Status Containerd::WaitReady(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  absl::Status last;
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat("containerd at ", socket_, " did not answer within ",
                       absl::FormatDuration(timeout), ": ", last.message()));
    }
    std::unique_ptr<grpc::ClientContext> context = Context(std::min(left, absl::Seconds(2)));
    context->set_wait_for_ready(true);
    const absl::StatusOr<std::string> version = VersionWithin(*version_, std::move(context));
    last = version.status();
    if (last.ok()) {
      absl::MutexLock lock(&mu_);
      last_version_ = version;
      return last;
    }
    absl::SleepFor(std::min(left, absl::Milliseconds(20)));
  }
}

absl::StatusOr<std::string> Containerd::Version(absl::Duration timeout) {
  absl::StatusOr<std::string> version =
      Annotate(VersionWithin(*version_, Context(timeout)), "containerd at ", socket_);
  absl::MutexLock lock(&mu_);
  last_version_ = version;
  return version;
}

absl::StatusOr<std::string> Containerd::LastVersion() {
  if (channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    return absl::UnavailableError(absl::StrCat("containerd at ", socket_, ": no connection"));
  }
  absl::MutexLock lock(&mu_);
  return last_version_;
}

absl::Status Containerd::CheckUsable() {
  CRISP_ASSIGN_OR_RETURN(const std::string version, Version());
  return CheckContainerdVersion(version);
}

absl::StatusOr<std::vector<Containerd::Plugin>> Containerd::Plugins(
    const std::vector<std::string>& filters) {
  containerd::services::introspection::v1::PluginsRequest request;
  for (const std::string& filter : filters) request.add_filters(filter);
  containerd::services::introspection::v1::PluginsResponse response;
  const std::unique_ptr<grpc::ClientContext> context = Context();
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(introspection_->Plugins(context.get(), request, &response)),
               "list containerd's plugins"));
  return std::vector<Plugin>(response.plugins().begin(), response.plugins().end());
}

absl::Status Containerd::UseSnapshotter(const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<Plugin> plugins,
                         Plugins({absl::StrCat("type==", kSnapshotterType)}));
  const std::vector<std::string> candidates = name.empty()
                                                  ? std::vector<std::string>{"overlayfs", "native"}
                                                  : std::vector<std::string>{name};
  std::string reason;
  for (const std::string& candidate : candidates) {
    std::string why = "containerd has no such plugin";
    for (const Plugin& plugin : plugins) {
      if (plugin.id() != candidate) continue;
      if (!plugin.has_init_err()) {
        CRISP_ASSIGN_OR_RETURN(const std::string root, RootOf(plugin));
        absl::MutexLock lock(&mu_);
        snapshotter_ = candidate;
        snapshotter_root_ = root;
        return absl::OkStatus();
      }
      why = plugin.init_err().message();
    }
    absl::StrAppend(&reason, reason.empty() ? "" : "; ", "snapshotter \"", candidate, "\": ", why);
  }
  return absl::FailedPreconditionError(reason);
}

absl::StatusOr<std::string> Containerd::RootOf(const Plugin& plugin) {
  const auto root = plugin.exports().find("root");
  if (root != plugin.exports().end()) return root->second;
  // Not every snapshotter of every version says. All plugins' directories are
  // named "<type>.<id>" and stand side by side; the content store always says.
  CRISP_ASSIGN_OR_RETURN(const std::vector<Plugin> stores,
                         Plugins({"type==io.containerd.content.v1,id==content"}));
  if (stores.empty() || stores[0].exports().count("root") == 0) return std::string();
  const std::string& content = stores[0].exports().at("root");
  return absl::StrCat(content.substr(0, content.rfind('/') + 1), plugin.type(), ".", plugin.id());
}

std::string Containerd::snapshotter() const {
  absl::MutexLock lock(&mu_);
  return snapshotter_;
}

absl::StatusOr<std::string> Containerd::SnapshotterRoot() {
  std::string name;
  {
    absl::MutexLock lock(&mu_);
    if (!snapshotter_root_.empty()) return snapshotter_root_;
    name = snapshotter_;
  }
  CRISP_RETURN_IF_ERROR(UseSnapshotter(name));
  absl::MutexLock lock(&mu_);
  if (!snapshotter_root_.empty()) return snapshotter_root_;
  return absl::NotFoundError(
      absl::StrCat("snapshotter \"", name, "\" does not say where it keeps its data"));
}

absl::StatusOr<bool> Containerd::CriPluginEnabled() {
  CRISP_ASSIGN_OR_RETURN(
      const std::vector<Plugin> plugins,
      Plugins({"type==io.containerd.grpc.v1,id==cri", "type==io.containerd.cri.v1"}));
  for (const Plugin& plugin : plugins) {
    if (!plugin.has_init_err()) return true;
  }
  return false;
}

absl::StatusOr<std::string> Containerd::ChooseNamespace() {
  CRISP_ASSIGN_OR_RETURN(const bool claimed, CriPluginEnabled());
  return std::string(claimed ? "crisp" : "k8s.io");
}

}  // namespace crisp::cri
