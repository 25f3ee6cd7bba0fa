// The verbs. Each Add function describes one to CLI11; parsing a command line
// leaves the chosen verb's work in `Action`, which the caller then runs.
#ifndef CRISP_AGENT_COMMANDS_COMMANDS_H_
#define CRISP_AGENT_COMMANDS_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/commands/session.h"

namespace crisp::agent {

using Action = std::function<absl::Status(Session&)>;

void AddApply(CLI::App& app, Action* action);
void AddCompletion(CLI::App& app, Action* action);
void AddCreate(CLI::App& app, Action* action);
void AddDelete(CLI::App& app, Action* action);
void AddDescribe(CLI::App& app, Action* action);
void AddExec(CLI::App& app, Action* action);
void AddGet(CLI::App& app, Action* action);
void AddImport(CLI::App& app, Action* action);
void AddLogs(CLI::App& app, Action* action);
void AddVersion(CLI::App& app, Action* action);

// -n, --namespace; "default" if it is not given.
void AddNamespaceOption(CLI::App* verb, std::string* ns);

enum class Resource { kPod, kConfigMap, kSecret };
// "pods", "po", "cm", ...: kubectl's words. InvalidArgument for another one.
absl::StatusOr<Resource> ParseResource(const std::string& word);
// "pod", "configmap", "secret".
const char* ResourceName(Resource resource);

// "web" and "pod/web" are "web"; InvalidArgument for another kind.
absl::StatusOr<std::string> PodNameArgument(const std::string& argument);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_COMMANDS_COMMANDS_H_
