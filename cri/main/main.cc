// crispd: a Kubernetes container runtime (CRI server) over containerd.

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/version.h"
#include "cri/config/config.h"
#include "cri/main/daemon.h"

namespace crisp::cri {
namespace {

constexpr char kDefaultConfigPath[] = "/etc/crisp/config.toml";

struct CommandLine {
  std::string config_path = kDefaultConfigPath;
  bool config_given = false;
  std::string root, state, listen, containerd, log_level;
};

int Fail(const absl::Status& status) {
  std::cerr << "crispd: error: " << status.message() << "\n";
  return 1;
}

absl::StatusOr<Config> EffectiveConfig(const CommandLine& line) {
  absl::StatusOr<Config> config = LoadConfig(line.config_path, line.config_given);
  if (!config.ok()) return config;
  if (!line.root.empty()) config->root = line.root;
  if (!line.state.empty()) {
    // The socket moves with the state directory unless it was placed elsewhere.
    if (config->listen == Config().listen) config->listen = "unix://" + line.state + "/crisp.sock";
    config->state = line.state;
  }
  if (!line.listen.empty()) config->listen = line.listen;
  if (!line.containerd.empty()) config->containerd.address = line.containerd;
  if (!line.log_level.empty()) config->log_level = line.log_level;
  if (const absl::Status checked = CheckConfig(*config); !checked.ok()) return checked;
  return config;
}

int Serve(const CommandLine& line) {
  absl::StatusOr<Config> config = EffectiveConfig(line);
  if (!config.ok()) return Fail(config.status());
  const absl::Status log =
      ConfigureLog(config->log_level, config->log_json ? LogFormat::kJson : LogFormat::kText);
  if (!log.ok()) return Fail(log);
  if (::geteuid() != 0) return Fail(absl::PermissionDeniedError("must run as root"));
  const absl::Status failpoints = EnableFailpoints(std::getenv("CRISP_FAILPOINTS"));
  if (!failpoints.ok()) return Fail(failpoints);
  // Debian's abseil looks for cycles at each lock, which unit tests keep.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (FailpointsEnabled()) LogWarn("failpoints are on: a test can stop crispd at any step");
  // Blocked before the first thread starts, so that every thread has them blocked
  // and sigwait below gets them.
  sigset_t stop_signals;
  ::sigemptyset(&stop_signals);
  ::sigaddset(&stop_signals, SIGTERM);
  ::sigaddset(&stop_signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(*std::move(config));
  if (!daemon.ok()) return Fail(daemon.status());
  int signal = 0;
  ::sigwait(&stop_signals, &signal);
  LogInfo("crispd stops; pods run on", {{"signal", signal}});
  (*daemon)->Stop();
  return 0;
}

int CheckFile(const std::string& path) {
  absl::StatusOr<Config> config = LoadConfig(path, /*must_exist=*/true);
  const absl::Status checked = config.ok() ? CheckConfig(*config) : config.status();
  if (!checked.ok()) return Fail(checked);
  std::cout << path << ": ok\n";
  return 0;
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app(
      "crispd runs Kubernetes pods: a CRI server over containerd.\n\n"
      "kubelet:  --container-runtime-endpoint=unix:///run/crisp/crisp.sock\n"
      "crictl:   crictl --runtime-endpoint unix:///run/crisp/crisp.sock pods\n"
      "one host: crisp apply -f pod.yaml\n");
  app.set_version_flag("--version", std::string("crispd ") + kCrispVersion);
  auto* config_option =
      app.add_option("--config", line.config_path,
                     "Configuration file (TOML); absent is fine for the default path")
          ->capture_default_str();
  app.add_option("--root", line.root,
                 "What survives a reboot: images, ConfigMaps [/var/lib/crisp]");
  app.add_option("--state", line.state, "What does not: pods, sockets [/run/crisp]");
  app.add_option("--listen", line.listen, "unix:///PATH of the CRI socket [STATE/crisp.sock]");
  app.add_option("--containerd", line.containerd,
                 "Socket of a containerd that runs already; without it crispd starts its own");
  app.add_option("--log-level", line.log_level, "trace, debug, info, warn or error [info]");

  CLI::App* config = app.add_subcommand("config", "Show or check a configuration file");
  config->require_subcommand(1);
  CLI::App* show = config->add_subcommand("default", "Print the defaults as a commented file");
  CLI::App* check = config->add_subcommand("check", "Tell what is wrong with a file");
  std::string check_path = kDefaultConfigPath;
  check->add_option("FILE", check_path, "The file")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (*show) {
    std::cout << DefaultConfigToml();
    return 0;
  }
  if (*check) return CheckFile(check_path);
  line.config_given = config_option->count() > 0;
  return Serve(line);
}

}  // namespace
}  // namespace crisp::cri

int main(int argc, char** argv) { return crisp::cri::Main(argc, argv); }
