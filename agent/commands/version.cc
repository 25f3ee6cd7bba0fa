#include <memory>

#include "agent/commands/commands.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kVersion[] = "0.1.0";

absl::Status Run(bool client_only, Session& session) {
  session.out << "Client Version: " << kVersion << "\n";
  if (client_only) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const auto reply,
                         session.node().Runtime(&runtime::v1::RuntimeService::Stub::Version,
                                                runtime::v1::VersionRequest()));
  session.out << "Server Version: " << reply.runtime_name() << " " << reply.runtime_version()
              << " (CRI " << reply.runtime_api_version() << ")\n";
  return absl::OkStatus();
}

}  // namespace

void AddVersion(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("version", "Print the versions of crisp and of the server");
  auto client_only = std::make_shared<bool>(false);
  verb->add_flag("--client", *client_only, "Only that of crisp");
  verb->callback([client_only, action] {
    *action = [client_only](Session& session) { return Run(*client_only, session); };
  });
}

}  // namespace crisp::agent
