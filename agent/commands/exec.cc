#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/streaming_client/command_stream.h"
#include "agent/streaming_client/raw_terminal.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words;
  std::string container, ns;
  bool in = false, tty = false, quiet = false;
};

// Joins the session's streams to the command at `url` until one of them ends.
absl::Status Join(const std::string& url, bool in, bool tty, bool detach_keys, Session& session) {
  CommandStreamOptions options;
  if (in) options.in_fd = session.streams.in_fd;
  if (tty) options.terminal_fd = session.streams.in_fd;
  options.detach_keys = detach_keys;
  options.catch_signals = true;
  options.out = [&](absl::string_view bytes) { session.out << bytes << std::flush; };
  options.err = [&](absl::string_view bytes) { session.err << bytes << std::flush; };
  absl::StatusOr<CommandEnd> end = absl::UnknownError("");
  {
    const RawTerminal raw(tty ? session.streams.in_fd : -1);
    end = StreamCommand(url, options);
  }
  if (!end.ok()) return end.status();
  if (end->signal != 0) {
    session.exit_code = 128 + end->signal;
  } else if (end->exit_code != 0) {
    session.err << "command terminated with exit code " << end->exit_code << std::endl;
    session.exit_code = end->exit_code;
  }
  return absl::OkStatus();
}

// Only a terminal can be joined to one.
bool WantTerminal(bool asked, Session& session) {
  if (!asked || session.IsTerminal(session.streams.in_fd)) return asked;
  session.err << "Unable to use a TTY - input is not a terminal or the right kind of file"
              << std::endl;
  return false;
}

absl::StatusOr<ResolvedContainer> FindRunning(const std::string& pod, const Flags& flags,
                                              Session& session) {
  CRISP_ASSIGN_OR_RETURN(const ResolvedPod resolved,
                         PickContainer(session, flags.ns, pod, flags.container));
  const ResolvedContainer& container = resolved.container;
  if (container.running) return container;
  const std::string why = container.waiting_reason.empty()
                              ? (container.id.empty() ? "not made yet" : "it has ended")
                              : container.waiting_reason;
  return absl::FailedPreconditionError(absl::StrCat("container \"", container.name, "\" in pod \"",
                                                    pod, "\" is not running: ", why));
}

absl::Status Exec(const Flags& flags, Session& session) {
  if (flags.words.size() > 1) {
    return absl::InvalidArgumentError(
        "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead");
  }
  if (session.after_dashes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("you must specify at least one command for the container: crisp exec ",
                     flags.words[0], " -- ls /"));
  }
  CRISP_ASSIGN_OR_RETURN(const std::string pod, PickPod(session, flags.ns, flags.words[0]));
  CRISP_ASSIGN_OR_RETURN(const ResolvedContainer container, FindRunning(pod, flags, session));
  CommandStreamRequest request;
  request.container_id = container.id;
  request.command = session.after_dashes;
  request.in = flags.in;
  request.tty = WantTerminal(flags.tty, session);
  CRISP_ASSIGN_OR_RETURN(RuntimeClient * runtime, session.runtime());
  CRISP_ASSIGN_OR_RETURN(const std::string url, runtime->Exec(request));
  return Join(url, request.in, request.tty, false, session);
}

absl::Status Attach(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const std::string pod, PickPod(session, flags.ns, flags.words[0]));
  CRISP_ASSIGN_OR_RETURN(const ResolvedContainer container, FindRunning(pod, flags, session));
  CommandStreamRequest request;
  request.container_id = container.id;
  request.in = flags.in && container.has_stdin;
  if (flags.in && !container.has_stdin) {
    session.err << "Unable to use stdin - container " << container.name << " did not allocate it"
                << std::endl;
  }
  if (flags.tty && !container.has_tty) {
    session.err << "Unable to use a TTY - container " << container.name << " did not allocate one"
                << std::endl;
  }
  // What the container has decides how its output comes.
  request.tty = container.has_tty;
  const bool raw = container.has_tty && WantTerminal(flags.tty, session);
  CRISP_ASSIGN_OR_RETURN(RuntimeClient * runtime, session.runtime());
  CRISP_ASSIGN_OR_RETURN(const std::string url, runtime->Attach(request));
  if (!flags.quiet && request.in) {
    session.err << "If you don't see a command prompt, try pressing enter."
                << (raw ? " Ctrl-P Ctrl-Q detaches." : "") << std::endl;
  }
  return Join(url, request.in, raw, raw, session);
}

}  // namespace

void AddExec(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("exec", "Run a command in a container");
  verb.Words("POD|TYPE/NAME", &flags->words, "A pod, or what owns pods; the command follows --")
      .Required();
  verb.Option("-c,--container", &flags->container, "The container; the pod's first by default",
              "NAME");
  verb.Switch("-i,--stdin", &flags->in, "Pass standard input to the command");
  verb.Switch("-t,--tty", &flags->tty, "Give the command a terminal");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Ends with the command's own exit code. When crisp ends first, the command lives on
until its input or output does not.

Examples:
  crisp exec web -- cat /etc/hosts
  crisp exec -it web -- sh
  crisp exec web -c sidecar -- sh -c 'ls /tmp | wc -l'
  tar c site | crisp exec -i deployment/web -- tar x -C /srv)");
  verb.Runs([flags](Session& session) { return Exec(*flags, session); });
}

void AddAttach(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("attach", "Join the streams of a container's own process");
  verb.Words("POD|TYPE/NAME", &flags->words, "A pod, or what owns pods").Required().AtMost(1);
  verb.Option("-c,--container", &flags->container, "The container; the pod's first by default",
              "NAME");
  verb.Switch("-i,--stdin", &flags->in, "Pass standard input, if the container has stdin: true");
  verb.Switch("-t,--tty", &flags->tty, "Use the terminal, if the container has tty: true");
  verb.Switch("-q,--quiet", &flags->quiet, "Only the container's output");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Leaving never ends the container: Ctrl-C, or with -t Ctrl-P Ctrl-Q.

Examples:
  crisp attach web
  crisp attach -it shell)");
  verb.Runs([flags](Session& session) { return Attach(*flags, session); });
}

}  // namespace crisp::cli
