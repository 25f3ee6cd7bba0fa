#include "agent/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "agent/commands/commands.h"

namespace crisp::cli {
namespace {

constexpr char kFooter[] = R"(First steps:
  crisp import busybox.tar           bring an image
  crisp apply -f pod.yaml            start a pod
  crisp get pods                     see it
  crisp describe pod web             what happened to it
  crisp exec -it web -- sh           look inside
  crisp delete -f pod.yaml           end it

crisp VERB --help says more about one verb. Verbs, flags and output are kubectl's.)";

std::string VerbOf(const CLI::App& app) {
  std::vector<std::string> words = {"crisp"};
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    words.push_back(at->get_name());
  }
  return absl::StrJoin(words, " ");
}

// Positional arguments under the names that people read.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    label("Positionals", "Arguments");
    label("SUBCOMMAND", "VERB");
    label("Subcommands", "Verbs");
    column_width(34);
  }
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    if (positional) return option->get_option_text();
    return CLI::Formatter::make_option_name(option, positional);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (!option->nonpositional()) return "";
    return CLI::Formatter::make_option_opts(option);
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = option->get_option_text();
    return option->get_required() ? name : absl::StrCat("[", name, "]");
  }
};

// -o=json as -o json, and flags whose value is optional with their value: CLI11 takes
// neither as kubectl's users write them.
std::vector<std::string> Normalised(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (const std::string& arg : args) {
    if (arg.size() > 3 && arg[0] == '-' && absl::ascii_isalpha(arg[1]) && arg[2] == '=') {
      out.push_back(arg.substr(0, 2));
      out.push_back(arg.substr(3));
    } else if (arg == "--dry-run") {
      out.push_back("--dry-run=client");
    } else if (arg == "--cascade" || arg == "--cascade=true") {
      out.push_back("--cascade=background");
    } else if (arg == "--cascade=false") {
      out.push_back("--cascade=orphan");
    } else {
      out.push_back(arg);
    }
  }
  return out;
}

void AddVerbs(Verb& crisp) {
  AddApply(crisp);
  AddCreate(crisp);
  AddDelete(crisp);
  AddGet(crisp);
  AddDescribe(crisp);
  AddLogs(crisp);
  AddExec(crisp);
  AddAttach(crisp);
  AddPortForward(crisp);
  AddScale(crisp);
  AddRollout(crisp);
  AddLabel(crisp);
  AddEvents(crisp);
  AddTop(crisp);
  AddWait(crisp);
  AddImport(crisp);
  AddDoctor(crisp);
  AddApiResources(crisp);
  AddVersion(crisp);
  AddCompletion(crisp);
  // main() runs it before any of this; it is here for the help.
  crisp.Add("agent", "Run the node agent").Runs([](Session&) {
    return absl::InvalidArgumentError("the agent is started as the first word: crisp agent");
  });
}

}  // namespace

int RunCli(const std::vector<std::string>& args, Streams streams, Clock* clock) {
  Session session(streams, clock);
  CLI::App app("crisp runs Kubernetes pods on this machine.", "crisp");
  Action action;
  app.formatter(std::make_shared<HelpFormatter>());
  app.fallthrough();
  app.require_subcommand(1);
  app.footer(kFooter);
  app.add_option("--agent", session.agent_address, "The agent's socket")
      ->envname("CRISP_AGENT")
      ->type_name("ADDRESS");
  app.add_option("--address", session.runtime_address, "The runtime's socket; the agent knows it")
      ->envname("CRISP_ADDRESS")
      ->type_name("ADDRESS");
  Verb crisp(&app, &action);
  AddVerbs(crisp);

  if (!args.empty() && args[0] == "__complete") {
    if (const char* address = std::getenv("CRISP_AGENT")) session.agent_address = address;
    CompleteWords(std::vector<std::string>(args.begin() + 1, args.end()), session);
    return 0;
  }
  // What follows "--" is another program's command line: CLI11 must not see it.
  const auto dashes = std::find(args.begin(), args.end(), "--");
  if (dashes != args.end()) session.after_dashes.assign(dashes + 1, args.end());
  std::vector<std::string> own = Normalised(std::vector<std::string>(args.begin(), dashes));
  if (own.empty()) own = {"--help"};
  // CLI11 takes the words last first.
  std::reverse(own.begin(), own.end());
  try {
    app.parse(own);
  } catch (const CLI::CallForHelp&) {
    session.out << app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    const std::string what = absl::StrReplaceAll(error.what(), {{"WORDS", "an argument"}});
    session.Report(
        absl::InvalidArgumentError(absl::StrCat(what, "; see ", VerbOf(app), " --help")));
    return 1;
  }
  const std::string verb = VerbOf(app);
  if (dashes != args.end() && verb != "crisp exec" && verb != "crisp create deployment") {
    session.Report(
        absl::InvalidArgumentError("only exec and create deployment take a command after --"));
    return 1;
  }
  session.Report(action(session));
  session.out.flush();
  return session.exit_code;
}

}  // namespace crisp::cli
