#include "agent/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/commands/commands.h"

namespace crisp::agent {
namespace {

constexpr char kFooter[] = R"(First steps:
  crisp import busybox.tar           bring an image
  crisp apply -f pod.yaml            start a pod
  crisp get pods                     see it
  crisp exec web -- ls /             look inside
  crisp delete -f pod.yaml           end it

crisp VERB --help says more about one verb.)";

std::string VerbOf(const CLI::App& app) {
  std::vector<std::string> words = {"crisp"};
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    words.push_back(at->get_name());
  }
  return absl::StrJoin(words, " ");
}

}  // namespace

int RunCli(const std::vector<std::string>& args, Streams streams, Clock* clock) {
  Session session(streams, clock);
  // What follows "--" is another program's command line: CLI11 must not see it.
  const auto dashes = std::find(args.begin(), args.end(), "--");
  if (dashes != args.end()) session.after_dashes.assign(dashes + 1, args.end());

  CLI::App app("crisp runs Kubernetes pods on this machine.", "crisp");
  Action action;
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(kFooter);
  app.add_option("--address", session.address, "crispd's socket")
      ->envname("CRISP_ADDRESS")
      ->type_name("ADDRESS")
      ->capture_default_str();
  AddApply(app, &action);
  AddCreate(app, &action);
  AddDelete(app, &action);
  AddDescribe(app, &action);
  AddExec(app, &action);
  AddGet(app, &action);
  AddImport(app, &action);
  AddLogs(app, &action);
  AddVersion(app, &action);
  AddCompletion(app, &action);
  try {
    // CLI11 takes the words last first.
    app.parse(std::vector<std::string>(std::make_reverse_iterator(dashes), args.rend()));
  } catch (const CLI::CallForHelp&) {
    session.out << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    session.Report(
        absl::InvalidArgumentError(absl::StrCat(error.what(), "; see ", VerbOf(app), " --help")));
    return 1;
  }
  if (dashes != args.end() && !app.got_subcommand("exec")) {
    session.Report(absl::InvalidArgumentError("only exec takes a command after --"));
    return 1;
  }
  session.Report(action(session));
  return session.exit_code;
}

}  // namespace crisp::agent
