#include "agent/daemon/daemon.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/controllers/controllers.h"
#include "agent/cri_client.h"
#include "agent/events/store_event_recorder.h"
#include "agent/manifest/names.h"
#include "agent/node/node_keeper.h"
#include "agent/node/runtime_monitor.h"
#include "agent/node/volume_pusher.h"
#include "agent/node_facts.h"
#include "agent/pods/pod_manager.h"
#include "agent/service/server.h"
#include "agent/service/service_context.h"
#include "agent/service/stats_reader.h"
#include "agent/static_pods/static_pods.h"
#include "agent/store/object_store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/version.h"

namespace crisp::agent {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(5);

}  // namespace

struct Daemon::Parts {
  explicit Parts(DaemonOptions given) : options(std::move(given)) {}

  absl::Status OpenObjects();
  absl::Status Serve();
  void WatchRuntime();
  absl::Status RunPods();

  const DaemonOptions options;
  NodeFacts node;
  std::unique_ptr<ObjectStore> store;
  std::unique_ptr<StoreEventRecorder> events;
  std::unique_ptr<NodeKeeper> keeper;
  // Pods have a client of their own: what they wait for ends when they are let go.
  std::unique_ptr<CriClient> client, pods_client;
  std::unique_ptr<VolumePusher> volumes;
  std::unique_ptr<RuntimeMonitor> monitor;
  std::unique_ptr<StatsReader> stats;
  std::unique_ptr<PodManager> pods;
  std::unique_ptr<Controllers> controllers;
  std::unique_ptr<StaticPods> static_pods;
  ServiceContext context;
  std::unique_ptr<AgentServer> server;
};

absl::Status Daemon::Parts::OpenObjects() {
  const std::string database = JoinPath(options.root, "agent/agent.db");
  CRISP_ASSIGN_OR_RETURN(store, ObjectStore::Open(database, Clock::Real()));
  node = ReadNodeFacts();
  const std::string known = StoredNodeName(*store);
  if (!options.node_name.empty()) {
    node.name = options.node_name;
  } else if (!known.empty()) {
    // Pods are bound to it: a new hostname does not move them.
    node.name = known;
  }
  if (node.name.empty()) node.name = "localhost";
  if (const std::string wrong = SubdomainError(node.name); !wrong.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--node-name: Invalid value: \"", node.name, "\": ", wrong));
  }
  events = StoreEventRecorder::Create(store.get(), Clock::Real(), node.name);
  keeper = std::make_unique<NodeKeeper>(store.get(), events.get(), Clock::Real(), node);
  return Annotate(keeper->Register(), "register the node");
}

absl::Status Daemon::Parts::Serve() {
  client = std::make_unique<CriClient>(options.runtime_endpoint);
  pods_client = std::make_unique<CriClient>(options.runtime_endpoint);
  volumes = std::make_unique<VolumePusher>(store.get(), client.get());
  monitor = std::make_unique<RuntimeMonitor>(client.get());
  stats = std::make_unique<StatsReader>(client.get());
  PodManagerOptions pod_options;
  pod_options.node_name = node.name;
  pod_options.node = node;
  pod_options.log_root = options.log_root;
  pod_options.pod_root = JoinPath(options.root, "agent/pods");
  pod_options.back_off = options.back_off;
  pod_options.max_back_off = options.max_back_off;
  pod_options.legacy_env_names = options.legacy_env_names;
  pods = PodManager::Create(store.get(), events.get(), pods_client.get(), Clock::Real(),
                            std::move(pod_options));
  context.store = store.get();
  context.clock = Clock::Real();
  context.pods = pods.get();
  context.runtime = monitor.get();
  context.volumes = volumes.get();
  context.stats = stats.get();
  context.node_name = node.name;
  context.cri_address = client->address();
  context.log_root = options.log_root;
  context.static_pod_path = options.pod_manifest_path;
  context.static_pod_url = options.manifest_url;
  context.started = Clock::Real()->Now();
  CRISP_ASSIGN_OR_RETURN(server, AgentServer::Start(options.listen, &context));
  return absl::OkStatus();
}

void Daemon::Parts::WatchRuntime() {
  volumes->Start();
  bool away = false;
  monitor->Start([this, away](const RuntimeInfo& runtime) mutable {
    volumes->OnRuntime(runtime);
    if (runtime.away != away) {
      if (runtime.away) {
        LogWarn("the container runtime is away; pods run on",
                {{"endpoint", client->address()}, {"reason", runtime.error}});
      } else {
        LogInfo("the container runtime is back", {{"name", runtime.name}});
      }
      away = runtime.away;
    }
    if (const absl::Status updated = keeper->Update(runtime); !updated.ok()) {
      LogError("the node's status is not written", {{"reason", updated}});
    }
  });
}

absl::Status Daemon::Parts::RunPods() {
  CRISP_RETURN_IF_ERROR(Annotate(pods->Start(), "start the pods"));
  controllers = std::make_unique<Controllers>(
      ControllerContext{store.get(), events.get(), Clock::Real(), node.name, options.back_off});
  controllers->Start();
  StaticPodsOptions sources;
  sources.node_name = node.name;
  sources.directory = options.pod_manifest_path;
  sources.url = options.manifest_url;
  sources.url_headers = options.manifest_url_headers;
  sources.url_period = options.http_check_frequency;
  sources.directory_period = options.file_check_frequency;
  static_pods =
      std::make_unique<StaticPods>(store.get(), events.get(), Clock::Real(), std::move(sources));
  return Annotate(static_pods->Start(), "read static pods");
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(DaemonOptions options) {
  auto parts = std::make_unique<Parts>(std::move(options));
  CRISP_RETURN_IF_ERROR(parts->OpenObjects());
  // The socket is made while nothing else makes files (see AgentServer::Start).
  CRISP_RETURN_IF_ERROR(parts->Serve());
  parts->WatchRuntime();
  CRISP_RETURN_IF_ERROR(parts->RunPods());
  parts->server->Open();
  LogInfo("the agent serves", {{"version", kCrispVersion},
                               {"listen", parts->options.listen},
                               {"node", parts->node.name},
                               {"runtime", parts->client->address()}});
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() = default;

void Daemon::Stop() {
  parts_->server->Stop(kShutdownGrace);
  parts_->static_pods->Stop();
  parts_->controllers->Stop();
  parts_->pods->Stop();
  parts_->monitor->Stop();
  parts_->volumes->Stop();
}

}  // namespace crisp::agent
