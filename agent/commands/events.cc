#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/commands/commands.h"
#include "agent/commands/object_output.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::string ns, about, types, output;
  bool all_namespaces = false, watch = false, no_headers = false;
};

absl::Time LastSeen(const Json& event) {
  const absl::Time last = TimeOf(event, "lastTimestamp");
  return last == absl::InfinitePast() ? TimeOf(event, "metadata.creationTimestamp") : last;
}

class Events {
 public:
  Events(const Flags& flags, Session& session) : flags_(flags), session_(session) {}

  absl::Status Run() {
    CRISP_ASSIGN_OR_RETURN(format_, OutputFormat::Parse(flags_.output));
    Selection selection = {.kind = "Event"};
    if (!flags_.all_namespaces) selection.ns = Session::NamespaceOr(flags_.ns);
    if (!flags_.about.empty()) {
      CRISP_ASSIGN_OR_RETURN(const Target about, ParseTarget({flags_.about}));
      selection.fields = absl::StrCat("involvedObject.kind=", about.kind->kind,
                                      ",involvedObject.name=", about.name);
      if (!about.kind->namespaced) selection.ns.clear();
    }
    for (const absl::string_view type : absl::StrSplit(flags_.types, ',', absl::SkipEmpty())) {
      if (type != "Normal" && type != "Warning") {
        return absl::InvalidArgumentError(
            absl::StrCat("valid --types are Normal or Warning, not ", type));
      }
      types_.emplace_back(type);
    }
    if (flags_.watch) return Watch(selection);
    CRISP_ASSIGN_OR_RETURN(ObjectList list, session_.agent().List(selection));
    Show(list.objects);
    if (shown_ == 0 && format_.IsTable()) {
      session_.err << "No events found"
                   << (flags_.all_namespaces
                           ? "."
                           : absl::StrCat(" in ", Session::NamespaceOr(flags_.ns), " namespace."))
                   << std::endl;
    }
    return absl::OkStatus();
  }

 private:
  bool Wanted(const Json& event) const {
    return types_.empty() ||
           std::find(types_.begin(), types_.end(), Text(event, "type")) != types_.end();
  }

  Row RowOf(const Json& event, absl::Time now) const {
    const int64_t count = Number(event, "count", 1);
    std::string seen = AgeSince(LastSeen(event), now);
    if (count > 1) {
      absl::StrAppend(&seen, " (x", count, " over ", AgeSince(TimeOf(event, "firstTimestamp"), now),
                      ")");
    }
    Row row = {
        seen, Text(event, "type"), Text(event, "reason"),
        absl::StrCat(Text(event, "involvedObject.kind"), "/", Text(event, "involvedObject.name")),
        Text(event, "message")};
    if (flags_.all_namespaces) row.insert(row.begin(), Namespace(event));
    return row;
  }

  void Show(std::vector<Json> events) {
    events.erase(std::remove_if(events.begin(), events.end(),
                                [this](const Json& event) { return !Wanted(event); }),
                 events.end());
    std::stable_sort(events.begin(), events.end(),
                     [](const Json& a, const Json& b) { return LastSeen(a) < LastSeen(b); });
    if (!format_.IsTable()) {
      session_.out << FormatObjects(format_, events, flags_.watch);
    } else if (!events.empty()) {
      std::vector<Row> rows;
      if (shown_ == 0 && !flags_.no_headers) {
        rows.push_back({"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"});
        if (flags_.all_namespaces) rows[0].insert(rows[0].begin(), "NAMESPACE");
      }
      for (const Json& event : events) rows.push_back(RowOf(event, session_.clock->Now()));
      session_.out << writer_.Format(rows);
    }
    shown_ += events.size();
    session_.out.flush();
  }

  absl::Status Watch(const Selection& selection) {
    const auto watch = session_.agent().Watch(selection);
    std::vector<Json> first;
    bool synced = false;
    while (session_.out) {
      CRISP_ASSIGN_OR_RETURN(WatchEvent event, watch->Next());
      if (event.type == WatchEvent::Type::kSynced) {
        Show(std::move(first));
        synced = true;
      } else if (event.type == WatchEvent::Type::kDeleted) {
        continue;  // It was forgotten, which tells nothing.
      } else if (synced) {
        Show({std::move(event.object)});
      } else {
        first.push_back(std::move(event.object));
      }
    }
    return absl::OkStatus();
  }

  const Flags& flags_;
  Session& session_;
  OutputFormat format_;
  std::vector<std::string> types_;
  TableWriter writer_;
  size_t shown_ = 0;
};

}  // namespace

void AddEvents(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("events", "Show what happened to objects, oldest first");
  verb.Option("--for", &flags->about, "Only of this object", "TYPE/NAME");
  verb.Option("--types", &flags->types, "Only Normal, or Warning", "TYPE,...");
  verb.Switch("-w,--watch", &flags->watch, "Show events as they happen, after what is there");
  verb.Switch("-A,--all-namespaces", &flags->all_namespaces, "In every namespace");
  verb.Switch("--no-headers", &flags->no_headers, "Leave out the table's head");
  verb.Option("-o,--output", &flags->output, "yaml, json, name, jsonpath=...", "FORMAT");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Events are kept for an hour.

Examples:
  crisp events
  crisp events --for pod/web -w
  crisp events -A --types=Warning)");
  verb.Runs([flags](Session& session) { return Events(*flags, session).Run(); });
}

}  // namespace crisp::cli
