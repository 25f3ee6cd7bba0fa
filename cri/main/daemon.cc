#include "cri/main/daemon.h"

#include <unistd.h>

#include <climits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/background.h"
#include "base/boot_id.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "cgroup/cgroup.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/lease.h"
#include "cri/containerd/managed_containerd.h"
#include "cri/containers/container_rootfs.h"
#include "cri/containers/exit_monitor.h"
#include "cri/containers/overlay_probe.h"
#include "cri/events/event_hub.h"
#include "cri/images/image_service.h"
#include "cri/images/image_store.h"
#include "cri/images/import_service.h"
#include "cri/main/call_log.h"
#include "cri/main/default_apparmor.h"
#include "cri/main/installed.h"
#include "cri/main/pause_rootfs.h"
#include "cri/main/runtime_features.h"
#include "cri/main/state_lock.h"
#include "cri/pods/pod_root.h"
#include "cri/recovery/recover.h"
#include "cri/rpc/runtime_service.h"
#include "cri/stats/node_stats.h"
#include "cri/streaming/streaming_server.h"
#include "cri/task/containerd_driver.h"
#include "cri/task/native_driver.h"
#include "cri/volumes_rpc/volumes_service.h"
#include "grpc_server/grpc_server.h"
#include "netns/pod_network.h"
#include "volumes/object_store.h"
#include "volumes/pod_volumes.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kContainerdTimeout = absl::Seconds(30);
constexpr absl::Duration kShutdownGrace = absl::Seconds(10);
constexpr int kTidyThreads = 4;
// openat2, clone3, close_range, mount_setattr, pidfd and cgroup.kill are all there.
constexpr int kKernelFloor[] = {5, 14};

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

}  // namespace

struct Daemon::Parts {
  Config config;
  UniqueFd lock;
  std::unique_ptr<ManagedContainerd> managed;
  std::unique_ptr<Containerd> containerd;
  std::unique_ptr<volumes::ObjectStore> objects;
  std::unique_ptr<volumes::PodVolumes> volumes;
  std::unique_ptr<netns::PodNetwork> network;
  std::unique_ptr<SeccompProfiles> seccomp;
  std::unique_ptr<ImageStore> images;
  PodStore pods;
  ContainerStore containers;
  RuntimeHandlers handlers;
  PodContext node;
  ContainerContext context;
  std::unique_ptr<EventHub> events;
  std::unique_ptr<NodeStats> stats;
  std::unique_ptr<ExitMonitor> exits;
  std::unique_ptr<Background> tidy;
  std::unique_ptr<StreamingServer> streaming;
  std::unique_ptr<RpcContext> rpc;
  std::unique_ptr<ImageService> image_service;
  std::unique_ptr<ImportService> import_service;
  std::unique_ptr<VolumesService> volumes_service;
  std::unique_ptr<grpcserver::GrpcServer> server;

  absl::Status ProbeHost();
  absl::Status ConnectContainerd();
  absl::Status OpenVolumesAndNetwork();
  absl::StatusOr<std::unique_ptr<TaskDriver>> MakeDriver(const std::string& name,
                                                         const RuntimeHandlerConfig& runtime);
  absl::Status MakeDrivers();
  absl::Status MakeStats();
  void Wire();
  absl::Status Serve();
};

absl::Status Daemon::Parts::ProbeHost() {
  CRISP_ASSIGN_OR_RETURN(node.host, ProbeHostFacts());
  if (!node.host.kernel_at_least(kKernelFloor[0], kKernelFloor[1])) {
    return absl::FailedPreconditionError(absl::StrCat("kernel ", node.host.kernel_release,
                                                      " is too old: crisp needs ", kKernelFloor[0],
                                                      ".", kKernelFloor[1], " or later"));
  }
  CRISP_ASSIGN_OR_RETURN(node.boot_id, BootId());
  CRISP_ASSIGN_OR_RETURN(node.hierarchies,
                         Annotate(cgroup::Hierarchies::Probe(), "look for the host's cgroups"));
  if (!node.host.can_raise_limits) {
    LogWarn("without CAP_SYS_RESOURCE, OOM scores and resource limits are clamped to ours");
  }
  if (node.host.apparmor) {
    auto loaded = LoadDefaultApparmorProfile();
    if (loaded.ok()) {
      node.apparmor_default = *std::move(loaded);
    } else {
      LogWarn("there is no default AppArmor profile: containers that name none have none",
              {{"error", loaded.status()}});
    }
  }
  return absl::OkStatus();
}

absl::Status Daemon::Parts::ConnectContainerd() {
  std::string socket = config.containerd.address;
  if (absl::StartsWith(socket, "unix://")) socket.erase(0, 7);
  if (socket.empty()) {
    ManagedContainerd::Options options;
    options.root_dir = JoinPath(config.root, "containerd");
    options.state_dir = JoinPath(config.state, "containerd");
    if (absl::StrContains(config.containerd.binary, '/')) {
      options.binary = config.containerd.binary;
    } else {
      options.binary = JoinPath("/usr/bin", config.containerd.binary);
    }
    CRISP_ASSIGN_OR_RETURN(managed, ManagedContainerd::Start(std::move(options)));
    socket = managed->socket();
  }
  CRISP_ASSIGN_OR_RETURN(containerd, Containerd::Connect(socket, "k8s.io"));
  CRISP_RETURN_IF_ERROR(containerd->WaitReady(kContainerdTimeout));
  CRISP_RETURN_IF_ERROR(containerd->CheckUsable());
  std::string chosen = config.containerd.containerd_namespace;
  if (chosen.empty()) {
    CRISP_ASSIGN_OR_RETURN(chosen, containerd->ChooseNamespace());
  }
  if (chosen != containerd->ns()) {
    CRISP_ASSIGN_OR_RETURN(containerd, Containerd::Connect(socket, chosen));
    CRISP_RETURN_IF_ERROR(containerd->WaitReady(kContainerdTimeout));
  }
  CRISP_RETURN_IF_ERROR(Lease::ReleaseLeftovers(containerd.get()));
  return containerd->UseSnapshotter(config.containerd.snapshotter);
}

absl::Status Daemon::Parts::OpenVolumesAndNetwork() {
  CRISP_ASSIGN_OR_RETURN(
      objects, volumes::ObjectStore::Open(JoinPath(config.root, "objects"), Clock::Real()));
  for (const std::string& damaged : objects->damaged()) {
    LogError("an object cannot be read back", {{"what", damaged}});
  }
  volumes::PodVolumes::Options volume_options;
  volume_options.pods_dir = node.pods_dir;
  volume_options.disk_dir = JoinPath(config.root, "pods");
  volume_options.objects = objects.get();
  volume_options.clock = Clock::Real();
  volume_options.open_root = [this](const std::string& id) -> absl::StatusOr<UniqueFd> {
    CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod, pods.Find(id));
    return OpenPodRoot(*pod);
  };
  CRISP_RETURN_IF_ERROR(MakeDirs(volume_options.disk_dir, 0700));
  volumes = std::make_unique<volumes::PodVolumes>(std::move(volume_options));

  netns::PodNetworkOptions network_options;
  network_options.conf_dir = config.network.conf_dir;
  network_options.bin_dirs = config.network.bin_dirs;
  network_options.cache_dir = JoinPath(config.root, "cni");
  network_options.plugin_timeout = config.network.plugin_timeout;
  network_options.builtin_enabled = config.network.builtin;
  network_options.builtin_state_dir = JoinPath(config.root, "network");
  network_options.builtin_bridge = config.network.bridge;
  network_options.builtin_subnet = config.network.subnet;
  network = netns::MakePodNetwork(std::move(network_options));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TaskDriver>> Daemon::Parts::MakeDriver(
    const std::string& name, const RuntimeHandlerConfig& runtime) {
  if (runtime.driver == "native") {
    NativeDriver::Options options;
    options.state_dir = JoinPath(config.state, "shims");
    CRISP_ASSIGN_OR_RETURN(options.shim_binary, FindInstalled("containerd-shim-crisp-v1",
                                                              config.shim_binary, "shim_binary"));
    options.features = NativeFeatures(config.root);
    // Layers are pinned, and so can be shown with other ids, with overlayfs only.
    options.features.user_namespaces &= images->pins_layers();
    return NativeDriver::Open(std::move(options));
  }
  ContainerdDriver::Options options;
  options.state_dir = JoinPath(JoinPath(config.state, "tasks"), name);
  options.runtime_name = runtime.type;
  options.runtime_binary = runtime.binary;
  options.features = OciRuntimeFeatures(runtime);
  return ContainerdDriver::Open(containerd.get(), std::move(options));
}

absl::Status Daemon::Parts::MakeDrivers() {
  exits = std::make_unique<ExitMonitor>(&context);
  for (const auto& [name, runtime] : config.runtimes) {
    CRISP_ASSIGN_OR_RETURN(std::shared_ptr<TaskDriver> driver,
                           Annotate(MakeDriver(name, runtime), "runtimes.", name));
    driver->OnExit([monitor = exits.get()](const std::string& id, const TaskExit& exit) {
      monitor->OnExit(id, exit);
    });
    handlers.Add(name, driver);
    if (name == config.default_runtime) handlers.Add("", driver);
  }
  return absl::OkStatus();
}

absl::Status Daemon::Parts::MakeStats() {
  NodeStats::Options options;
  options.hierarchies = node.hierarchies;
  options.pods = &pods;
  options.containers = &containers;
  options.clock = Clock::Real();
  options.background = tidy.get();
  options.measure_layer = [this](const std::string& id,
                                 const std::string& snapshot_key) -> absl::StatusOr<LayerUsage> {
    if (snapshot_key.empty()) {
      CRISP_ASSIGN_OR_RETURN(LayerUsage usage, MeasureTree(UpperDirOf(context, id)));
      usage.mountpoint = context.rootfs_dir;
      return usage;
    }
    CRISP_ASSIGN_OR_RETURN(const SnapshotUsage usage, images->Usage(snapshot_key));
    CRISP_ASSIGN_OR_RETURN(std::string mountpoint, containerd->SnapshotterRoot());
    return LayerUsage{.bytes = static_cast<uint64_t>(usage.bytes),
                      .inodes = static_cast<uint64_t>(usage.inodes),
                      .mountpoint = std::move(mountpoint)};
  };
  stats = std::make_unique<NodeStats>(std::move(options));
  return absl::OkStatus();
}

void Daemon::Parts::Wire() {
  node.cgroup_parent = config.cgroup_parent;
  node.node_name = config.node_name.empty() ? HostName() : config.node_name;
  node.cdi_dirs = config.cdi_dirs;
  node.clock = Clock::Real();
  node.pods = &pods;
  node.handlers = &handlers;
  node.seccomp = seccomp.get();
  node.network = network.get();
  node.volumes = volumes.get();
  events = std::make_unique<EventHub>(&containers, Clock::Real());
  node.lifecycle = events.get();
  context.node = &node;
  context.containers = &containers;
  context.images = images.get();
  context.tidy = tidy.get();
  context.rootfs_dir = JoinPath(config.root, "containers");
  if (!images->pins_layers()) return;
  if (const absl::Status fit = ProbeOverlayUpper(context.rootfs_dir); !fit.ok()) {
    context.own_uppers = false;
    LogWarn(
        "this directory cannot hold what containers write above their images (an overlay's upper "
        "directory): containerd prepares a snapshot for each container, which takes longer; move "
        "`root` to another filesystem, such as ext4 or xfs",
        {{"directory", context.rootfs_dir}, {"error", fit}});
  }
}

absl::Status Daemon::Parts::Serve() {
  StreamingServer::Options streaming_options;
  streaming_options.address = config.streaming.address;
  streaming_options.tls_cert_file = config.streaming.tls_cert_file;
  streaming_options.tls_key_file = config.streaming.tls_key_file;
  streaming_options.idle_timeout = config.streaming.idle_timeout;
  streaming_options.creation_timeout = config.streaming.creation_timeout;
  CRISP_ASSIGN_OR_RETURN(streaming, StreamingServer::Start(streaming_options, node.clock));
  rpc = std::make_unique<RpcContext>(config, node, context, containerd.get(), streaming.get(),
                                     events.get(), stats.get());
  image_service = std::make_unique<ImageService>(images.get(), [this] {
    std::vector<FsUsage> out;
    for (const LayerUsage& layers : stats->WritableLayers(context.rootfs_dir)) {
      out.push_back({.mountpoint = layers.mountpoint,
                     .used_bytes = layers.bytes,
                     .inodes_used = layers.inodes,
                     .at = absl::FromUnixNanos(layers.at_ns)});
    }
    return out;
  });
  import_service = std::make_unique<ImportService>(images.get());
  volumes_service = std::make_unique<VolumesService>(objects.get(), volumes.get());
  grpcserver::GrpcServer::Options options;
  options.path = std::string(absl::StripPrefix(config.listen, "unix://"));
  const bool every = config.log_level == "debug" || config.log_level == "trace";
  options.observe = every ? LogEveryCall : LogCall;
  AddRuntimeService(rpc.get(), &options.methods);
  image_service->AddTo(&options.methods);
  import_service->AddTo(&options.methods);
  volumes_service->AddTo(&options.methods);
  CRISP_RETURN_IF_ERROR(MakeDirs(options.path.substr(0, options.path.rfind('/')), 0700));
  CRISP_ASSIGN_OR_RETURN(server, grpcserver::GrpcServer::Start(std::move(options)));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(Config config) {
  auto parts = std::make_unique<Parts>();
  parts->config = std::move(config);
  const Config& c = parts->config;
  CRISP_RETURN_IF_ERROR(CheckConfig(c));
  CRISP_RETURN_IF_ERROR(parts->ProbeHost());
  parts->node.pods_dir = JoinPath(c.state, "pods");
  parts->node.netns_dir = JoinPath(c.state, "netns");
  for (const std::string& directory :
       {c.root, JoinPath(c.root, "containers"), c.state, parts->node.pods_dir,
        parts->node.netns_dir, JoinPath(c.state, "tasks")}) {
    CRISP_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  }
  CRISP_ASSIGN_OR_RETURN(parts->lock, LockState(c.state));
  CRISP_ASSIGN_OR_RETURN(parts->node.pause_rootfs, MakePauseRootfs(c.root, c.pause_binary));
  CRISP_RETURN_IF_ERROR(Annotate(parts->ConnectContainerd(), "containerd"));
  CRISP_RETURN_IF_ERROR(parts->OpenVolumesAndNetwork());
  parts->seccomp = std::make_unique<SeccompProfiles>(parts->node.host);
  ImageStoreOptions image_options;
  image_options.certs_dirs = c.registry.config_dirs;
  image_options.parallel_layers = c.registry.parallel_layers;
  image_options.no_progress_timeout = c.registry.no_progress_timeout;
  image_options.pinned = c.registry.pinned_images;
  parts->images =
      std::make_unique<ImageStore>(parts->containerd.get(), Clock::Real(), image_options);
  CRISP_RETURN_IF_ERROR(Annotate(parts->images->Load(), "load images"));
  parts->tidy = std::make_unique<Background>(kTidyThreads);
  parts->Wire();
  CRISP_RETURN_IF_ERROR(Annotate(parts->MakeStats(), "look for the host's cgroups"));
  CRISP_RETURN_IF_ERROR(Annotate(parts->MakeDrivers(), "start the task drivers"));
  CRISP_RETURN_IF_ERROR(Annotate(Recover(parts->context), "recover"));
  CRISP_RETURN_IF_ERROR(parts->Serve());
  LogInfo("crispd serves", {{"version", kCrispVersion},
                            {"listen", c.listen},
                            {"streaming", parts->streaming->base_url()},
                            {"containerd", parts->containerd->socket()},
                            {"namespace", parts->containerd->ns()},
                            {"snapshotter", parts->containerd->snapshotter()}});
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() = default;

void Daemon::Stop() {
  Parts& parts = *parts_;
  parts.events->Close();  // Else the server would wait for subscribers to go.
  parts.server->Stop(kShutdownGrace);
  parts.streaming->Stop();
  if (parts.config.network.remove_on_exit) {
    if (const absl::Status removed = parts.network->RemoveBuiltin(); !removed.ok()) {
      LogWarn("the built-in network stays", {{"reason", removed}});
    }
  }
  parts.tidy.reset();  // Runs what was posted.
  if (parts.pods.All().empty()) {
    cgroup::RemoveEmpty(parts.node.hierarchies, parts.config.cgroup_parent);
  }
  if (parts.managed != nullptr && parts.config.containerd.stop_on_exit) {
    if (const absl::Status stopped = parts.managed->Stop(); !stopped.ok()) {
      LogWarn("containerd did not stop", {{"error", stopped}});
    }
  }
}

}  // namespace crisp::cri
