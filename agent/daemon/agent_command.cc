#include "agent/daemon/agent_command.h"

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iterator>
#include <memory>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "agent/daemon/daemon.h"
#include "base/log.h"

namespace crisp::agent {
namespace {

constexpr char kAbout[] =
    R"(Keeps Kubernetes objects on this machine and makes them true: pods, deployments,
jobs, config maps. It speaks CRI to a container runtime (crispd, or another one),
keeps its objects in ROOT/agent, and serves them to `crisp` on its socket.)";

constexpr char kFooter[] = R"(To begin:
  crispd &                        the container runtime
  crisp agent &                   the agent
  crisp apply -f pod.yaml         your first pod

Pods run on when the agent ends, and are its own again when it comes back. As a
service: packaging/systemd/crisp-agent.service. More: docs/agent.md.)";

struct CommandLine {
  DaemonOptions options;
  std::string log_level = "info";
  bool log_json = false;
};

void AddDuration(CLI::App& app, const char* name, absl::Duration* value, const std::string& about) {
  app.add_option_function<std::string>(
         name,
         [value, name](const std::string& text) {
           absl::Duration parsed;
           if (!absl::ParseDuration(text, &parsed) || parsed <= absl::ZeroDuration()) {
             throw CLI::ValidationError(name,
                                        absl::StrCat(text, " is no duration such as 10s or 5m"));
           }
           *value = parsed;
         },
         absl::StrCat(about, " [", absl::FormatDuration(*value), "]"))
      ->type_name("DURATION");
}

void AddOptions(CLI::App& app, CommandLine* line) {
  DaemonOptions& o = line->options;
  app.add_option("--root", o.root, "What survives a reboot: the objects, in DIR/agent")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--listen", o.listen, "The agent's own socket")
      ->type_name("unix:///PATH")
      ->capture_default_str();
  app.add_option("--runtime-endpoint", o.runtime_endpoint, "The container runtime's CRI socket")
      ->envname("CRISP_ADDRESS")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--node-name", o.node_name,
                 "This machine's name as a Node; else the one it had, else the hostname")
      ->type_name("NAME");
  app.add_option("--pod-manifest-path", o.pod_manifest_path,
                 "A directory of static pods, watched: a pod runs while its file is there")
      ->type_name("DIR");
  app.add_option("--manifest-url", o.manifest_url, "Static pods from an HTTP server, polled")
      ->type_name("URL");
  app.add_option_function<std::vector<std::string>>(
         "--manifest-url-header",
         [&o](const std::vector<std::string>& headers) {
           for (const std::string& header : headers) {
             const std::pair<std::string, std::string> parts =
                 absl::StrSplit(header, absl::MaxSplits(':', 1));
             if (parts.first.empty() || parts.second.empty()) {
               throw CLI::ValidationError("--manifest-url-header",
                                          absl::StrCat(header, " is not KEY:VALUE"));
             }
             o.manifest_url_headers.push_back(parts);
           }
         },
         "A header that the URL is asked with; may be repeated")
      ->type_name("KEY:VALUE");
  AddDuration(app, "--file-check-frequency", &o.file_check_frequency,
              "How often the directory is read although nothing in it seems to change");
  AddDuration(app, "--http-check-frequency", &o.http_check_frequency, "How often the URL is read");
  app.add_option("--pod-log-root", o.log_root, "Where the containers' logs are")
      ->type_name("DIR")
      ->capture_default_str();
  AddDuration(app, "--back-off-base", &o.back_off,
              "How long a container that ended waits before it is restarted; doubles");
  AddDuration(app, "--back-off-max", &o.max_back_off, "The longest such wait");
  app.add_flag("--legacy-env-names", o.legacy_env_names,
               "Skip keys of ConfigMaps and Secrets that are no C identifiers, with an event, "
               "instead of making variables of them");
  app.add_option("--log-level", line->log_level, "trace, debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("--log-json", line->log_json, "Log lines as JSON");
}

int Serve(const CommandLine& line, std::ostream& err) {
  const auto fail = [&](const absl::Status& status) {
    err << "crisp agent: error: " << status.message() << "\n";
    return 1;
  };
  const absl::Status log =
      ConfigureLog(line.log_level, line.log_json ? LogFormat::kJson : LogFormat::kText);
  if (!log.ok()) return fail(log);
  if (::geteuid() != 0) return fail(absl::PermissionDeniedError("must run as root"));
  // Blocked before the first thread starts, so that every thread has them blocked
  // and sigwait below gets them.
  sigset_t stop_signals;
  ::sigemptyset(&stop_signals);
  ::sigaddset(&stop_signals, SIGTERM);
  ::sigaddset(&stop_signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(line.options);
  if (!daemon.ok()) return fail(daemon.status());
  int signal = 0;
  ::sigwait(&stop_signals, &signal);
  LogInfo("the agent stops; pods run on", {{"signal", signal}});
  (*daemon)->Stop();
  return 0;
}

}  // namespace

int RunAgent(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  CommandLine line;
  CLI::App app(kAbout, "crisp agent");
  app.footer(kFooter);
  AddOptions(app, &line);
  try {
    // CLI11 takes the words last first.
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    err << "crisp agent: error: " << error.what() << "; see crisp agent --help\n";
    return 1;
  }
  return Serve(line, err);
}

}  // namespace crisp::agent
