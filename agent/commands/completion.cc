#include <memory>
#include <string>

#include "agent/commands/commands.h"

namespace crisp::agent {
namespace {

// Verbs, types and, asked of the node, names.
constexpr char kBash[] = R"BASH(# bash completion for crisp:  source <(crisp completion bash)
_crisp() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local verb=${COMP_WORDS[1]} type=${COMP_WORDS[2]}
  local types="pods configmaps secrets"
  COMPREPLY=()
  case $prev in
    -f|--filename|--from-file|--from-env-file) compopt -o default; return ;;
    -o|--output) COMPREPLY=($(compgen -W "wide yaml json name" -- "$cur")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "apply completion create delete describe exec get import logs version" -- "$cur"))
    return
  fi
  case $verb in
    create)
      if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "configmap secret" -- "$cur"))
      elif [ "$type" = secret ] && [ "$COMP_CWORD" -eq 3 ]; then COMPREPLY=($(compgen -W "generic" -- "$cur"))
      fi ;;
    get|delete|describe)
      if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "$types" -- "$cur"))
      else COMPREPLY=($(compgen -W "$(crisp get "$type" -o name 2>/dev/null | sed 's|.*/||')" -- "$cur"))
      fi ;;
    logs|exec)
      COMPREPLY=($(compgen -W "$(crisp get pods -o name 2>/dev/null | sed 's|.*/||')" -- "$cur")) ;;
    import) compopt -o default ;;
    completion) COMPREPLY=($(compgen -W "bash" -- "$cur")) ;;
  esac
}
complete -F _crisp crisp
)BASH";

}  // namespace

void AddCompletion(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("completion", "Print a shell's completion script");
  auto shell = std::make_shared<std::string>();
  verb->add_option("SHELL", *shell, "bash")
      ->required()
      ->check(CLI::IsMember({"bash"}))
      ->type_name("");
  verb->footer(R"(Example:
  source <(crisp completion bash))");
  verb->callback([shell, action] {
    *action = [](Session& session) {
      session.out << kBash;
      return absl::OkStatus();
    };
  });
}

}  // namespace crisp::agent
