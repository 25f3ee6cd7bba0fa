#include "base/version.h"

#include <memory>
#include <string>

#include "agent/commands/commands.h"
#include "agent/commands/object_output.h"
#include "agent/commands/session.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  bool client = false, runtime = false;
  std::string output;
};

absl::Status PrintRuntime(Session& session) {
  CRISP_ASSIGN_OR_RETURN(RuntimeClient * runtime, session.runtime());
  CRISP_ASSIGN_OR_RETURN(const RuntimeVersion version, runtime->Version());
  session.out << "Runtime Version: " << version.name << " " << version.version << " (CRI "
              << version.api_version << ")\n";
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags, Session& session) {
  if (flags.runtime) return PrintRuntime(session);
  Json version = {{"clientVersion", {{"gitVersion", kCrispVersion}}}};
  AgentInfo info;
  if (!flags.client) {
    const absl::StatusOr<AgentInfo> reply = session.agent().Info();
    // The client's own version does not depend on anybody.
    if (!reply.ok() && flags.output.empty()) {
      session.out << "Client Version: " << kCrispVersion << "\n";
    }
    if (!reply.ok()) return reply.status();
    info = *reply;
    version["serverVersion"] = {{"gitVersion", info.version}};
    version["runtimeVersion"] = {{"name", info.runtime_name}, {"version", info.runtime_version}};
  }
  if (flags.output == "yaml") session.out << YamlText(version);
  if (flags.output == "json") session.out << JsonText(version);
  if (!flags.output.empty()) return absl::OkStatus();
  session.out << "Client Version: " << kCrispVersion << "\n";
  if (flags.client) return absl::OkStatus();
  session.out << "Agent Version: " << info.version << "\n";
  if (info.runtime_error.empty()) {
    session.out << "Runtime Version: " << info.runtime_name << " " << info.runtime_version << "\n";
  } else {
    session.out << "Runtime Version: unknown, the runtime at " << info.cri_address
                << " is away: " << info.runtime_error << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddVersion(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("version", "Print the versions of crisp, the agent and the runtime");
  verb.Switch("--client", &flags->client, "Only that of crisp");
  verb.Switch("--runtime", &flags->runtime, "Only that of the runtime, asked directly");
  verb.Option("-o,--output", &flags->output, "yaml or json", "").OneOf({"yaml", "json"});
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
