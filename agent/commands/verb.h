// A verb of the command line: its words, flags, help and work. Hides CLI11, which is
// costly to include.
//
//   void AddScale(Verb& crisp) {
//     auto flags = std::make_shared<Flags>();
//     Verb verb = crisp.Add("scale", "Set how many pods a workload has");
//     verb.Words("TYPE/NAME", &flags->words, "...");
//     verb.Option("--replicas", &flags->replicas, "How many", "N").Required();
//     verb.Examples("  crisp scale deployment/web --replicas=3");
//     verb.Runs([flags](Session& session) { return Run(*flags, session); });
//   }
//
// Ownership: a Verb is a handle on what the command line owns; the flags it fills must
//            live as long (the closure of Runs keeps them).
// Threads:   one.
#ifndef CRISP_AGENT_COMMANDS_VERB_H_
#define CRISP_AGENT_COMMANDS_VERB_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace crisp::cli {

class Session;

using Action = std::function<absl::Status(Session&)>;

class Verb {
 public:
  class Flag {
   public:
    explicit Flag(CLI::Option* option) : option_(option) {}
    Flag& Required();
    Flag& OneOf(std::initializer_list<const char*> values);
    // At most so many words.
    Flag& AtMost(int count);

   private:
    CLI::Option* option_;
  };

  Verb(CLI::App* app, Action* action) : app_(app), action_(action) {}

  Verb Add(const std::string& name, const std::string& help,
           std::initializer_list<const char*> aliases = {});
  // Not in any help.
  void Hide();

  // Positional arguments.
  Flag Word(const std::string& name, std::string* value, const std::string& help);
  Flag Words(const std::string& name, std::vector<std::string>* values, const std::string& help);

  Flag Option(const std::string& names, std::string* value, const std::string& help,
              const std::string& type);
  // May be given several times.
  Flag Option(const std::string& names, std::vector<std::string>* values, const std::string& help,
              const std::string& type);
  Flag Option(const std::string& names, int64_t* value, const std::string& help,
              const std::string& type, int64_t least);
  Flag Option(const std::string& names, std::optional<int64_t>* value, const std::string& help,
              const std::string& type);
  // --name, --name=true, --name=false.
  Flag Switch(const std::string& names, bool* value, const std::string& help);

  // -n, --namespace.
  void Namespace(std::string* ns);

  // Below the flags in --help; begins with what flags do not say, then "Examples:".
  void Notes(const std::string& text);
  void Runs(Action action);

 private:
  CLI::App* app_;
  Action* action_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_VERB_H_
