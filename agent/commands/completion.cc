#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/kinds.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

// All shells ask `crisp __complete WORDS...` where the last word is the one being typed;
// an answer of ":files" leaves it to the shell.
constexpr char kBash[] = R"BASH(# bash completion for crisp:  source <(crisp completion bash)
_crisp() {
  local cur=${COMP_WORDS[COMP_CWORD]} answers
  # bash takes = and : for ends of words; crisp shall see them whole.
  answers=$(crisp __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  if [ "$answers" = ":files" ]; then compopt -o default; return; fi
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$answers" -- "$cur"))
}
complete -F _crisp crisp
)BASH";

constexpr char kZsh[] = R"ZSH(#compdef crisp
# zsh completion for crisp:  source <(crisp completion zsh)
_crisp() {
  local answers
  answers=$(crisp __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
  [[ -n $answers ]] || return 1
  if [[ $answers == ":files" ]]; then _files; return; fi
  local -a list
  list=("${(@f)answers}")
  compadd -- $list
}
compdef _crisp crisp
)ZSH";

constexpr char kFish[] = R"FISH(# fish completion for crisp:  crisp completion fish | source
function __crisp_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answers (crisp __complete $words[2..-1] 2>/dev/null)
  if test "$answers" = ":files"
    __fish_complete_path (commandline -ct)
    return
  end
  printf '%s\n' $answers
end
complete -c crisp -f -a '(__crisp_complete)'
)FISH";

using Words = std::vector<std::string>;

const Words& Verbs() {
  static const auto* const verbs =
      new Words{"agent",    "api-resources", "apply",   "attach", "completion", "create",  "delete",
                "describe", "doctor",        "events",  "exec",   "get",        "import",  "label",
                "logs",     "port-forward",  "rollout", "scale",  "top",        "version", "wait"};
  return *verbs;
}

bool IsOneOf(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Words Plurals() {
  Words words;
  for (const KindInfo& kind : AllKinds()) words.push_back(kind.plural);
  return words;
}

class Completion {
 public:
  Completion(const Words& words, Session& session) : words_(words), session_(session) {}

  Words Complete() {
    if (words_.size() <= 1) return Verbs();
    const std::string before = words_[words_.size() - 2];
    for (size_t i = 0; i + 1 < words_.size(); ++i) {
      if (IsOneOf(words_[i], {"-n", "--namespace"})) ns_ = words_[i + 1];
    }
    if (IsOneOf(before, {"-n", "--namespace"})) return Namespaces();
    if (IsOneOf(before, {"-f", "--filename", "--from-file", "--from-env-file"}) ||
        words_[0] == "import") {
      if (words_[0] != "logs") return {":files"};
    }
    if (IsOneOf(before, {"-o", "--output"})) return {"wide", "yaml", "json", "name"};
    if (before == "--for" && words_[0] == "wait") return {"condition=Ready", "delete", "create"};
    ReadWords();
    if (IsOneOf(before, {"-c", "--container"})) return Containers();
    return ForVerb();
  }

 private:
  // The words that are no flags, without the one being typed.
  void ReadWords() {
    for (size_t i = 1; i + 1 < words_.size(); ++i) {
      if (absl::StartsWith(words_[i], "-")) {
        const bool takes_value = IsOneOf(
            words_[i], {"-n", "--namespace", "-c", "--container", "-l", "--selector", "-o",
                        "--output", "--tail", "--since", "--timeout", "--for", "-f", "--filename"});
        if (takes_value && !(words_[0] == "logs" && words_[i] == "-f")) ++i;
        continue;
      }
      args_.push_back(words_[i]);
    }
  }

  Words ForVerb() {
    const std::string& verb = words_[0];
    if (verb == "create" && args_.empty()) return {"configmap", "secret", "deployment"};
    if (verb == "create" && args_.size() == 1 && args_[0] == "secret") return {"generic"};
    if (verb == "completion") return {"bash", "zsh", "fish"};
    if (verb == "rollout" && args_.empty()) {
      return {"status", "history", "restart", "pause", "resume"};
    }
    if (verb == "rollout") {
      args_.erase(args_.begin());
      return Workloads({"Deployment", "DaemonSet"});
    }
    if (verb == "scale") return Workloads({"Deployment", "ReplicaSet", "ReplicationController"});
    if (verb == "top" && args_.empty()) return {"pods", "node"};
    if (verb == "top") return args_[0] == "node" ? Names("Node") : Names("Pod");
    if (IsOneOf(verb, {"logs", "exec", "attach", "port-forward"})) {
      if (verb == "logs" && args_.size() == 1) return Containers();
      return args_.empty() ? Slashed(Names("Pod")) : Words();
    }
    if (IsOneOf(verb, {"get", "delete", "describe", "label", "wait"})) {
      const std::string& typed = words_.back();
      if (const size_t slash = typed.find('/'); slash != std::string::npos) {
        return Slashed({});
      }
      if (args_.empty()) return Plurals();
      const KindInfo* kind = FindKind(args_[0]);
      return kind == nullptr ? Words() : Names(kind->kind);
    }
    return {};
  }

  Words Names(const std::string& kind) {
    const KindInfo* info = KindOfObject(kind);
    const auto list = session_.agent().List(
        {.kind = kind, .ns = info->namespaced ? Session::NamespaceOr(ns_) : ""});
    Words names;
    if (!list.ok()) return names;
    for (const Json& object : list->objects) names.push_back(Name(object));
    return names;
  }

  Words Workloads(std::initializer_list<const char*> kinds) {
    Words words;
    for (const char* kind : kinds) {
      for (const std::string& name : Names(kind)) {
        words.push_back(absl::StrCat(KindOfObject(kind)->singular, "/", name));
      }
    }
    return words;
  }

  // `otherwise`, unless the word that is typed has its TYPE/ already.
  Words Slashed(Words otherwise) {
    const std::string& typed = words_.back();
    const size_t slash = typed.find('/');
    if (slash == std::string::npos) return otherwise;
    const KindInfo* kind = FindKind(typed.substr(0, slash));
    Words words;
    if (kind == nullptr) return words;
    for (const std::string& name : Names(kind->kind)) {
      words.push_back(absl::StrCat(typed.substr(0, slash + 1), name));
    }
    return words;
  }

  Words Namespaces() {
    Words all = {"default"};
    for (const char* kind : {"Pod", "ConfigMap", "Deployment"}) {
      const auto list = session_.agent().List({.kind = kind});
      if (!list.ok()) break;
      for (const Json& object : list->objects) all.push_back(Namespace(object));
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  Words Containers() {
    Words names;
    if (args_.empty()) return names;
    const auto pod = PickPod(session_, ns_, args_[0]);
    if (!pod.ok()) return names;
    const auto resolved = session_.agent().ResolvePod(Session::NamespaceOr(ns_), *pod);
    if (!resolved.ok()) return names;
    for (const ResolvedContainer& each : resolved->containers) names.push_back(each.name);
    return names;
  }

  const Words& words_;
  Session& session_;
  std::string ns_;
  Words args_;
};

}  // namespace

void CompleteWords(const std::vector<std::string>& words, Session& session) {
  for (const std::string& word : Completion(words, session).Complete()) {
    if (word == ":files" || words.empty() || absl::StartsWith(word, words.back())) {
      session.out << word << "\n";
    }
  }
}

void AddCompletion(Verb& crisp) {
  Verb verb = crisp.Add("completion", "Print a shell's completion script");
  auto shell = std::make_shared<std::string>();
  verb.Word("bash|zsh|fish", shell.get(), "The shell").Required().OneOf({"bash", "zsh", "fish"});
  verb.Notes(R"(Completes verbs, kinds, and the names of objects, namespaces and containers.

Examples:
  source <(crisp completion bash)         now; in ~/.bashrc for every shell
  source <(crisp completion zsh)
  crisp completion fish | source)");
  verb.Runs([shell](Session& session) {
    session.out << (*shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish);
    return absl::OkStatus();
  });
}

}  // namespace crisp::cli
