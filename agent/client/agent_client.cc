#include "agent/client/agent_client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/socket_probe.h"
#include "api/agent/v1/agent.grpc.pb.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cli {
namespace {

namespace v1 = ::crisp::agent::v1;
using Stub = v1::Agent::Stub;

constexpr int kMaxMessageBytes = 64 << 20;
// All that is wrong with an object is one status, and a status is metadata.
constexpr int kMaxStatusBytes = 256 << 10;
constexpr absl::Duration kQuick = absl::Seconds(30);
// How long an agent that has just started may read its state.
constexpr absl::Duration kPatience = absl::Seconds(15);
constexpr absl::Duration kRetry = absl::Milliseconds(100);
constexpr char kFromServer[] = "crisp.agent/from-server";

absl::Status Explain(const std::string& address, const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    switch (const absl::Status probe = agent::ProbeSocket(address); ErrnoOf(probe)) {
      case 0:
        break;  // Something answers there: its own words count.
      case EACCES:
      case EPERM:
        return absl::UnavailableError(
            absl::StrCat("no permission to use ", address, ": run crisp as root (sudo)"));
      default:
        return absl::UnavailableError(absl::StrCat(
            "no agent answers at ", address, " (", ErrnoName(ErrnoOf(probe)),
            "): start one with \"systemctl start crisp-agent\" or \"crisp agent\", or name its "
            "socket with --agent or CRISP_AGENT"));
    }
  }
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  absl::Status out(code, status.error_message().empty() ? absl::StatusCodeToString(code)
                                                        : status.error_message());
  out.SetPayload(kFromServer, absl::Cord("1"));
  return out;
}

void SetDeadline(absl::Duration timeout, grpc::ClientContext* context) {
  if (timeout != absl::InfiniteDuration()) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
}

absl::StatusOr<Json> ParseObject(const std::string& text) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InternalError("the agent's answer is not an object");
  return object;
}

// The bytes of an object; what is not UTF-8 in it is replaced, and refused by the agent.
std::string Dump(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Fill(const ObjectRef& from, v1::ObjectRef* to) {
  to->set_kind(from.kind);
  to->set_namespace_(from.ns);
  to->set_name(from.name);
}

void Fill(const Selection& from, v1::Selection* to) {
  to->set_kind(from.kind);
  to->set_namespace_(from.ns);
  to->set_name(from.name);
  to->set_label_selector(from.labels);
  to->set_field_selector(from.fields);
}

ResolvedContainer Plain(const v1::ContainerRef& from) {
  ResolvedContainer to;
  to.name = from.name();
  to.init = from.init();
  to.id = from.id();
  to.running = from.running();
  to.log_path = from.log_path();
  to.restart_count = from.restart_count();
  to.previous_id = from.previous_id();
  to.previous_log_path = from.previous_log_path();
  to.has_stdin = from.stdin();
  to.has_tty = from.tty();
  to.waiting_reason = from.waiting_reason();
  return to;
}

}  // namespace

bool FromServer(const absl::Status& status) { return status.GetPayload(kFromServer).has_value(); }

struct AgentClient::Rpc {
  explicit Rpc(const std::string& target) : address(target) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxStatusBytes);
    // Calls never leave the machine, whatever the environment's proxies are.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub = v1::Agent::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
  }

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
                             const Request& request, Reply reply = {}) {
    const absl::Time give_up = absl::Now() + kPatience;
    while (true) {
      grpc::ClientContext context;
      SetDeadline(kQuick, &context);
      const grpc::Status status = (stub.get()->*method)(&context, request, &reply);
      if (status.ok()) return reply;
      // Refused before it began: the call may be made again, whatever it does.
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE && absl::Now() < give_up &&
          agent::ProbeSocket(address).ok()) {
        absl::SleepFor(kRetry);
        continue;
      }
      return Explain(address, status);
    }
  }

  const std::string address;
  std::unique_ptr<Stub> stub;
};

namespace {

class GrpcWatch : public AgentWatch {
 public:
  GrpcWatch(std::shared_ptr<void> keep, const std::string& address, Stub& stub,
            const Selection& selection, bool only_changes, absl::Duration timeout)
      : keep_(std::move(keep)), address_(address) {
    SetDeadline(timeout, &context_);
    v1::WatchRequest request;
    Fill(selection, request.mutable_selection());
    request.set_only_changes(only_changes);
    reader_ = stub.Watch(&context_, request);
  }
  ~GrpcWatch() override {
    context_.TryCancel();
    if (!finished_) (void)reader_->Finish();
  }

  absl::StatusOr<WatchEvent> Next() override {
    v1::WatchResponse response;
    if (finished_ || !reader_->Read(&response)) {
      if (finished_) return absl::CancelledError("the watch has ended");
      finished_ = true;
      const grpc::Status status = reader_->Finish();
      if (status.ok()) return absl::CancelledError("the agent ended the watch");
      return Explain(address_, status);
    }
    WatchEvent event;
    switch (response.type()) {
      case v1::WatchResponse::ADDED:
        event.type = WatchEvent::Type::kAdded;
        break;
      case v1::WatchResponse::MODIFIED:
        event.type = WatchEvent::Type::kModified;
        break;
      case v1::WatchResponse::DELETED:
        event.type = WatchEvent::Type::kDeleted;
        break;
      default:
        return event;
    }
    CRISP_ASSIGN_OR_RETURN(event.object, ParseObject(response.object()));
    return event;
  }
  void Cancel() override { context_.TryCancel(); }

 private:
  const std::shared_ptr<void> keep_;
  const std::string address_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
  bool finished_ = false;
};

}  // namespace

AgentClient::AgentClient(const std::string& address)
    : address_(agent::GrpcTarget(address)), rpc_(std::make_shared<Rpc>(address_)) {}

AgentClient::~AgentClient() = default;

absl::StatusOr<AgentInfo> AgentClient::Info() {
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Info, v1::InfoRequest()));
  AgentInfo info;
  info.version = reply.version();
  info.node_name = reply.node_name();
  info.cri_address = reply.cri_address();
  info.runtime_name = reply.runtime_name();
  info.runtime_version = reply.runtime_version();
  info.runtime_error = reply.runtime_error();
  info.volumes_service = reply.volumes_service();
  info.started_at = absl::FromUnixNanos(reply.started_at());
  info.log_root = reply.log_root();
  info.static_pod_path = reply.static_pod_path();
  info.static_pod_url = reply.static_pod_url();
  return info;
}

absl::StatusOr<Applied> AgentClient::Apply(const Json& object, bool dry_run) {
  v1::ApplyRequest request;
  request.set_object(Dump(object));
  request.set_dry_run(dry_run);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Apply, request));
  Applied applied;
  CRISP_ASSIGN_OR_RETURN(applied.object, ParseObject(reply.object()));
  if (reply.change() == v1::CHANGE_CREATED) applied.change = Applied::Change::kCreated;
  if (reply.change() == v1::CHANGE_CONFIGURED) applied.change = Applied::Change::kConfigured;
  applied.warnings.assign(reply.warnings().begin(), reply.warnings().end());
  return applied;
}

absl::StatusOr<Applied> AgentClient::Create(const Json& object, bool dry_run) {
  v1::CreateRequest request;
  request.set_object(Dump(object));
  request.set_dry_run(dry_run);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Create, request));
  Applied applied;
  CRISP_ASSIGN_OR_RETURN(applied.object, ParseObject(reply.object()));
  applied.change = Applied::Change::kCreated;
  applied.warnings.assign(reply.warnings().begin(), reply.warnings().end());
  return applied;
}

absl::StatusOr<Json> AgentClient::Delete(const ObjectRef& ref, const DeleteOptions& options) {
  v1::DeleteRequest request;
  Fill(ref, request.mutable_ref());
  if (options.grace_period_seconds.has_value()) {
    request.set_grace_period_seconds(*options.grace_period_seconds);
  }
  request.set_orphan(options.orphan);
  request.set_uid(options.uid);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Delete, request));
  return ParseObject(reply.object());
}

absl::StatusOr<Json> AgentClient::Get(const ObjectRef& ref) {
  v1::GetRequest request;
  Fill(ref, request.mutable_ref());
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Get, request));
  return ParseObject(reply.object());
}

absl::StatusOr<ObjectList> AgentClient::List(const Selection& selection) {
  v1::ListRequest request;
  Fill(selection, request.mutable_selection());
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::List, request));
  ObjectList list;
  list.resource_version = reply.resource_version();
  for (const std::string& text : reply.objects()) {
    CRISP_ASSIGN_OR_RETURN(Json object, ParseObject(text));
    list.objects.push_back(std::move(object));
  }
  return list;
}

std::unique_ptr<AgentWatch> AgentClient::Watch(const Selection& selection, bool only_changes,
                                               absl::Duration timeout) {
  return std::make_unique<GrpcWatch>(rpc_, address_, *rpc_->stub, selection, only_changes, timeout);
}

absl::StatusOr<Json> AgentClient::Scale(const ObjectRef& ref, int replicas,
                                        std::optional<int> current) {
  v1::ScaleRequest request;
  Fill(ref, request.mutable_ref());
  request.set_replicas(replicas);
  if (current.has_value()) request.set_current_replicas(*current);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Scale, request));
  return ParseObject(reply.object());
}

absl::StatusOr<bool> AgentClient::Label(const ObjectRef& ref, const LabelChange& change) {
  v1::LabelRequest request;
  Fill(ref, request.mutable_ref());
  request.mutable_set()->insert(change.set.begin(), change.set.end());
  for (const std::string& key : change.remove) request.add_remove(key);
  request.set_overwrite(change.overwrite);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Label, request));
  return reply.changed();
}

absl::StatusOr<Json> AgentClient::Patch(const ObjectRef& ref, const Json& merge_patch) {
  v1::PatchRequest request;
  Fill(ref, request.mutable_ref());
  request.set_merge_patch(Dump(merge_patch));
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Patch, request));
  return ParseObject(reply.object());
}

absl::StatusOr<ResolvedPod> AgentClient::ResolvePod(const std::string& ns, const std::string& name,
                                                    const std::string& container) {
  v1::ResolvePodRequest request;
  request.set_namespace_(ns);
  request.set_name(name);
  request.set_container(container);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::ResolvePod, request));
  ResolvedPod pod;
  pod.sandbox_id = reply.sandbox_id();
  pod.uid = reply.pod_uid();
  pod.ip = reply.pod_ip();
  pod.container = Plain(reply.container());
  for (const auto& each : reply.containers()) pod.containers.push_back(Plain(each));
  return pod;
}

absl::StatusOr<std::vector<PodUsage>> AgentClient::Stats(const std::string& ns,
                                                         const std::string& name,
                                                         const std::string& labels) {
  v1::StatsRequest request;
  request.set_namespace_(ns);
  request.set_name(name);
  request.set_label_selector(labels);
  CRISP_ASSIGN_OR_RETURN(const auto reply, rpc_->Call(&Stub::Stats, request));
  std::vector<PodUsage> pods;
  for (const auto& from : reply.pods()) {
    PodUsage pod = {from.namespace_(), from.name(), {}};
    for (const auto& each : from.containers()) {
      pod.containers.push_back(
          {each.name(), each.cpu_nano_cores(), each.memory_working_set_bytes()});
    }
    pods.push_back(std::move(pod));
  }
  return pods;
}

}  // namespace crisp::cli
