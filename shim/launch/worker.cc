#include "shim/launch/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "shim/launch/apply_mounts.h"
#include "shim/launch/capabilities.h"
#include "shim/launch/clone.h"
#include "shim/launch/confine.h"
#include "shim/launch/devices.h"
#include "shim/launch/facts.h"
#include "shim/launch/hooks.h"
#include "shim/launch/id_maps.h"
#include "shim/launch/init.h"
#include "shim/launch/labels.h"
#include "shim/launch/mount_plan.h"
#include "shim/launch/namespaces.h"
#include "shim/launch/protocol.h"
#include "shim/launch/rootfs.h"
#include "shim/launch/seccomp_cache.h"
#include "shim/launch/spec_reader.h"
#include "shim/launch/sysctls.h"

namespace crisp::shim {
namespace {

using cgroup::Cgroup;

// The step that is being done, for a failure's report.
Step g_step = Step::kSpec;
const char* g_role = "";  // In the names of failpoints.

void At(Step step) {
  g_step = step;
  if (FailpointsEnabled()) ReachFailpoint(absl::StrCat(g_role, "/", StepName(step)));
}

// Nothing of the shim's is left in the worker, and nobody may look into what init is a
// copy of.
absl::Status LeaveShim(std::vector<int> kept) {
  CRISP_RETURN_IF_ERROR(
      Sys("make undumpable", [] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }));
  // A hook need not read its state.
  ::signal(SIGPIPE, SIG_IGN);
  kept.insert(kept.end(), {0, 1, 2});
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    if (fd < 0) continue;
    const auto keep = static_cast<unsigned>(fd);
    if (keep > next) (void)::syscall(SYS_close_range, next, keep - 1, 0);
    next = std::max(next, keep + 1);
  }
  return Sys("close descriptors", [next] { return ::syscall(SYS_close_range, next, ~0U, 0); });
}

absl::StatusOr<std::string> CgroupPath(const Spec& spec, const std::string& id) {
  const std::string& path = spec.cgroups_path;
  if (path.empty()) return absl::StrCat("/", id);
  if (!absl::StrContains(path, "/") && absl::StrContains(path, ":")) {
    return absl::InvalidArgumentError(
        "linux.cgroupsPath: systemd's slice:prefix:name is not supported");
  }
  std::string clean = CleanPath(absl::StrCat("/", path));
  if (clean == "/" || !IsCleanRelative(absl::string_view(clean).substr(1))) {
    return absl::InvalidArgumentError("linux.cgroupsPath: is not a path below the root");
  }
  return clean;
}

// Where a process can be born in a cgroup; -1 with v1 hierarchies alone.
UniqueFd UnifiedOf(const Cgroup& cgroup) {
  auto fd = cgroup.OpenUnified();
  return fd.ok() ? *std::move(fd) : UniqueFd();
}

// What a failure has to take back.
struct Undo {
  UniqueFd init;
  std::optional<Cgroup> cgroup;
  std::vector<Hook> poststop;  // A copy: it outlives the spec.
  std::string stopped_state;

  void Run() {
    if (init.ok()) {
      (void)::syscall(SYS_pidfd_send_signal, init.get(), SIGKILL, nullptr, 0);
      pollfd gone = {init.get(), POLLIN, 0};
      (void)::poll(&gone, 1, 5000);
    }
    if (cgroup.has_value()) {
      (void)cgroup->Kill(SIGKILL);
      (void)cgroup->Remove();
    }
    (void)RunHooks("hooks.poststop", poststop, stopped_state);
  }
};

// Clones init into `flags` after `join`, which may leave the caller where it cannot
// come back from: then a process in between does both, and is gone.
template <typename F>
absl::StatusOr<Sibling> CloneAfter(F join, bool stay_behind, uint64_t flags, int cgroup) {
  if (!stay_behind) {
    CRISP_RETURN_IF_ERROR(join());
    return CloneSibling(flags, cgroup);
  }
  // A pair of its own: an exec's init speaks at once, and may do so before it is told of.
  CRISP_ASSIGN_OR_RETURN(SocketPair birth, MakeSocketPair());
  CRISP_ASSIGN_OR_RETURN(const Sibling between, CloneSibling(0, -1));
  if (between.pid == 0) {
    const absl::Status joined = join();
    absl::StatusOr<Sibling> init =
        joined.ok() ? CloneSibling(flags, cgroup) : absl::StatusOr<Sibling>(joined);
    if (init.ok() && init->pid == 0) return init;
    if (init.ok()) {
      Message message;
      message.kind = MessageKind::kCreated;
      message.pid = init->pid;
      message.fds.push_back(std::move(init->pidfd));
      (void)SendMessage(birth.second.get(), message);
    } else {
      (void)SendFailure(birth.second.get(), Step::kClone, init.status());
    }
    ::_exit(0);
  }
  birth.second.reset();
  CRISP_ASSIGN_OR_RETURN(Message born, Expect(birth.first.get(), MessageKind::kCreated));
  if (born.fds.size() != 1) return absl::DataLossError("a process without a descriptor");
  return Sibling{born.pid, std::move(born.fds[0])};
}

// A message from init; its failure counts as the step that init was at.
absl::StatusOr<Message> FromInit(int sync) {
  CRISP_ASSIGN_OR_RETURN(Message message, ReceiveMessage(sync));
  if (message.kind != MessageKind::kFailed) return message;
  g_step = message.step;
  return message.failure;
}

absl::Status SendCreated(int home, const ContainerFacts& facts, UniqueFd pidfd,
                         std::vector<UniqueFd> terminal) {
  Message created;
  created.kind = MessageKind::kCreated;
  created.pid = facts.pid;
  created.body = EncodeFacts(facts);
  created.fds.push_back(std::move(pidfd));
  for (UniqueFd& fd : terminal) created.fds.push_back(std::move(fd));
  return SendMessage(home, created);
}

absl::StatusOr<UniqueFd> OpenHostNull() {
  return SysFd("open /dev/null", [] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); });
}

absl::Status LaunchContainer(const ContainerLaunch& request, const cgroup::Hierarchies& hosts,
                             int home, Undo* undo) {
  // What can be known to be wrong before anything is made.
  At(Step::kSpec);
  CRISP_ASSIGN_OR_RETURN(Spec spec, ParseSpec(request.spec_json));
  spec.process.terminal = request.streams.terminal;
  CRISP_RETURN_IF_ERROR(CheckLabels(spec.process));
  CRISP_RETURN_IF_ERROR(CheckSysctls(spec));
  CRISP_ASSIGN_OR_RETURN(const std::string cgroup_path, CgroupPath(spec, request.id));
  CRISP_ASSIGN_OR_RETURN(const MountPlan mounts,
                         PlanMounts(spec, {.crisp_options = request.crisp_options,
                                           .bundle = request.bundle,
                                           .cgroup_path = cgroup_path,
                                           .hosts = hosts}));
  if (request.mounts_from != 0 && !spec.hooks.create_container.empty()) {
    return absl::InvalidArgumentError(
        "hooks.createContainer: the host's programs are not in a pod's mount namespace");
  }

  ContainerInit init;
  init.spec = &spec;
  init.mounts = &mounts;
  init.pivot = !request.no_pivot_root;
  init.common.home = home;
  init.common.id = request.id;
  init.common.streams = request.streams.fds;
  init.common.own_keyring = !request.no_new_keyring;
  At(Step::kCapabilities);
  CRISP_ASSIGN_OR_RETURN(init.common.capabilities, ClampCapabilities(spec.process.capabilities));
  At(Step::kSeccomp);
  CRISP_ASSIGN_OR_RETURN(init.common.seccomp, GetSeccompFilter(spec.seccomp, request.cache_dir));
  At(Step::kNamespaces);
  CRISP_ASSIGN_OR_RETURN(NamespacePlan namespaces, PlanNamespaces(spec, request.mounts_from));
  init.namespaces = &namespaces;

  At(Step::kCgroup);
  // Told before it is there: if we are killed, the shim takes it back.
  Message intent;
  intent.kind = MessageKind::kCgroup;
  intent.body = cgroup_path;
  CRISP_RETURN_IF_ERROR(SendMessage(home, intent));
  spec.resources.devices = cgroup::WithDefaultDevices(std::move(spec.resources.devices));
  CRISP_ASSIGN_OR_RETURN(undo->cgroup, Cgroup::Create(hosts, cgroup_path, spec.resources));
  const UniqueFd unified = UnifiedOf(*undo->cgroup);
  init.cgroup = &*undo->cgroup;
  init.unified_joined = unified.ok();

  At(Step::kRootfs);
  CRISP_ASSIGN_OR_RETURN(Rootfs rootfs, MakeRootfs(request, spec));
  init.rootfs = &rootfs;
  At(Step::kMountSources);
  CRISP_ASSIGN_OR_RETURN(MountSources sources, OpenSources(mounts));
  init.sources = &sources;
  CRISP_ASSIGN_OR_RETURN(const UniqueFd host_null, OpenHostNull());
  init.common.host_null = host_null.get();
  std::vector<UniqueFd> device_clones;
  if (spec.HasNamespace(CLONE_NEWUSER)) {
    CRISP_ASSIGN_OR_RETURN(device_clones, CloneDevices(mounts));
    CRISP_RETURN_IF_ERROR(GiveStreams(request.streams.fds, spec.process.user, spec.id_maps));
  }
  init.device_clones = &device_clones;

  const HookState state{spec.version, request.id, request.bundle, spec.annotations};
  undo->stopped_state = state.ToJson("stopped", 0);
  init.hook_state = state;

  At(Step::kNamespaces);
  CRISP_ASSIGN_OR_RETURN(SocketPair sync, MakeSocketPair());
  init.common.sync = sync.second.get();
  std::vector<JoinedNamespace> ours;  // For hooks: theirs are the runtime's namespaces.
  const auto keep_ours = [&ours](int type, const char* file) -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenHostProc(absl::StrCat("self/ns/", file), O_RDONLY));
    ours.push_back({type, std::move(fd)});
    return absl::OkStatus();
  };
  if (namespaces.make_time) {
    CRISP_RETURN_IF_ERROR(keep_ours(CLONE_NEWTIME, "time"));
    CRISP_RETURN_IF_ERROR(MakeTimeNamespace(spec.time_offsets));
  }
  const bool joins_user = namespaces.user.ok();
  if (namespaces.pid.ok() && !joins_user) CRISP_RETURN_IF_ERROR(keep_ours(CLONE_NEWPID, "pid"));
  // The pid namespace by whoever clones, or what the clone is called there would count as
  // its pid here.
  const auto join = [&]() -> absl::Status {
    if (namespaces.pid.ok()) {
      CRISP_RETURN_IF_ERROR(JoinNamespace(namespaces.pid.get(), CLONE_NEWPID));
    }
    return joins_user ? JoinNamespace(namespaces.user.get(), CLONE_NEWUSER) : absl::OkStatus();
  };
  At(Step::kClone);
  CRISP_ASSIGN_OR_RETURN(Sibling child,
                         CloneAfter(join, joins_user, namespaces.clone_flags, unified.get()));
  if (child.pid == 0) {
    sync.first.reset();  // Or init would never see that the worker is gone.
    RunContainerInit(std::move(init));
  }
  undo->init = std::move(child.pidfd);
  sync.second.reset();
  for (const JoinedNamespace& ns : ours) {
    CRISP_RETURN_IF_ERROR(JoinNamespace(ns.fd.get(), ns.type));
  }

  if (spec.MakesNamespace(CLONE_NEWUSER)) {
    At(Step::kIdMaps);
    CRISP_RETURN_IF_ERROR(WriteIdMaps(child.pid, spec.id_maps));
  }
  At(Step::kProtocol);
  CRISP_RETURN_IF_ERROR(SendKind(sync.first.get(), MessageKind::kContinue));
  std::vector<UniqueFd> terminal;
  for (bool ready = false; !ready;) {
    CRISP_ASSIGN_OR_RETURN(Message message, FromInit(sync.first.get()));
    if (message.kind == MessageKind::kHooks) {
      At(Step::kLimits);
      CRISP_RETURN_IF_ERROR(RaiseLimits(child.pid, spec.process));
      At(Step::kHooks);
      undo->poststop = spec.hooks.poststop;
      const std::string creating = state.ToJson("creating", child.pid);
      CRISP_RETURN_IF_ERROR(RunHooks("hooks.prestart", spec.hooks.prestart, creating));
      CRISP_RETURN_IF_ERROR(RunHooks("hooks.createRuntime", spec.hooks.create_runtime, creating));
      At(Step::kProtocol);
      Message go;
      go.kind = MessageKind::kContinue;
      go.pid = child.pid;
      CRISP_RETURN_IF_ERROR(SendMessage(sync.first.get(), go));
    } else if (message.kind == MessageKind::kReady) {
      terminal = std::move(message.fds);
      ready = true;
    } else {
      return absl::DataLossError("a message out of order");
    }
  }

  ExecFacts shared;
  for (const Namespace& ns : spec.namespaces) {
    // Its own is what setns would call an error.
    if (ns.type != CLONE_NEWUSER || joins_user || ns.path.empty()) {
      shared.namespaces |= static_cast<uint32_t>(ns.type);
    }
  }
  shared.seccomp_key = init.common.seccomp.key;
  shared.seccomp_program = init.common.seccomp.program;
  shared.seccomp_flags = init.common.seccomp.flags;
  shared.own_keyring = init.common.own_keyring;
  ContainerFacts facts;
  facts.pid = child.pid;
  facts.cgroup_path = cgroup_path;
  facts.private_pid_namespace = spec.MakesNamespace(CLONE_NEWPID);
  facts.hooks_json = HooksToKeep(spec.hooks, state);
  facts.exec_facts = shared.Encode();
  CRISP_ASSIGN_OR_RETURN(UniqueFd pidfd, SysFd("dup", [undo] {
                           return ::fcntl(undo->init.get(), F_DUPFD_CLOEXEC, 3);
                         }));
  return SendCreated(home, facts, std::move(pidfd), std::move(terminal));
}

absl::Status LaunchExec(const ExecLaunch& request, const cgroup::Hierarchies& hosts, int container,
                        int home, Undo* undo) {
  At(Step::kSpec);
  CRISP_ASSIGN_OR_RETURN(Process process, ParseProcess(request.process_json));
  process.terminal = request.streams.terminal;
  CRISP_RETURN_IF_ERROR(CheckLabels(process));
  CRISP_ASSIGN_OR_RETURN(const ExecFacts shared, ExecFacts::Decode(request.container.exec_facts));

  ExecInit init;
  init.container = container;
  init.user_namespace = (shared.namespaces & CLONE_NEWUSER) != 0;
  // The program's process is born in the user and pid namespaces; the rest it joins.
  const int born_in = static_cast<int>(shared.namespaces) & (CLONE_NEWPID | CLONE_NEWUSER);
  init.namespaces = static_cast<int>(shared.namespaces) & ~born_in;
  init.common.process = &process;
  init.common.home = home;
  init.common.id = request.container_id;
  init.common.streams = request.streams.fds;
  init.common.own_keyring = shared.own_keyring;
  At(Step::kCapabilities);
  CRISP_ASSIGN_OR_RETURN(init.common.capabilities, ClampCapabilities(process.capabilities));
  At(Step::kSeccomp);
  init.common.seccomp.flags = shared.seccomp_flags;
  init.common.seccomp.program = shared.seccomp_program;
  if (!shared.seccomp_key.empty()) {
    CRISP_ASSIGN_OR_RETURN(init.common.seccomp.program,
                           ReadCachedProgram(request.cache_dir, shared.seccomp_key));
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd host_null, OpenHostNull());
  init.common.host_null = host_null.get();
  if (init.user_namespace) {
    At(Step::kIdMaps);
    CRISP_ASSIGN_OR_RETURN(const IdMaps maps, ReadIdMaps(request.container.pid));
    CRISP_RETURN_IF_ERROR(GiveStreams(request.streams.fds, process.user, maps));
  }

  At(Step::kCgroup);
  std::optional<Cgroup> cgroup;
  UniqueFd unified;
  if (!request.container.cgroup_path.empty()) {
    CRISP_ASSIGN_OR_RETURN(cgroup, Cgroup::Open(hosts, request.container.cgroup_path));
    unified = UnifiedOf(*cgroup);
    // The process is cloned from here and inherits it.
    CRISP_RETURN_IF_ERROR(cgroup->JoinSelf(unified.ok()));
  }

  CRISP_ASSIGN_OR_RETURN(SocketPair sync, MakeSocketPair());
  init.common.sync = sync.second.get();
  At(Step::kNamespaces);
  const auto join = [&]() -> absl::Status {
    if (born_in == 0) return absl::OkStatus();
    return Sys("join the container's pid namespace", [&] { return ::setns(container, born_in); });
  };
  auto born = CloneAfter(join, init.user_namespace, 0, unified.get());
  if (ErrnoOf(born.status()) == EBUSY && unified.ok()) {
    // A container that shares its cgroup out to cgroups of its own, as systemd does, leaves no
    // room for processes in it: the kernel has them in the leaves. Init is in one.
    CRISP_ASSIGN_OR_RETURN(const Cgroup home, cgroup->HomeOf(request.container.pid));
    unified = UnifiedOf(home);
    born = CloneAfter(join, init.user_namespace, 0, unified.get());
  }
  CRISP_ASSIGN_OR_RETURN(Sibling child, std::move(born));
  if (child.pid == 0) {
    sync.first.reset();
    RunExecInit(std::move(init));
  }
  undo->init = std::move(child.pidfd);
  sync.second.reset();

  CRISP_ASSIGN_OR_RETURN(Message ready, FromInit(sync.first.get()));
  if (ready.kind != MessageKind::kReady) return absl::DataLossError("a message out of order");
  At(Step::kLimits);
  CRISP_RETURN_IF_ERROR(RaiseLimits(child.pid, process));
  At(Step::kProtocol);
  ContainerFacts facts = request.container;
  facts.pid = child.pid;
  CRISP_ASSIGN_OR_RETURN(UniqueFd pidfd, SysFd("dup", [undo] {
                           return ::fcntl(undo->init.get(), F_DUPFD_CLOEXEC, 3);
                         }));
  CRISP_RETURN_IF_ERROR(SendCreated(home, facts, std::move(pidfd), std::move(ready.fds)));
  return SendKind(sync.first.get(), MessageKind::kContinue);
}

[[noreturn]] void Finish(const absl::Status& status, int home, Undo* undo) {
  if (status.ok()) ::_exit(0);
  undo->Run();
  (void)SendFailure(home, g_step, status);
  ::_exit(1);
}

}  // namespace

void RunContainerWorker(const ContainerLaunch& request, const cgroup::Hierarchies& hosts,
                        int home) {
  g_role = "worker";
  Undo undo;
  absl::Status status =
      LeaveShim({home, request.streams.fds[0], request.streams.fds[1], request.streams.fds[2]});
  if (status.ok()) status = LaunchContainer(request, hosts, home, &undo);
  Finish(status, home, &undo);
}

void RunExecWorker(const ExecLaunch& request, const cgroup::Hierarchies& hosts, int container,
                   int home) {
  g_role = "exec worker";
  Undo undo;
  absl::Status status = LeaveShim(
      {home, container, request.streams.fds[0], request.streams.fds[1], request.streams.fds[2]});
  if (status.ok()) status = LaunchExec(request, hosts, container, home, &undo);
  Finish(status, home, &undo);
}

void RunPoststartWorker(const ContainerFacts& facts, const std::string& bundle) {
  absl::Status status = LeaveShim({});
  auto kept = ReadKeptHooks(facts.hooks_json);
  if (status.ok()) status = kept.status();
  if (status.ok()) {
    kept->state.bundle = bundle;
    status = RunHooks("hooks.poststart", kept->hooks.poststart,
                      kept->state.ToJson("running", facts.pid));
  }
  ::_exit(status.ok() ? 0 : 1);
}

void RunTeardownWorker(const ContainerFacts& facts, const cgroup::Hierarchies& hosts,
                       const std::string& bundle) {
  absl::Status status = LeaveShim({});
  CRISP_FAILPOINT("teardown/begun");
  if (!facts.cgroup_path.empty()) {
    auto cgroup = Cgroup::Open(hosts, facts.cgroup_path);
    if (cgroup.ok()) {
      (void)cgroup->Kill(SIGKILL);
      status.Update(cgroup->Remove());
    } else if (!absl::IsNotFound(cgroup.status())) {
      status.Update(cgroup.status());
    }
  }
  CRISP_FAILPOINT("teardown/cgroup removed");
  auto kept = ReadKeptHooks(facts.hooks_json);
  status.Update(kept.status());
  if (kept.ok()) {
    kept->state.bundle = bundle;
    // Each gets its turn, whatever became of those before it.
    for (const Hook& hook : kept->hooks.poststop) {
      status.Update(RunHooks("hooks.poststop", {hook}, kept->state.ToJson("stopped", 0)));
    }
  }
  ::_exit(status.ok() ? 0 : 1);
}

}  // namespace crisp::shim
