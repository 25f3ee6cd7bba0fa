#include "shim/launch/init.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/capabilities.h"
#include "shim/launch/confine.h"
#include "shim/launch/devices.h"
#include "shim/launch/hooks.h"
#include "shim/launch/labels.h"
#include "shim/launch/protocol.h"
#include "shim/launch/sysctls.h"
#include "shim/launch/terminal.h"

namespace crisp::shim {
namespace {

// The step that is being done, for a failure's report.
Step g_step = Step::kNamespaces;
const char* g_role = "";  // In the names of failpoints.

void At(Step step) {
  g_step = step;
  if (FailpointsEnabled()) ReachFailpoint(absl::StrCat(g_role, "/", StepName(step)));
}

#define CRISP_STEP(step, expr)   \
  do {                           \
    At(step);                    \
    CRISP_RETURN_IF_ERROR(expr); \
  } while (false)

// Where the last descriptors besides the streams are kept.
constexpr int kHome = 3;
constexpr int kSync = 4;
constexpr int kMaster = 5;

// Ours by inheritance from the shim, and nothing that a container should see.
absl::Status ResetProcess() {
  // Nobody in the container may look into this process before it is confined, whatever
  // capabilities it has in a namespace of its own.
  CRISP_RETURN_IF_ERROR(
      Sys("make undumpable", [] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }));
  // Raw calls: glibc keeps its own signals from sigaction, but their dispositions may be
  // inherited from somebody else. Some cannot be changed; those are as they should be.
  const std::array<unsigned long, 4> by_default = {};  // The kernel's struct sigaction.
  for (int signal = 1; signal < _NSIG; ++signal) {
    (void)::syscall(SYS_rt_sigaction, signal, by_default.data(), nullptr, 8);
  }
  sigset_t none;
  ::sigemptyset(&none);
  CRISP_RETURN_IF_ERROR(
      Sys("unblock signals", [&none] { return ::sigprocmask(SIG_SETMASK, &none, nullptr); }));
  ::umask(0);
  return Sys("setsid", [] { return static_cast<int>(::setsid()); });
}

// Root of the user namespace that we are in by now.
absl::Status BecomeNamespaceRoot() {
  CRISP_RETURN_IF_ERROR(Sys("setgid 0", [] { return ::syscall(SYS_setresgid, 0, 0, 0); }));
  CRISP_RETURN_IF_ERROR(Sys("setuid 0", [] { return ::syscall(SYS_setresuid, 0, 0, 0); }));
  // A change of user made us dumpable or not as fs.suid_dumpable says.
  return Sys("make undumpable", [] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); });
}

absl::Status JoinNamespaces(const ContainerInit& init) {
  for (const JoinedNamespace& ns : init.namespaces->joins) {
    CRISP_RETURN_IF_ERROR(JoinNamespace(ns.fd.get(), ns.type));
  }
  if (init.namespaces->make_cgroup) {
    CRISP_RETURN_IF_ERROR(Sys("make cgroup namespace", [] { return ::unshare(CLONE_NEWCGROUP); }));
  }
  if (init.namespaces->mounts_from.ok()) {
    CRISP_RETURN_IF_ERROR(JoinNamespace(init.namespaces->mounts_from.get(), CLONE_NEWNS));
  }
  CRISP_RETURN_IF_ERROR(Sys("make mount namespace", [] { return ::unshare(CLONE_NEWNS); }));
  if ((init.namespaces->clone_flags & CLONE_NEWNET) != 0) {
    CRISP_RETURN_IF_ERROR(RaiseLoopback());
  }
  return absl::OkStatus();
}

absl::Status SetNames(const Spec& spec) {
  if (!spec.hostname.empty()) {
    CRISP_RETURN_IF_ERROR(Sys("sethostname", [&spec] {
      return ::sethostname(spec.hostname.data(), spec.hostname.size());
    }));
  }
  if (!spec.domainname.empty()) {
    CRISP_RETURN_IF_ERROR(Sys("setdomainname", [&spec] {
      return ::setdomainname(spec.domainname.data(), spec.domainname.size());
    }));
  }
  return absl::OkStatus();
}

// The container's own null device, so that no stream is a file of the host's /dev.
absl::StatusOr<UniqueFd> OpenNull(const RootDir& root) {
  const auto check = [](int fd) -> absl::Status {
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("stat /dev/null", [&] { return ::fstat(fd, &st); }));
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) return absl::OkStatus();
    return absl::FailedPreconditionError("/dev/null is not the null device");
  };
  // Judged before it is opened, and after: it may have been exchanged.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd path, root.OpenPlain("/dev/null", O_PATH));
  CRISP_RETURN_IF_ERROR(check(path.get()));
  CRISP_ASSIGN_OR_RETURN(UniqueFd null, root.OpenPlain("/dev/null", O_RDWR | O_NONBLOCK));
  CRISP_RETURN_IF_ERROR(check(null.get()));
  CRISP_RETURN_IF_ERROR(Sys("fcntl", [&null] { return ::fcntl(null.get(), F_SETFL, O_RDWR); }));
  return null;
}

// Streams to 0, 1 and 2. They may be any descriptors, each other's numbers too.
absl::Status UseStreams(const InitCommon& init, const RootDir& root) {
  std::array<UniqueFd, 3> copies;
  UniqueFd null;
  for (size_t i = 0; i < 3; ++i) {
    int from = init.streams[i];
    if (from < 0) {
      if (!null.ok()) {
        auto own = OpenNull(root);
        if (own.ok()) null = *std::move(own);
      }
      from = null.ok() ? null.get() : init.host_null;
    }
    CRISP_ASSIGN_OR_RETURN(
        copies[i], SysFd("dup stream", [from] { return ::fcntl(from, F_DUPFD_CLOEXEC, 3); }));
  }
  for (int i = 0; i < 3; ++i) {
    CRISP_RETURN_IF_ERROR(
        Sys("dup stream", [&] { return ::dup2(copies[static_cast<size_t>(i)].get(), i); }));
  }
  return absl::OkStatus();
}

// Leaves 0, 1, 2, the sockets and, if there is one, the terminal's master; all but the
// streams close at execve.
absl::Status KeepOnly(int home, int sync, int master) {
  constexpr int kAside = 16;
  const int wanted[] = {home, sync, master};
  UniqueFd aside[3];
  for (int i = 0; i < 3; ++i) {
    if (wanted[i] < 0) continue;
    CRISP_ASSIGN_OR_RETURN(
        aside[i], SysFd("dup", [&] { return ::fcntl(wanted[i], F_DUPFD_CLOEXEC, kAside); }));
  }
  for (int i = 0; i < 3; ++i) {
    if (!aside[i].ok()) continue;
    CRISP_RETURN_IF_ERROR(Sys("dup", [&] { return ::dup3(aside[i].get(), kHome + i, O_CLOEXEC); }));
  }
  const unsigned first = static_cast<unsigned>(master < 0 ? kMaster : kMaster + 1);
  for (UniqueFd& fd : aside) (void)fd.release();  // Closed with all others.
  return Sys("close descriptors", [first] { return ::syscall(SYS_close_range, first, ~0U, 0); });
}

// From a process with the privileges of the container's root to one with the program's.
// The order is what the kernel demands: a filter needs privileges unless they can no
// more be gained, the bounding set and the change of user need what is dropped last.
absl::Status Confine(const InitCommon& init, const Process& process) {
  if (process.no_new_privileges) {
    CRISP_STEP(Step::kCapabilities,
               Sys("no_new_privs", [] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }));
  } else {
    CRISP_STEP(Step::kSeccomp, LoadSeccompFilter(init.seccomp));
  }
  CRISP_STEP(Step::kCapabilities, DropBounding(init.capabilities));
  At(Step::kWorkingDirectory);
  const absl::Status entered = EnterWorkingDirectory(process.cwd);
  if (!entered.ok() && ErrnoOf(entered) != EACCES && ErrnoOf(entered) != EPERM) return entered;
  CRISP_STEP(Step::kUser, BecomeUser(process.user));
  if (!entered.ok()) CRISP_STEP(Step::kWorkingDirectory, EnterWorkingDirectory(process.cwd));
  CRISP_STEP(Step::kWorkingDirectory, CheckWorkingDirectory());
  CRISP_STEP(Step::kCapabilities, SetCapabilities(init.capabilities));
  return absl::OkStatus();
}

absl::Status Execute(const InitCommon& init, const Process& process, const std::string& program,
                     const std::vector<std::string>& environment) {
  std::vector<char*> argv, envp;
  for (const std::string& arg : process.args) argv.push_back(const_cast<char*>(arg.c_str()));
  for (const std::string& entry : environment) envp.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  CRISP_STEP(Step::kLimits, SetFinalAffinity(process));
  if (process.no_new_privileges) CRISP_STEP(Step::kSeccomp, LoadSeccompFilter(init.seccomp));
  At(Step::kExec);
  ::execve(program.c_str(), argv.data(), envp.data());
  return ErrnoStatus(errno, absl::StrCat("\"", program, "\""));
}

// From here on what fails is told to the shim.
absl::Status SendReady(bool terminal) {
  Message ready;
  ready.kind = MessageKind::kReady;
  if (terminal) ready.fds.emplace_back(kMaster);
  return SendMessage(kSync, ready);
}

// Where failures are told: to the worker as long as it is there, then to the shim.
[[noreturn]] void Fail(int socket, const absl::Status& failure) {
  (void)SendFailure(socket, g_step, failure);
  ::_exit(127);
}

absl::StatusOr<RootDir> PrepareContainer(const ContainerInit& init, Terminal* terminal,
                                         pid_t* host_pid) {
  const Spec& spec = *init.spec;
  const Process& process = spec.process;

  CRISP_STEP(Step::kNamespaces, ResetProcess());
  if (init.common.own_keyring) CRISP_STEP(Step::kLabels, MakeKeyring(init.common.id));
  if (init.cgroup != nullptr) {
    CRISP_STEP(Step::kCgroup, init.cgroup->JoinSelf(init.unified_joined));
  }
  CRISP_STEP(Step::kIdMaps, Expect(init.common.sync, MessageKind::kContinue).status());
  if (spec.HasNamespace(CLONE_NEWUSER)) CRISP_STEP(Step::kIdMaps, BecomeNamespaceRoot());
  CRISP_STEP(Step::kNamespaces, JoinNamespaces(init));

  CRISP_STEP(Step::kMountSources, OpenPodSources(*init.mounts, init.sources));
  At(Step::kRootfs);
  CRISP_ASSIGN_OR_RETURN(RootDir root, AttachRootfs(std::move(*init.rootfs)));
  At(Step::kMounts);
  CRISP_ASSIGN_OR_RETURN(const ReadonlyLater readonly,
                         AttachMounts(*init.mounts, init.sources, root));
  CRISP_STEP(Step::kDevices, MakeDevices(*init.mounts, *init.device_clones, root));
  CRISP_STEP(Step::kDevices, LinkDevices(*init.mounts, root));
  if (process.terminal) {
    At(Step::kTerminal);
    CRISP_ASSIGN_OR_RETURN(*terminal, OpenTerminal(root, process));
    CRISP_STEP(Step::kTerminal, BindConsole(root, *terminal));
  }
  CRISP_STEP(Step::kWorkingDirectory, root.EnsureDirectory(process.cwd).status());

  CRISP_STEP(Step::kHooks, SendKind(init.common.sync, MessageKind::kHooks));
  CRISP_ASSIGN_OR_RETURN(const Message hooked, Expect(init.common.sync, MessageKind::kContinue));
  *host_pid = hooked.pid;
  CRISP_STEP(Step::kHooks, RunHooks("hooks.createContainer", spec.hooks.create_container,
                                    init.hook_state.ToJson("creating", *host_pid)));

  CRISP_STEP(Step::kHostname, SetNames(spec));
  if (!spec.sysctls.empty() || HasLabels(process)) {
    At(Step::kSysctl);
    CRISP_ASSIGN_OR_RETURN(const PrivateProc proc, PrivateProc::Make());
    CRISP_STEP(Step::kSysctl, WriteSysctls(spec, proc));
    CRISP_STEP(Step::kLabels, SetExecLabels(process, proc));
  }
  CRISP_STEP(Step::kPivotRoot, EnterRootfs(root, init.pivot, spec));
  CRISP_STEP(Step::kMaskedPaths, HidePaths(*init.mounts, *init.sources, root));
  CRISP_STEP(Step::kMounts, MakeReadonly(*init.mounts, readonly, root));
  return root;
}

}  // namespace

void RunContainerInit(ContainerInit init) {
  g_role = "init";
  const InitCommon& common = init.common;
  const Spec& spec = *init.spec;
  const Process& process = spec.process;
  std::string program;
  std::vector<std::string> environment;
  pid_t host_pid = 0;  // As hooks are told.
  int sync = common.sync;

  const absl::Status prepared = [&]() -> absl::Status {
    Terminal terminal;
    CRISP_ASSIGN_OR_RETURN(const RootDir root, PrepareContainer(init, &terminal, &host_pid));
    if (process.terminal) {
      CRISP_STEP(Step::kTerminal, UseTerminal(terminal.slave));
    } else {
      CRISP_STEP(Step::kDevices, UseStreams(common, root));
    }
    CRISP_STEP(Step::kUser, GiveStreams(process.user));
    CRISP_STEP(Step::kProtocol, KeepOnly(common.home, common.sync, terminal.master.get()));
    sync = kSync;
    CRISP_STEP(Step::kLimits, SetScheduling(process));
    if (spec.personality.has_value()) {
      CRISP_STEP(Step::kLimits,
                 Sys("linux.personality", [&spec] { return ::personality(*spec.personality); }));
    }
    environment = CompleteEnvironment(process);
    CRISP_STEP(Step::kLimits, SetLimits(process));
    CRISP_RETURN_IF_ERROR(Confine(common, process));
    At(Step::kExec);
    CRISP_ASSIGN_OR_RETURN(program, FindProgram(process));
    CRISP_STEP(Step::kProtocol, SendReady(process.terminal));
    ::close(kSync);
    return absl::OkStatus();
  }();
  if (!prepared.ok()) Fail(sync, prepared);

  const absl::Status failed = [&]() -> absl::Status {
    // A shim that is gone starts nobody.
    CRISP_STEP(Step::kProtocol, Expect(kHome, MessageKind::kStart).status());
    CRISP_STEP(Step::kHooks, RunHooks("hooks.startContainer", spec.hooks.start_container,
                                      init.hook_state.ToJson("created", host_pid)));
    return Execute(common, process, program, environment);
  }();
  Fail(kHome, failed);
}

void RunExecInit(ExecInit init) {
  g_role = "exec init";
  const InitCommon& common = init.common;
  const Process& process = *common.process;
  int sync = common.sync;

  const absl::Status joined = [&]() -> absl::Status {
    CRISP_STEP(Step::kNamespaces, ResetProcess());
    if (common.own_keyring) CRISP_STEP(Step::kLabels, MakeKeyring(common.id));
    CRISP_STEP(Step::kNamespaces, Sys("join the container's namespaces", [&init] {
                 return ::setns(init.container, init.namespaces);
               }));
    if (init.user_namespace) CRISP_STEP(Step::kIdMaps, BecomeNamespaceRoot());
    Terminal terminal;
    At(Step::kTerminal);
    CRISP_ASSIGN_OR_RETURN(UniqueFd root_fd, SysFd("open /", [] {
                             return ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                           }));
    const RootDir root(std::move(root_fd));
    if (process.terminal) {
      CRISP_ASSIGN_OR_RETURN(terminal, OpenTerminal(root, process));
      CRISP_STEP(Step::kTerminal, UseTerminal(terminal.slave));
    } else {
      CRISP_STEP(Step::kDevices, UseStreams(common, root));
    }
    CRISP_STEP(Step::kUser, GiveStreams(process.user));
    CRISP_STEP(Step::kProtocol, KeepOnly(common.home, common.sync, terminal.master.get()));
    sync = kSync;
    CRISP_STEP(Step::kProtocol, SendReady(process.terminal));
    // Hard limits are raised from outside, before there are privileges to use them.
    CRISP_STEP(Step::kProtocol, Expect(kSync, MessageKind::kContinue).status());
    ::close(kSync);
    return absl::OkStatus();
  }();
  if (!joined.ok()) Fail(sync, joined);

  const absl::Status failed = [&]() -> absl::Status {
    CRISP_STEP(Step::kLimits, SetScheduling(process));
    if (HasLabels(process)) {
      At(Step::kLabels);
      CRISP_ASSIGN_OR_RETURN(const PrivateProc proc, PrivateProc::Make());
      CRISP_RETURN_IF_ERROR(SetExecLabels(process, proc));
    }
    const std::vector<std::string> environment = CompleteEnvironment(process);
    CRISP_STEP(Step::kLimits, SetLimits(process));
    CRISP_RETURN_IF_ERROR(Confine(common, process));
    At(Step::kExec);
    CRISP_ASSIGN_OR_RETURN(const std::string program, FindProgram(process));
    return Execute(common, process, program, environment);
  }();
  Fail(kHome, failed);
}

}  // namespace crisp::shim
