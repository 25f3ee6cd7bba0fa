#include "agent/streaming_client/port_forward.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
  std::string ns, address = "localhost";
};

struct Forward {
  uint16_t local = 0, remote = 0;
};

absl::StatusOr<uint16_t> ParsePort(absl::string_view text, bool may_be_zero) {
  int port = 0;
  if (!absl::SimpleAtoi(text, &port) || port > 65535 || port < (may_be_zero ? 0 : 1)) {
    return absl::InvalidArgumentError(absl::StrCat("error parsing port \"", text, "\""));
  }
  return static_cast<uint16_t>(port);
}

// A number, or the name of a container's port.
absl::StatusOr<uint16_t> RemotePort(absl::string_view text, const Json& pod) {
  for (const Json& container : Items(pod, "spec.containers")) {
    for (const Json& port : Items(container, "ports")) {
      if (Text(port, "name") == text) return static_cast<uint16_t>(Number(port, "containerPort"));
    }
  }
  return ParsePort(text, false);
}

// 8080, 8080:80, 8080:http, :80.
absl::StatusOr<Forward> ParseForward(const std::string& text, const Json& pod) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() > 2 || parts.back().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid port format '", text, "': it is [LOCAL:]REMOTE"));
  }
  Forward forward;
  CRISP_ASSIGN_OR_RETURN(forward.remote, RemotePort(parts.back(), pod));
  if (parts.size() == 1) {
    forward.local = forward.remote;
  } else if (!parts[0].empty()) {
    CRISP_ASSIGN_OR_RETURN(forward.local, ParsePort(parts[0], true));
  }
  return forward;
}

std::string Shown(const std::string& address, uint16_t port) {
  return absl::StrContains(address, ':') ? absl::StrCat("[", address, "]:", port)
                                         : absl::StrCat(address, ":", port);
}

absl::Status Run(const Flags& flags, Session& session) {
  if (flags.words.size() < 2) {
    return absl::InvalidArgumentError(
        "TYPE/NAME and list of ports are required for port-forward: crisp port-forward web "
        "8080:80");
  }
  CRISP_ASSIGN_OR_RETURN(const std::string name, PickPod(session, flags.ns, flags.words[0]));
  const std::string ns = Session::NamespaceOr(flags.ns);
  CRISP_ASSIGN_OR_RETURN(const Json pod, session.agent().Get({"Pod", ns, name}));
  if (Text(pod, "status.phase") != "Running") {
    return absl::FailedPreconditionError(
        absl::StrCat("unable to forward port because pod is not running. Current status=",
                     Text(pod, "status.phase")));
  }
  CRISP_ASSIGN_OR_RETURN(const ResolvedPod resolved, session.agent().ResolvePod(ns, name));
  CRISP_ASSIGN_OR_RETURN(RuntimeClient * runtime, session.runtime());
  std::string sandbox = resolved.sandbox_id;
  PortForwarder forwarder({
      .url =
          [&](uint16_t remote) {
            // A pod that was set up anew has another sandbox.
            if (const auto now = session.agent().ResolvePod(ns, name); now.ok()) {
              sandbox = now->sandbox_id;
            }
            return runtime->PortForward(sandbox, remote);
          },
      .on_connection =
          [&](uint16_t local) { session.out << "Handling connection for " << local << std::endl; },
      .on_error =
          [&](uint16_t local, const absl::Status& status) {
            session.err << "an error occurred forwarding " << local << ": "
                        << Printable(status.message()) << std::endl;
          },
  });
  for (size_t i = 1; i < flags.words.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(Forward forward, ParseForward(flags.words[i], pod));
    for (const absl::string_view address : absl::StrSplit(flags.address, ',')) {
      std::vector<std::string> ips = {std::string(address)};
      if (address == "localhost") ips = {"127.0.0.1", "::1"};
      bool listens = false;
      for (const std::string& ip : ips) {
        const auto local = forwarder.Listen(ip, forward.local, forward.remote);
        // localhost is whatever of its two addresses there is.
        if (!local.ok() && listens) continue;
        if (!local.ok()) return local.status();
        listens = true;
        forward.local = *local;
        session.out << "Forwarding from " << Shown(ip, *local) << " -> " << forward.remote
                    << std::endl;
      }
    }
  }
  forwarder.Run(/*until_signal=*/true);
  return absl::OkStatus();
}

}  // namespace

void AddPortForward(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("port-forward", "Carry local ports into a pod");
  verb.Words("POD|TYPE/NAME [LOCAL:]REMOTE...", &flags->words,
             "A pod, or what owns pods; then ports")
      .Required();
  verb.Option("--address", &flags->address, "Addresses to listen on (localhost)", "IP,...");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Goes on until Ctrl-C. REMOTE is a number or the name of a container's port; without
LOCAL it is the same, and for :REMOTE a free one is chosen.

Examples:
  crisp port-forward web 8080:80
  crisp port-forward deployment/shop 8080:http 9090
  crisp port-forward --address 0.0.0.0 web :80)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
