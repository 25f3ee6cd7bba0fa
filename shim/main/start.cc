#include "shim/main/start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "api/shim/wire/bootstrap.pb.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "cgroup/cgroup.h"
#include "cgroup/hierarchies.h"
#include "shim/main/socket.h"

namespace crisp::shim {
namespace {

constexpr char kSocketDirectory[] = "/run/containerd/s";
constexpr char kRuncOptions[] = "containerd.runc.v1.Options";
constexpr size_t kMaxSpecBytes = 16 << 20;
constexpr size_t kMaxInputBytes = 1 << 20;
constexpr int kListenerFd = 3;
constexpr int kMaxOomScoreAdj = 1000;

// What containerd says on stdin: BootstrapParams from 2.3 on, a bare Any before.
struct Input {
  std::string socket_directory = kSocketDirectory;
  std::string shim_cgroup;
};

void TakeOptions(const wire::Any& any, Input* input) {
  wire::RuncOptions options;
  if (any.type_url() == kRuncOptions && options.ParseFromString(any.value())) {
    input->shim_cgroup = options.shim_cgroup();
  }
}

Input ReadInput(const Options& options) {
  Input input;
  if (::isatty(STDIN_FILENO)) return input;
  const auto bytes = ReadAll(STDIN_FILENO, kMaxInputBytes);
  if (!bytes.ok() || bytes->empty()) return input;
  // An Any parses as BootstrapParams, too: only ours names us.
  wire::BootstrapParams params;
  if (params.ParseFromString(*bytes) && params.instance_id() == options.id &&
      params.namespace_() == options.container_namespace) {
    if (!params.socket_dir().empty()) input.socket_directory = params.socket_dir();
    for (const wire::BootstrapExtension& extension : params.extensions()) {
      TakeOptions(extension.value(), &input);
    }
    return input;
  }
  wire::Any any;
  if (any.ParseFromString(*bytes)) TakeOptions(any, &input);
  return input;
}

absl::StatusOr<std::string> GroupOf(const Options& options) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile("config.json", kMaxSpecBytes));
  const auto spec = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!spec.is_object()) return absl::InvalidArgumentError("config.json is not a JSON object");
  const auto annotations = spec.find("annotations");
  if (annotations == spec.end() || !annotations->is_object()) return options.id;
  for (const char* key : {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}) {
    const auto value = annotations->find(key);
    if (value != annotations->end() && value->is_string() && !value->get<std::string>().empty()) {
      return value->get<std::string>();
    }
  }
  return options.id;
}

// The shim is to outlive containers and not containerd when memory runs out.
void AdjustOomScore() {
  const auto text = ReadFile(absl::StrCat("/proc/", ::getppid(), "/oom_score_adj"), 64);
  int score = 0;
  if (!text.ok() || !absl::SimpleAtoi(absl::StripSuffix(*text, "\n"), &score)) return;
  // Not allowed everywhere; then it keeps what it has inherited.
  (void)WriteKernelFile("/proc/self/oom_score_adj",
                        absl::StrCat(std::min(score + 1, kMaxOomScoreAdj)));
}

absl::Status JoinCgroup(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const auto hierarchies, cgroup::Hierarchies::Probe());
  auto made = cgroup::Cgroup::Create(hierarchies, path, {});
  if (absl::IsAlreadyExists(made.status())) made = cgroup::Cgroup::Open(hierarchies, path);
  CRISP_RETURN_IF_ERROR(made.status());
  return made->JoinSelf(/*unified_joined=*/false);
}

[[noreturn]] void ExecDaemon(const Options& options, const Input& input, int listener, int report) {
  const auto fail = [&](int error) {
    (void)!::write(report, &error, sizeof(error));
    ::_exit(1);
  };
  ::setsid();
  AdjustOomScore();
  if (!input.shim_cgroup.empty()) {
    if (const absl::Status joined = JoinCgroup(input.shim_cgroup); !joined.ok()) {
      fail(std::max(ErrnoOf(joined), EIO));
    }
  }
  if (listener == kListenerFd) {
    ::fcntl(listener, F_SETFD, 0);
  } else if (::dup2(listener, kListenerFd) < 0) {
    fail(errno);
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(null, fd) < 0) fail(errno);
  }
  std::vector<std::string> args = {"containerd-shim-crisp-v1",
                                   "-namespace",
                                   options.container_namespace,
                                   "-id",
                                   options.id,
                                   "-address",
                                   options.address};
  if (options.debug) args.push_back("-debug");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  // A process of its own image: what this one has read and parsed stays behind.
  ::execv("/proc/self/exe", argv.data());
  fail(errno);
  __builtin_unreachable();
}

absl::Status StartDaemon(const Options& options, const Input& input, UniqueFd listener) {
  std::array<int, 2> pipe;
  CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(pipe.data(), O_CLOEXEC); }));
  const UniqueFd result(pipe[0]);
  UniqueFd report(pipe[1]);
  CRISP_ASSIGN_OR_RETURN(const pid_t child, SysValue("fork", [] { return ::fork(); }));
  if (child == 0) {
    // Above the number that the daemon's listener gets.
    const int up = ::fcntl(report.get(), F_DUPFD_CLOEXEC, kListenerFd + 1);
    ExecDaemon(options, input, listener.get(), up);
  }
  report.reset();
  int error = 0;
  // Closed by the exec, when all is well.
  CRISP_ASSIGN_OR_RETURN(const ssize_t n, SysValue("read", [&] {
                           return ::read(result.get(), &error, sizeof(error));
                         }));
  return n > 0 ? ErrnoStatus(error, "start the shim") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Start(const Options& options) {
  if (options.id.empty()) return absl::InvalidArgumentError("flag -id is missing");
  const Input input = ReadInput(options);
  CRISP_ASSIGN_OR_RETURN(const std::string group, GroupOf(options));
  const char* const grpc = std::getenv("GRPC_ADDRESS");
  const std::string address =
      options.address.empty() && grpc != nullptr ? std::string(grpc) : options.address;
  const std::string path =
      SocketPath(input.socket_directory, address, options.container_namespace, group);
  CRISP_ASSIGN_OR_RETURN(UniqueFd listener, ListenOrFind(path));
  if (listener.ok()) {
    if (absl::Status started = StartDaemon(options, input, std::move(listener)); !started.ok()) {
      (void)::unlink(path.c_str());
      return started;
    }
  }
  const std::string answer = absl::StrCat("unix://", path);
  // For a containerd before 2.0 that restarts and looks for its shims.
  CRISP_RETURN_IF_ERROR(WriteFileAtomicAt(AT_FDCWD, "address", answer, 0600));
  return answer;
}

}  // namespace crisp::shim
