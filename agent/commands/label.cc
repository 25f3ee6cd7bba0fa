#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words;
  std::string ns, selector;
  bool overwrite = false, list = false, all = false;
};

// key=value and key- come after the names.
absl::StatusOr<LabelChange> SplitChange(std::vector<std::string>* words) {
  LabelChange change;
  std::vector<std::string> names;
  for (const std::string& word : *words) {
    absl::string_view key = word;
    if (const size_t at = word.find('='); at != std::string::npos) {
      change.set[word.substr(0, at)] = word.substr(at + 1);
    } else if (names.size() > 0 && absl::ConsumeSuffix(&key, "-")) {
      change.remove.emplace_back(key);
    } else if (!change.set.empty() || !change.remove.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected KEY=VALUE or KEY-, not \"", word, "\""));
    } else {
      names.push_back(word);
    }
  }
  for (const std::string& key : change.remove) {
    if (change.set.count(key) > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("can not both modify and remove a label in the same command"));
    }
  }
  *words = names;
  return change;
}

void List(const Json& object, bool with_name, Session& session) {
  if (with_name) session.out << "Listing labels for " << ShownName(object) << ":\n";
  for (const auto& [key, value] : TextMap(object, "metadata.labels")) {
    session.out << (with_name ? " " : "") << Printable(absl::StrCat(key, "=", value)) << "\n";
  }
}

absl::Status Run(const Flags& flags, Session& session) {
  std::vector<std::string> words = flags.words;
  CRISP_ASSIGN_OR_RETURN(LabelChange change, SplitChange(&words));
  change.overwrite = flags.overwrite;
  const bool changes = !change.set.empty() || !change.remove.empty();
  if (!changes && !flags.list) {
    return absl::InvalidArgumentError("at least one label update is required");
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(words));
  std::vector<ObjectRef> refs;
  for (const Target& target : targets) {
    if (!target.name.empty()) {
      refs.push_back(RefOf(target, flags.ns));
      continue;
    }
    if (!flags.all && flags.selector.empty()) {
      return absl::InvalidArgumentError(
          "resource(s) were provided, but no name was specified: give names, -l or --all");
    }
    CRISP_ASSIGN_OR_RETURN(
        const ObjectList list,
        session.agent().List({.kind = target.kind->kind,
                              .ns = target.kind->namespaced ? Session::NamespaceOr(flags.ns) : "",
                              .labels = flags.selector}));
    for (const Json& object : list.objects) refs.push_back(RefOf(object));
  }
  if (refs.empty()) return absl::InvalidArgumentError("one or more resources must be specified");
  for (const ObjectRef& ref : refs) {
    CRISP_ASSIGN_OR_RETURN(Json before, session.agent().Get(ref));
    if (changes) {
      const auto labels = TextMap(before, "metadata.labels");
      for (const std::string& key : change.remove) {
        if (labels.count(key) == 0) {
          session.out << "label \"" << Printable(key) << "\" not found.\n";
        }
      }
      CRISP_ASSIGN_OR_RETURN(const bool changed, session.agent().Label(ref, change));
      const char* done = !changed ? "not labeled" : change.set.empty() ? "unlabeled" : "labeled";
      if (!flags.list) session.out << ShownName(before) << " " << done << "\n" << std::flush;
    }
    if (flags.list) {
      CRISP_ASSIGN_OR_RETURN(before, session.agent().Get(ref));
      List(before, refs.size() > 1, session);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddLabel(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("label", "Set, change and remove labels");
  verb.Words("TYPE NAME|TYPE/NAME KEY=VALUE|KEY-...", &flags->words,
             "Objects, then labels; KEY- removes one")
      .Required();
  verb.Switch("--overwrite", &flags->overwrite, "Change a label that has another value");
  verb.Switch("--list", &flags->list, "Print the labels");
  verb.Option("-l,--selector", &flags->selector, "Objects with these labels", "SELECTOR");
  verb.Switch("--all", &flags->all, "Every object of the type in the namespace");
  verb.Namespace(&flags->ns);
  verb.Notes(R"HELP(A pod with a nodeSelector waits until the node has the labels.

Examples:
  crisp label node "$(hostname)" disk=ssd
  crisp label pod web tier=front --overwrite
  crisp label pods -l app=web canary-
  crisp label node "$(hostname)" --list)HELP");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
