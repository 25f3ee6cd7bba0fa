#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/session.h"
#include "agent/output/kinds.h"
#include "agent/output/table.h"

namespace crisp::cli {
namespace {

struct Flags {
  bool no_headers = false;
  std::string output, group;
  std::string namespaced;
};

absl::Status Run(const Flags& flags, Session& session) {
  std::vector<Row> rows;
  if (!flags.no_headers && flags.output != "name") {
    rows.push_back({"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"});
  }
  for (const KindInfo& kind : AllKinds()) {
    if (!flags.group.empty() && flags.group != kind.group) continue;
    if (!flags.namespaced.empty() && (flags.namespaced == "true") != kind.namespaced) continue;
    if (flags.output == "name") {
      rows.push_back(
          {*kind.group == '\0' ? kind.plural : absl::StrCat(kind.plural, ".", kind.group)});
    } else {
      rows.push_back({kind.plural, kind.short_name, kind.version,
                      kind.namespaced ? "true" : "false", kind.kind});
    }
  }
  session.out << FormatTable(rows);
  return absl::OkStatus();
}

}  // namespace

void AddApiResources(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("api-resources", "Print the kinds of objects and their short names");
  verb.Switch("--no-headers", &flags->no_headers, "Leave out the table's head");
  verb.Option("-o,--output", &flags->output, "name: names alone", "").OneOf({"name", "wide"});
  verb.Option("--api-group", &flags->group, "Only of this group, such as apps", "GROUP");
  verb.Option("--namespaced", &flags->namespaced, "Only those in namespaces, or not in them", "")
      .OneOf({"true", "false"});
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
