#include "cri/task/driver_test_env.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/containerd/containerd.h"

extern char** environ;

namespace crisp::cri {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kContainerd[] = "/usr/bin/containerd";
constexpr char kBusybox[] = "/bin/busybox";
constexpr char kCgroup[] = "crisp-test";

json Process(const std::vector<std::string>& args, bool tty) {
  json capabilities = json::array({"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"});
  return {{"terminal", tty},
          {"user", {{"uid", 0}, {"gid", 0}}},
          {"args", args},
          {"env", {"PATH=/bin"}},
          {"cwd", "/"},
          {"capabilities",
           {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}}};
}

// Command lines of processes that name `dir`: containerd and its shims.
std::vector<pid_t> ProcessesNaming(const std::string& dir) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const pid_t pid = ::atoi(entry.path().filename().c_str());
    if (pid <= 0 || pid == ::getpid()) continue;
    const auto text = ReadFile(absl::StrCat("/proc/", pid, "/cmdline"));
    if (text.ok() && absl::StrContains(*text, dir)) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

absl::Status DriverTestEnv::SetUp() {
  if (::geteuid() != 0) return absl::FailedPreconditionError("needs root");
  for (const char* file : {kContainerd, kBusybox}) {
    if (::access(file, X_OK) != 0) {
      return absl::FailedPreconditionError(absl::StrCat("needs ", file));
    }
  }
  char pattern[] = "/tmp/crisp-task.XXXXXX";  // Short: sockets live there.
  if (::mkdtemp(pattern) == nullptr) return ErrnoStatus(errno, "mkdtemp");
  dir_ = pattern;
  for (const char* sub : {"rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/tmp"}) {
    CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(dir_, sub), 0755));
  }
  std::error_code error;
  fs::copy_file(kBusybox, dir_ + "/rootfs/bin/busybox", error);
  if (error) return absl::InternalError(error.message());
  for (const char* applet : {"sh", "sleep", "cat", "tail", "true", "head", "yes", "seq", "id",
                             "echo", "tty", "usleep", "stty"}) {
    fs::create_symlink("busybox", absl::StrCat(dir_, "/rootfs/bin/", applet), error);
  }
  const std::string config =
      absl::StrCat("version = 2\nroot = \"", dir_, "/root\"\nstate = \"", dir_, "/state\"\n",
                   "disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"",
                   socket(), "\"\n[ttrpc]\naddress = \"", socket(), ".ttrpc\"\n",
                   "[plugins.\"io.containerd.internal.v1.opt\"]\npath = \"", dir_, "/opt\"\n");
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(dir_ + "/config.toml", config, 0600));
  return StartContainerd();
}

absl::Status DriverTestEnv::StartContainerd() {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const std::string log = dir_ + "/containerd.log", config = dir_ + "/config.toml";
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<std::string> words = {kContainerd, "-c", config};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int err = ::posix_spawn(&containerd_, kContainerd, &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (err != 0) return ErrnoStatus(err, "spawn containerd");
  CRISP_ASSIGN_OR_RETURN(auto connection, Containerd::Connect(socket(), "crisp-test"));
  return connection->WaitReady(absl::Seconds(20));
}

void DriverTestEnv::KillContainerd(int signal) {
  if (containerd_ <= 0) return;
  ::kill(containerd_, signal);
  ::waitpid(containerd_, nullptr, 0);
  containerd_ = -1;
}

std::vector<std::string> DriverTestEnv::TearDown() {
  std::vector<std::string> left;
  if (dir_.empty()) return left;
  // Shims of deleted tasks end shortly after the answer to Delete.
  for (int i = 0; i < 100 && ProcessesNaming(dir_).size() > 1; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  KillContainerd(SIGTERM);
  for (const pid_t pid : ProcessesNaming(dir_)) {
    left.push_back(absl::StrCat("process ", pid));
    ::kill(pid, SIGKILL);
  }
  if (const auto mounts = ReadMountInfo(); mounts.ok()) {
    for (const MountInfo& mount : *mounts) {
      if (absl::StartsWith(mount.mount_point, dir_)) left.push_back("mount " + mount.mount_point);
    }
  }
  std::error_code error;
  std::vector<std::string> roots = {"/sys/fs/cgroup"};
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup", error)) {
    if (entry.is_directory(error)) roots.push_back(entry.path());
  }
  for (const std::string& root : roots) {
    const std::string ours = JoinPath(root, kCgroup);
    for (fs::directory_iterator it(ours, error), end; !error && it != end; it.increment(error)) {
      if (!it->is_directory(error)) continue;
      left.push_back("cgroup " + it->path().string());
      ::rmdir(it->path().c_str());
    }
    ::rmdir(ours.c_str());
  }
  for (const char* sub : {"streams/io", "streams/exec"}) {
    for (fs::directory_iterator it(JoinPath(dir_, sub), error), end; !error && it != end;
         it.increment(error)) {
      left.push_back("streams " + it->path().string());
    }
  }
  if (absl::Status removed = RemoveTree(dir_); !removed.ok()) {
    left.push_back(removed.ToString());
  }
  return left;
}

TaskSpec DriverTestEnv::Spec(const std::string& id, const std::vector<std::string>& args,
                             int64_t memory_bytes) const {
  TaskSpec spec;
  spec.id = id;
  spec.sandbox_id = kPod;
  spec.cgroup_path = absl::StrCat("/", kCgroup, "/", id);
  spec.log_directory = dir_ + "/logs";
  spec.log_path = id + "/0.log";
  containerd::types::Mount root;
  root.set_type("bind");
  root.set_source(dir_ + "/rootfs");
  root.add_options("rbind");
  root.add_options("rw");
  spec.rootfs.push_back(root);
  json oci = {{"ociVersion", "1.0.2"},
              {"process", Process(args, false)},
              {"root", {{"path", "rootfs"}}},
              {"mounts",
               {{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
                {{"destination", "/dev"},
                 {"type", "tmpfs"},
                 {"source", "tmpfs"},
                 {"options", {"nosuid", "mode=755"}}},
                {{"destination", "/dev/pts"},
                 {"type", "devpts"},
                 {"source", "devpts"},
                 {"options", {"newinstance", "ptmxmode=0666"}}}}},
              {"linux",
               {{"namespaces", {{{"type", "pid"}}, {{"type", "mount"}}, {{"type", "ipc"}}}},
                {"cgroupsPath", spec.cgroup_path}}}};
  if (memory_bytes > 0) oci["linux"]["resources"]["memory"]["limit"] = memory_bytes;
  spec.spec_json = oci.dump();
  return spec;
}

std::string DriverTestEnv::ProcessJson(const std::vector<std::string>& args, bool tty) {
  return Process(args, tty).dump();
}

std::string DriverTestEnv::LogPath(const std::string& id) const {
  return absl::StrCat(dir_, "/logs/", id, "/0.log");
}

std::string DriverTestEnv::Log(const std::string& id) const {
  std::string out;
  const auto text = ReadFile(LogPath(id), 64 << 20);
  if (!text.ok()) return out;
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const size_t space = line.find(' ');
    if (space != absl::string_view::npos) absl::StrAppend(&out, line.substr(space + 1), "\n");
  }
  return out;
}

TaskDriver::ExitCallback ExitRecord::Callback() {
  return [this](const std::string& id, const TaskExit& exit) {
    absl::MutexLock lock(&mu_);
    exits_[id].push_back(exit);
  };
}

TaskExit ExitRecord::Wait(const std::string& id, absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !exits_[id].empty(); };
  if (!mu_.AwaitWithTimeout(absl::Condition(&there), timeout)) return TaskExit{-1};
  return exits_[id].front();
}

size_t ExitRecord::Count(const std::string& id) {
  absl::MutexLock lock(&mu_);
  return exits_[id].size();
}

}  // namespace crisp::cri
