#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words;
  std::string ns;
  int64_t replicas = 0;
  std::optional<int64_t> current;
};

absl::Status Run(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(flags.words));
  for (const Target& target : targets) {
    if (target.name.empty()) return absl::InvalidArgumentError("name what to scale: TYPE/NAME");
    std::optional<int> current;
    if (flags.current.has_value() && *flags.current >= 0) {
      current = static_cast<int>(*flags.current);
    }
    CRISP_ASSIGN_OR_RETURN(
        const Json object,
        session.agent().Scale(RefOf(target, flags.ns), static_cast<int>(flags.replicas), current));
    session.out << ShownName(object) << " scaled\n" << std::flush;
  }
  return absl::OkStatus();
}

}  // namespace

void AddScale(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("scale", "Set how many pods a workload has");
  verb.Words("TYPE/NAME|TYPE NAME", &flags->words,
             "A deployment, replicaset or replicationcontroller")
      .Required();
  verb.Option("--replicas", &flags->replicas, "How many pods", "N", 0).Required();
  verb.Option("--current-replicas", &flags->current, "Only if it has as many now", "N");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Examples:
  crisp scale deployment/web --replicas=3
  crisp scale --current-replicas=2 --replicas=3 rs/web-5d9f)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
