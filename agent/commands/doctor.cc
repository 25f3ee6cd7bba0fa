#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/node_checks.h"
#include "agent/commands/session.h"
#include "agent/output/table.h"

namespace crisp::cli {
namespace {

using Level = Check::Level;

void CheckAgent(Session& session, std::vector<Check>* checks) {
  const absl::StatusOr<AgentInfo> info = session.agent().Info();
  if (!info.ok()) {
    checks->push_back({Level::kFail, "agent", std::string(info.status().message()),
                       "start it: systemctl start crisp-agent"});
    return;
  }
  checks->push_back({Level::kOk, "agent",
                     absl::StrCat(info->version, " on node ", info->node_name, ", up for ",
                                  FormatAge(session.clock->Now() - info->started_at)),
                     ""});
  if (session.runtime_address.empty()) session.runtime_address = info->cri_address;
  if (!info->runtime_error.empty()) {
    checks->push_back({Level::kFail, "agent to runtime", info->runtime_error,
                       absl::StrCat("see to the runtime at ", info->cri_address)});
  } else if (!info->volumes_service) {
    checks->push_back({Level::kWarn, "volumes", "the runtime has no crisp.volumes.v1",
                       "use crispd for configMap, secret and other volumes"});
  }
}

void CheckRuntime(Session& session, std::vector<Check>* checks) {
  if (session.runtime_address.empty()) session.runtime_address = RuntimeClient::kDefaultAddress;
  RuntimeClient runtime(session.runtime_address);
  const absl::StatusOr<RuntimeVersion> version = runtime.Version();
  if (!version.ok()) {
    checks->push_back({Level::kFail, "runtime", std::string(version.status().message()),
                       "start it: systemctl start crispd; its log: journalctl -u crispd"});
    return;
  }
  checks->push_back({Level::kOk, "runtime",
                     absl::StrCat(version->name, " ", version->version, " at ", runtime.address()),
                     ""});
  const absl::StatusOr<std::vector<RuntimeCondition>> conditions = runtime.Conditions();
  if (!conditions.ok()) {
    checks->push_back({Level::kFail, "runtime status", std::string(conditions.status().message()),
                       "see the runtime's log: journalctl -u crispd"});
    return;
  }
  for (const RuntimeCondition& each : *conditions) {
    const std::string why =
        absl::StrCat(each.reason, each.message.empty() ? "" : ": ", each.message);
    checks->push_back({each.ok ? Level::kOk : Level::kFail, each.type, each.ok ? "true" : why,
                       each.ok ? "" : "see the runtime's log: journalctl -u crispd"});
  }
}

absl::Status Run(Session& session) {
  std::vector<Check> checks = CheckNode({});
  CheckAgent(session, &checks);
  CheckRuntime(session, &checks);
  std::vector<Row> rows;
  int warnings = 0, failures = 0;
  for (const Check& check : checks) {
    const char* word = check.level == Level::kOk     ? "ok"
                       : check.level == Level::kWarn ? "warn"
                                                     : "FAIL";
    rows.push_back({word, check.name, check.found});
    if (!check.advice.empty()) rows.push_back({"", "", absl::StrCat("→ ", check.advice)});
    warnings += check.level == Level::kWarn ? 1 : 0;
    failures += check.level == Level::kFail ? 1 : 0;
  }
  session.out << FormatTable(rows) << "\n"
              << checks.size() - static_cast<size_t>(warnings + failures) << " ok, " << warnings
              << " warnings, " << failures << " failures\n";
  if (failures > 0) session.exit_code = 1;
  return absl::OkStatus();
}

}  // namespace

void AddDoctor(Verb& crisp) {
  Verb verb = crisp.Add("doctor", "Check this node, and say what to do");
  verb.Notes(R"(Reads and changes nothing. Ends with 1 if a check fails.

Example:
  sudo crisp doctor)");
  verb.Runs(Run);
}

}  // namespace crisp::cli
