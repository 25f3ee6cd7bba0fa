#include "agent/client/fake_agent.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "agent/objects/selector.h"
#include "agent/output/fields.h"
#include "agent/output/kinds.h"
#include "api/agent/v1/agent.grpc.pb.h"
#include "api/cri/v1/api.grpc.pb.h"
#include "api/images/v1/images.grpc.pb.h"

namespace crisp::cli {
namespace {

namespace v1 = ::crisp::agent::v1;
namespace cri = ::runtime::v1;
using grpc::ServerContext;
using RpcStatus = grpc::Status;
using grpc::StatusCode;

using Key = std::tuple<std::string, std::string, std::string>;

struct Notice {
  v1::WatchResponse::Type type;
  Json object;
};

RpcStatus NotFound(const std::string& kind, const std::string& name) {
  const KindInfo* info = KindOfObject(kind);
  return RpcStatus(StatusCode::NOT_FOUND, absl::StrCat(info == nullptr ? kind : info->plural, " \"",
                                                       name, "\" not found"));
}

bool Matches(const v1::Selection& selection, const Json& object) {
  if (Text(object, "kind") != selection.kind()) return false;
  if (!selection.namespace_().empty() && Namespace(object) != selection.namespace_()) return false;
  if (!selection.name().empty() && Name(object) != selection.name()) return false;
  const auto labels = agent::Selector::Parse(selection.label_selector());
  if (!labels.ok() || !labels->Matches(object)) return false;
  for (const absl::string_view part :
       absl::StrSplit(selection.field_selector(), ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (Text(object, field.first) != field.second) return false;
  }
  return true;
}

}  // namespace

struct FakeAgent::State : v1::Agent::Service, cri::RuntimeService::Service {
  class ImageService : public crisp::images::v1::Images::Service {
   public:
    RpcStatus ImportImage(ServerContext*,
                          grpc::ServerReader<images::v1::ImportImageRequest>* reader,
                          images::v1::ImportImageResponse* response) override {
      images::v1::ImportImageRequest request;
      std::string name, data;
      while (reader->Read(&request)) {
        if (name.empty()) name = request.name();
        data += request.data();
      }
      if (data.empty()) return RpcStatus(StatusCode::INVALID_ARGUMENT, "the archive is empty");
      auto* image = response->add_images();
      image->set_name(name.empty() ? "docker.io/library/x:latest" : name);
      image->set_id(absl::StrCat("sha256:", data.size()));
      return RpcStatus::OK;
    }
  };

  State() {
    char path[] = "/tmp/fake-agent.XXXXXX";  // Short: a socket's path ends at 108.
    directory = ::mkdtemp(path);
    address = absl::StrCat("unix://", directory, "/a.sock");
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(static_cast<v1::Agent::Service*>(this));
    builder.RegisterService(static_cast<cri::RuntimeService::Service*>(this));
    builder.RegisterService(&image_service);
    server = builder.BuildAndStart();
  }
  ~State() override {
    server->Shutdown(std::chrono::system_clock::now());
    server->Wait();
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }

  static Key KeyOf(const std::string& kind, const std::string& ns, const std::string& name) {
    const KindInfo* info = KindOfObject(kind);
    if (info != nullptr && !info->namespaced) return {kind, "", name};
    return {kind, ns.empty() ? "default" : ns, name};
  }
  static Key KeyOf(const v1::ObjectRef& ref) {
    return KeyOf(ref.kind(), ref.namespace_(), ref.name());
  }

  void Put(Json object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const Key key = KeyOf(Text(object, "kind"), Namespace(object), Name(object));
    if (KindOfObject(Text(object, "kind"))->namespaced) {
      object["metadata"]["namespace"] = std::get<1>(key);
    }
    object["metadata"]["resourceVersion"] = absl::StrCat(++version);
    const bool is_new = objects.count(key) == 0;
    if (is_new) {
      object["metadata"]["uid"] = absl::StrCat("uid-", version);
      if (!object["metadata"].contains("creationTimestamp")) {
        object["metadata"]["creationTimestamp"] = "2027-01-15T07:59:50Z";
      }
    }
    objects[key] = object;
    changes.push_back({is_new ? v1::WatchResponse::ADDED : v1::WatchResponse::MODIFIED, object});
  }
  void Drop(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto found = objects.find(key);
    if (found == objects.end()) return;
    changes.push_back({v1::WatchResponse::DELETED, found->second});
    objects.erase(found);
  }

  // crisp.agent.v1.Agent
  RpcStatus Info(ServerContext*, const v1::InfoRequest*, v1::InfoResponse* response) override {
    response->set_version("0.1.0");
    response->set_node_name("here");
    response->set_cri_address(address);
    response->set_runtime_name("crisp");
    response->set_runtime_version("0.1.0");
    response->set_volumes_service(true);
    response->set_started_at(absl::ToUnixNanos(absl::Now()));
    return RpcStatus::OK;
  }
  RpcStatus Apply(ServerContext*, const v1::ApplyRequest* request,
                  v1::ApplyResponse* response) override {
    absl::MutexLock lock(&mutex);
    calls.push_back(absl::StrCat("Apply", request->dry_run() ? " dry-run" : ""));
    Json object = Json::parse(request->object());
    if (const std::string refusal = Text(object, "metadata.labels.refusal"); !refusal.empty()) {
      return RpcStatus(StatusCode::INVALID_ARGUMENT, refusal);
    }
    if (Items(object, "spec.containers").empty() && Text(object, "kind") == "Pod") {
      return RpcStatus(StatusCode::INVALID_ARGUMENT,
                       absl::StrCat("The Pod \"", Name(object),
                                    "\" is invalid: spec.containers: Required value"));
    }
    const Key key = KeyOf(Text(object, "kind"), Namespace(object), Name(object));
    const auto found = objects.find(key);
    response->set_change(found == objects.end() ? v1::CHANGE_CREATED : v1::CHANGE_CONFIGURED);
    if (found != objects.end() && Field(found->second, "spec") == Field(object, "spec") &&
        Field(found->second, "data") == Field(object, "data")) {
      response->set_change(v1::CHANGE_UNCHANGED);
    } else if (!request->dry_run()) {
      Put(object);
      object = objects[key];
    }
    if (object["metadata"].contains("annotations")) response->add_warnings("annotations are noise");
    response->set_object(object.dump());
    return RpcStatus::OK;
  }
  RpcStatus Create(ServerContext*, const v1::CreateRequest* request,
                   v1::CreateResponse* response) override {
    absl::MutexLock lock(&mutex);
    calls.push_back("Create");
    Json object = Json::parse(request->object());
    const Key key = KeyOf(Text(object, "kind"), Namespace(object), Name(object));
    if (objects.count(key) > 0) {
      return RpcStatus(StatusCode::ALREADY_EXISTS,
                       absl::StrCat(KindOfObject(std::get<0>(key))->plural, " \"", Name(object),
                                    "\" already exists"));
    }
    if (!request->dry_run()) Put(object);
    response->set_object(object.dump());
    return RpcStatus::OK;
  }
  RpcStatus Delete(ServerContext*, const v1::DeleteRequest* request,
                   v1::DeleteResponse* response) override {
    absl::MutexLock lock(&mutex);
    std::string call = absl::StrCat("Delete ", request->ref().kind(), " ", request->ref().name());
    if (request->has_grace_period_seconds()) {
      absl::StrAppend(&call, " grace=", request->grace_period_seconds());
    }
    calls.push_back(absl::StrCat(call, request->orphan() ? " orphan" : ""));
    const Key key = KeyOf(request->ref());
    const auto found = objects.find(key);
    if (found == objects.end()) return NotFound(request->ref().kind(), request->ref().name());
    if (keep_deleted) {
      Json object = found->second;
      object["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z";
      Put(object);
    }
    response->set_object(objects[key].dump());
    if (!keep_deleted) Drop(key);
    return RpcStatus::OK;
  }
  RpcStatus Get(ServerContext*, const v1::GetRequest* request, v1::GetResponse* response) override {
    absl::MutexLock lock(&mutex);
    const auto found = objects.find(KeyOf(request->ref()));
    if (found == objects.end()) return NotFound(request->ref().kind(), request->ref().name());
    response->set_object(found->second.dump());
    return RpcStatus::OK;
  }
  RpcStatus List(ServerContext*, const v1::ListRequest* request,
                 v1::ListResponse* response) override {
    absl::MutexLock lock(&mutex);
    for (const auto& [key, object] : objects) {
      if (Matches(request->selection(), object)) response->add_objects(object.dump());
    }
    return RpcStatus::OK;
  }
  RpcStatus Watch(ServerContext* context, const v1::WatchRequest* request,
                  grpc::ServerWriter<v1::WatchResponse>* writer) override {
    std::vector<Notice> first;
    size_t at = 0;
    {
      absl::MutexLock lock(&mutex);
      calls.push_back("Watch");
      at = changes.size();
      for (const auto& [key, object] : objects) first.push_back({v1::WatchResponse::ADDED, object});
    }
    if (!request->only_changes()) Send(request->selection(), first, writer);
    v1::WatchResponse synced;
    synced.set_type(v1::WatchResponse::SYNCED);
    writer->Write(synced);
    while (!context->IsCancelled()) {
      std::vector<Notice> next;
      {
        absl::MutexLock lock(&mutex);
        next.assign(changes.begin() + static_cast<long>(at), changes.end());
        at = changes.size();
      }
      Send(request->selection(), next, writer);
      absl::SleepFor(absl::Milliseconds(10));
    }
    return RpcStatus::CANCELLED;
  }
  static void Send(const v1::Selection& selection, const std::vector<Notice>& changes,
                   grpc::ServerWriter<v1::WatchResponse>* writer) {
    for (const Notice& change : changes) {
      if (!Matches(selection, change.object)) continue;
      v1::WatchResponse response;
      response.set_type(change.type);
      response.set_object(change.object.dump());
      writer->Write(response);
    }
  }
  RpcStatus Scale(ServerContext*, const v1::ScaleRequest* request,
                  v1::ScaleResponse* response) override {
    absl::MutexLock lock(&mutex);
    const auto found = objects.find(KeyOf(request->ref()));
    if (found == objects.end()) return NotFound(request->ref().kind(), request->ref().name());
    Json object = found->second;
    if (request->has_current_replicas() &&
        Number(object, "spec.replicas", 1) != request->current_replicas()) {
      return RpcStatus(StatusCode::FAILED_PRECONDITION, "Expected replicas to be another number");
    }
    object["spec"]["replicas"] = request->replicas();
    Put(object);
    response->set_object(object.dump());
    return RpcStatus::OK;
  }
  RpcStatus Label(ServerContext*, const v1::LabelRequest* request,
                  v1::LabelResponse* response) override {
    absl::MutexLock lock(&mutex);
    const auto found = objects.find(KeyOf(request->ref()));
    if (found == objects.end()) return NotFound(request->ref().kind(), request->ref().name());
    Json object = found->second;
    Json& labels = object["metadata"]["labels"];
    const Json before = labels;
    for (const auto& [key, value] : request->set()) {
      if (labels.is_object() && labels.contains(key) && labels[key] != value &&
          !request->overwrite()) {
        return RpcStatus(StatusCode::FAILED_PRECONDITION,
                         absl::StrCat("'", key, "' already has a value (", AnyText(labels[key]),
                                      "), and --overwrite is false"));
      }
      labels[key] = value;
    }
    for (const std::string& key : request->remove()) {
      if (labels.is_object()) labels.erase(key);
    }
    response->set_changed(labels != before);
    Put(object);
    response->set_object(object.dump());
    return RpcStatus::OK;
  }
  RpcStatus Patch(ServerContext*, const v1::PatchRequest* request,
                  v1::PatchResponse* response) override {
    absl::MutexLock lock(&mutex);
    const auto found = objects.find(KeyOf(request->ref()));
    if (found == objects.end()) return NotFound(request->ref().kind(), request->ref().name());
    Json object = found->second;
    object.merge_patch(Json::parse(request->merge_patch()));
    Put(object);
    response->set_object(object.dump());
    return RpcStatus::OK;
  }
  static void Fill(const ResolvedContainer& from, v1::ContainerRef* to) {
    to->set_name(from.name);
    to->set_init(from.init);
    to->set_id(from.id);
    to->set_running(from.running);
    to->set_log_path(from.log_path);
    to->set_previous_id(from.previous_id);
    to->set_previous_log_path(from.previous_log_path);
    to->set_stdin(from.has_stdin);
    to->set_tty(from.has_tty);
    to->set_waiting_reason(from.waiting_reason);
  }
  RpcStatus ResolvePod(ServerContext*, const v1::ResolvePodRequest* request,
                       v1::ResolvePodResponse* response) override {
    absl::MutexLock lock(&mutex);
    const auto found = instances.find(request->name());
    if (found == instances.end()) return NotFound("Pod", request->name());
    const ResolvedPod& pod = found->second;
    response->set_sandbox_id(pod.sandbox_id);
    for (const ResolvedContainer& each : pod.containers) {
      Fill(each, response->add_containers());
      if (response->container().name().empty() &&
          (request->container().empty() || request->container() == each.name)) {
        Fill(each, response->mutable_container());
      }
    }
    if (response->container().name().empty()) {
      return RpcStatus(StatusCode::INVALID_ARGUMENT,
                       absl::StrCat("container ", request->container(), " is not valid for pod ",
                                    request->name()));
    }
    return RpcStatus::OK;
  }
  RpcStatus Stats(ServerContext*, const v1::StatsRequest* request,
                  v1::StatsResponse* response) override {
    absl::MutexLock lock(&mutex);
    for (const PodUsage& pod : stats) {
      if (!request->name().empty() && request->name() != pod.name) continue;
      auto* out = response->add_pods();
      out->set_namespace_(pod.ns);
      out->set_name(pod.name);
      for (const ContainerUsage& each : pod.containers) {
        auto* container = out->add_containers();
        container->set_name(each.name);
        container->set_cpu_nano_cores(each.cpu_nano_cores);
        container->set_memory_working_set_bytes(each.memory_bytes);
      }
    }
    return RpcStatus::OK;
  }

  // runtime.v1.RuntimeService
  template <typename Request>
  static CommandStreamRequest Plain(const Request& request) {
    CommandStreamRequest out;
    out.container_id = request.container_id();
    out.in = request.stdin();
    out.out = request.stdout();
    out.err = request.stderr();
    out.tty = request.tty();
    return out;
  }
  RpcStatus Exec(ServerContext*, const cri::ExecRequest* request,
                 cri::ExecResponse* response) override {
    absl::MutexLock lock(&mutex);
    last_stream = Plain(*request);
    last_stream.command.assign(request->cmd().begin(), request->cmd().end());
    response->set_url(stream_url);
    return RpcStatus::OK;
  }
  RpcStatus Attach(ServerContext*, const cri::AttachRequest* request,
                   cri::AttachResponse* response) override {
    absl::MutexLock lock(&mutex);
    last_stream = Plain(*request);
    response->set_url(stream_url);
    return RpcStatus::OK;
  }
  RpcStatus PortForward(ServerContext*, const cri::PortForwardRequest*,
                        cri::PortForwardResponse* response) override {
    absl::MutexLock lock(&mutex);
    response->set_url(stream_url);
    return RpcStatus::OK;
  }
  RpcStatus Version(ServerContext*, const cri::VersionRequest*,
                    cri::VersionResponse* response) override {
    response->set_runtime_name("crisp");
    response->set_runtime_version("0.1.0");
    return RpcStatus::OK;
  }
  std::string directory;
  std::string address;
  mutable absl::Mutex mutex;
  std::map<Key, Json> objects ABSL_GUARDED_BY(mutex);
  std::vector<Notice> changes ABSL_GUARDED_BY(mutex);
  int64_t version ABSL_GUARDED_BY(mutex) = 0;
  std::map<std::string, ResolvedPod> instances ABSL_GUARDED_BY(mutex);
  std::vector<PodUsage> stats ABSL_GUARDED_BY(mutex);
  std::string stream_url ABSL_GUARDED_BY(mutex);
  std::vector<std::string> calls ABSL_GUARDED_BY(mutex);
  CommandStreamRequest last_stream ABSL_GUARDED_BY(mutex);
  bool keep_deleted ABSL_GUARDED_BY(mutex) = false;
  ImageService image_service;
  std::unique_ptr<grpc::Server> server;
};

FakeAgent::FakeAgent() : state_(std::make_unique<State>()) {}
FakeAgent::~FakeAgent() = default;

std::string FakeAgent::address() const { return state_->address; }
const std::string& FakeAgent::directory() const { return state_->directory; }

void FakeAgent::Add(Json object) {
  absl::MutexLock lock(&state_->mutex);
  state_->Put(std::move(object));
}

void FakeAgent::Change(const ObjectRef& ref, const std::function<void(Json&)>& change) {
  absl::MutexLock lock(&state_->mutex);
  Json object = state_->objects.at(State::KeyOf(ref.kind, ref.ns, ref.name));
  change(object);
  state_->Put(std::move(object));
}

void FakeAgent::Remove(const ObjectRef& ref) {
  absl::MutexLock lock(&state_->mutex);
  state_->Drop(State::KeyOf(ref.kind, ref.ns, ref.name));
}

Json FakeAgent::Find(const ObjectRef& ref) const {
  absl::MutexLock lock(&state_->mutex);
  const auto found = state_->objects.find(State::KeyOf(ref.kind, ref.ns, ref.name));
  return found == state_->objects.end() ? Json() : found->second;
}

void FakeAgent::SetInstances(const std::string& pod, const ResolvedPod& instances) {
  absl::MutexLock lock(&state_->mutex);
  state_->instances[pod] = instances;
}

void FakeAgent::SetStats(const std::vector<PodUsage>& stats) {
  absl::MutexLock lock(&state_->mutex);
  state_->stats = stats;
}

void FakeAgent::SetStreamUrl(const std::string& url) {
  absl::MutexLock lock(&state_->mutex);
  state_->stream_url = url;
}

void FakeAgent::Stop() { state_->server->Shutdown(std::chrono::system_clock::now()); }

void FakeAgent::KeepDeleted() {
  absl::MutexLock lock(&state_->mutex);
  state_->keep_deleted = true;
}

std::vector<std::string> FakeAgent::calls() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->calls;
}

CommandStreamRequest FakeAgent::last_stream() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->last_stream;
}

}  // namespace crisp::cli
