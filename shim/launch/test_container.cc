#include "shim/launch/test_container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

using Json = nlohmann::json;

constexpr const char* kApplets[] = {
    "sh",    "cat",   "true", "false",    "sleep",  "id",   "ls",     "mount", "echo",     "grep",
    "touch", "mkdir", "ln",   "rm",       "mv",     "stat", "chmod",  "env",   "pwd",      "test",
    "wc",    "head",  "sed",  "cut",      "tr",     "od",   "umount", "mknod", "hostname", "dd",
    "tty",   "stty",  "kill", "readlink", "ulimit", "find", "sort",   "cmp",   "chown",    "seq",
};

int ExitCode(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Json Mount(const char* where, const char* type, std::vector<std::string> options) {
  return {{"destination", where}, {"type", type}, {"source", type}, {"options", options}};
}

}  // namespace

TestBundle::TestBundle() {
  const char* base = std::getenv("TEST_TMPDIR");
  path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/bundle-", RandomHex(12));
  for (const char* dir : {"rootfs", "rootfs/bin", "rootfs/etc", "rootfs/tmp", "rootfs/proc",
                          "rootfs/sys", "rootfs/dev", "rootfs/root"}) {
    MakeDir(dir);
  }
  (void)!::symlink("busybox", Path("rootfs/bin/sh").c_str());
  if (::link("/bin/busybox", Path("rootfs/bin/busybox").c_str()) == -1) {
    std::ifstream in("/bin/busybox", std::ios::binary);
    std::ofstream out(Path("rootfs/bin/busybox"), std::ios::binary);
    out << in.rdbuf();
    out.close();
    ::chmod(Path("rootfs/bin/busybox").c_str(), 0755);
  }
  for (const char* applet : kApplets) {
    (void)!::symlink("busybox", absl::StrCat(rootfs(), "/bin/", applet).c_str());
  }
  WriteFile("rootfs/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:u:/tmp:/bin/sh\n");
}

TestBundle::~TestBundle() { (void)RemoveTree(path_); }

void TestBundle::MakeDir(const std::string& name) const { (void)MakeDirs(Path(name), 0755); }

void TestBundle::WriteFile(const std::string& name, const std::string& text, mode_t mode) const {
  std::ofstream(Path(name), std::ios::binary) << text;
  ::chmod(Path(name).c_str(), mode);
}

Json TestBundle::Spec(const std::string& script) const {
  const std::vector<std::string> capabilities = {
      "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
      "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
      "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
      "CAP_KILL",    "CAP_AUDIT_WRITE"};
  const std::string id = path_.substr(path_.rfind('/') + 1);
  return {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"/bin/sh", "-c", script}},
        {"env", {"PATH=/bin"}},
        {"cwd", "/"},
        {"noNewPrivileges", true},
        {"capabilities",
         {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}}}},
      {"root", {{"path", "rootfs"}}},
      {"hostname", "crisp-test"},
      {"mounts",
       {Mount("/proc", "proc", {"nosuid", "noexec", "nodev"}),
        Mount("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
        Mount("/dev/pts", "devpts",
              {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
        Mount("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
        Mount("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        Mount("/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
        Mount("/sys/fs/cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})}},
      {"linux",
       {{"cgroupsPath", absl::StrCat("/crisp-test-", id)},
        {"namespaces",
         {{{"type", "pid"}},
          {{"type", "ipc"}},
          {{"type", "uts"}},
          {{"type", "mount"}},
          {{"type", "network"}}}},
        {"resources",
         {{"devices",
           {{{"allow", false}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 3}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 5}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 7}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 8}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 9}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 5}, {"minor", 0}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 5}, {"minor", 2}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"major", 136}, {"access", "rwm"}},
            {{"allow", true}, {"type", "c"}, {"access", "m"}},
            {{"allow", true}, {"type", "b"}, {"access", "m"}}}}}},
        {"maskedPaths",
         {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}},
        {"readonlyPaths",
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}};
}

void RemoveNamespaceFrom(Json* spec, const std::string& type) {
  Json& list = (*spec)["linux"]["namespaces"];
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i]["type"] == type) {
      list.erase(i);
      return;
    }
  }
}

void JoinNamespaceIn(Json* spec, const std::string& type, const std::string& path) {
  RemoveNamespaceFrom(spec, type);
  Json ns = {{"type", type}};
  if (!path.empty()) ns["path"] = path;
  (*spec)["linux"]["namespaces"].push_back(std::move(ns));
}

template <typename R>
absl::StatusOr<std::unique_ptr<TestProcess>> TestProcess::Begin(R request, bool container) {
  std::unique_ptr<TestProcess> process(new TestProcess());
  int pipe_fds[2];
  CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(pipe_fds, O_CLOEXEC); }));
  process->out_.reset(pipe_fds[0]);
  const UniqueFd write(pipe_fds[1]);
  if (request.streams.fds[1] < 0) request.streams.fds[1] = write.get();
  if (request.streams.fds[2] < 0) request.streams.fds[2] = write.get();
  process->container_ = container;
  CRISP_ASSIGN_OR_RETURN(process->launch_, Launch::Begin(request));
  const absl::Status status =
      process->Until(container ? Launch::Stage::kCreated : Launch::Stage::kRunning);
  if (!status.ok()) {
    process->finished_ = true;
    ::waitpid(process->launch_->worker(), nullptr, 0);
    if (process->pid() > 0) ::waitpid(process->pid(), nullptr, 0);
    return status;
  }
  process->console_ = process->launch_->TakeConsole();
  return process;
}

absl::StatusOr<std::unique_ptr<TestProcess>> TestProcess::Create(ContainerLaunch request) {
  CRISP_ASSIGN_OR_RETURN(auto process, Begin(request, true));
  process->bundle_ = request.bundle;
  return process;
}

absl::StatusOr<std::unique_ptr<TestProcess>> TestProcess::Exec(ExecLaunch request) {
  return Begin(std::move(request), false);
}

absl::Status TestProcess::Until(Launch::Stage stage) {
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const Launch::Stage now, launch_->Advance());
    if (now == stage) return absl::OkStatus();
    pollfd news = {launch_->fd(), POLLIN, 0};
    if (::poll(&news, 1, 60000) == 0) return absl::DeadlineExceededError("no news for a minute");
  }
}

absl::Status TestProcess::Start() {
  CRISP_RETURN_IF_ERROR(launch_->Start());
  return Until(Launch::Stage::kRunning);
}

void TestProcess::Kill() { ::kill(pid(), SIGKILL); }

int TestProcess::Wait() {
  int status = 0;
  if (::waitpid(pid(), &status, 0) != pid()) return -1;
  reaped_ = true;
  return ExitCode(status);
}

std::string TestProcess::Read() {
  char buffer[4096];
  ssize_t size;
  do {
    size = ::read(out_.get(), buffer, sizeof(buffer));
  } while (size == -1 && errno == EINTR);
  return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(size, 0)));
}

std::string TestProcess::Output() {
  std::string out;
  while (true) {
    const std::string more = Read();
    if (more.empty()) return out;
    out += more;
  }
}

TestProcess::~TestProcess() {
  if (launch_ == nullptr || finished_) return;
  if (!reaped_) {
    Kill();
    Wait();
  }
  ::waitpid(launch_->worker(), nullptr, 0);
  if (!container_) return;
  const auto teardown = BeginTeardown(facts(), bundle_);
  if (teardown.ok()) ::waitpid(*teardown, nullptr, 0);
}

ContainerLaunch RequestFor(const TestBundle& bundle, const Json& spec) {
  ContainerLaunch request;
  request.id = bundle.path().substr(bundle.path().rfind('/') + 1);
  request.bundle = bundle.path();
  request.spec_json = spec.dump();
  request.streams.terminal = spec["process"].value("terminal", false);
  return request;
}

RunResult RunToEnd(ContainerLaunch request) {
  RunResult result;
  auto process = TestProcess::Create(std::move(request));
  if (!process.ok()) {
    result.status = process.status();
    return result;
  }
  result.status = (*process)->Start();
  if (!result.status.ok()) return result;
  result.out = (*process)->Output();
  result.exit_code = (*process)->Wait();
  return result;
}

RunResult RunToEnd(const TestBundle& bundle, const Json& spec) {
  return RunToEnd(RequestFor(bundle, spec));
}

ExecLaunch ExecFor(const TestProcess& container, const Json& spec, const std::string& script) {
  ExecLaunch request;
  Json process = spec["process"];
  process["args"] = {"/bin/sh", "-c", script};
  request.container_id = "test";
  request.process_json = process.dump();
  request.container = container.facts();
  request.streams.terminal = process.value("terminal", false);
  return request;
}

RunResult RunToEnd(ExecLaunch request) {
  RunResult result;
  auto process = TestProcess::Exec(std::move(request));
  result.status = process.status();
  if (!process.ok()) return result;
  result.out = (*process)->Output();
  result.exit_code = (*process)->Wait();
  return result;
}

}  // namespace crisp::shim
