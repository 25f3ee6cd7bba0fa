#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/pick_container.h"
#include "agent/pod_view.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::RuntimeService;

struct Flags {
  std::string pod;
  std::string container;
  std::string ns;
  int64_t timeout = 0;
  bool stdin_open = false;
  bool tty = false;
};

absl::Status Run(const Flags& flags, Session& session) {
  if (flags.stdin_open || flags.tty) {
    return absl::UnimplementedError(
        "interactive exec (-i, -t) is not available yet; without them a command runs to its end "
        "and its output is printed");
  }
  if (session.after_dashes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("what to run? Give it after --: crisp exec ", flags.pod, " -- ls /"));
  }
  CRISP_ASSIGN_OR_RETURN(const std::string name, PodNameArgument(flags.pod));
  CRISP_ASSIGN_OR_RETURN(const PodView pod, FindPod(session.node(), flags.ns, name));
  CRISP_ASSIGN_OR_RETURN(const std::string container, PickContainer(pod, flags.container, session));
  const auto* status = pod.Find(container);
  if (status == nullptr || status->state() != runtime::v1::CONTAINER_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container, " of pod ", name, " does not run",
                     status != nullptr && status->state() == runtime::v1::CONTAINER_EXITED
                         ? absl::StrCat(": it ended with code ", status->exit_code())
                         : ""));
  }
  runtime::v1::ExecSyncRequest request;
  request.set_container_id(status->id());
  for (const std::string& word : session.after_dashes) request.add_cmd(word);
  request.set_timeout(flags.timeout);
  // The command's own bound is the server's; here only a lost server ends the wait.
  const absl::Duration wait = flags.timeout == 0 ? absl::InfiniteDuration()
                                                 : absl::Seconds(flags.timeout) + absl::Minutes(1);
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         session.node().Runtime(&RuntimeService::Stub::ExecSync, request, wait));
  session.out << reply.stdout() << std::flush;
  session.err << reply.stderr() << std::flush;
  if (reply.exit_code() != 0) {
    session.err << "command terminated with exit code " << reply.exit_code() << "\n";
    session.exit_code = reply.exit_code();
  }
  return absl::OkStatus();
}

}  // namespace

void AddExec(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("exec", "Run a command in a container");
  auto flags = std::make_shared<Flags>();
  verb->add_option("POD", flags->pod, "The pod's name; the command follows --")->required();
  verb->add_option("-c,--container", flags->container, "The container; the pod's first by default")
      ->type_name("NAME");
  verb->add_flag("-i,--stdin", flags->stdin_open, "Not available yet");
  verb->add_flag("-t,--tty", flags->tty, "Not available yet");
  verb->add_option("--timeout", flags->timeout, "Kill the command after this; 0: never")
      ->check(CLI::Range(int64_t{0}, int64_t{86400}))
      ->type_name("SECONDS");
  AddNamespaceOption(verb, &flags->ns);
  verb->footer(R"(Ends with the command's own exit code.

Examples:
  crisp exec web -- cat /tmp/server.xml
  crisp exec web -c sidecar -- sh -c 'ls /tmp | wc -l')");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent
