#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/commands/commands.h"
#include "agent/manifest/yaml.h"
#include "agent/node_facts.h"
#include "agent/output/label_selector.h"
#include "agent/output/object_json.h"
#include "agent/output/table.h"
#include "agent/pod_view.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::ListConfigMapsRequest;
using crisp::volumes::v1::ListSecretsRequest;
using crisp::volumes::v1::Volumes;

struct Flags {
  std::vector<std::string> words;  // TYPE NAME... or TYPE/NAME
  std::string ns;
  std::string output;
  std::string selector;
  bool all_namespaces = false;
  bool no_headers = false;
};

struct Row {
  std::string ns, name;
  std::vector<std::string> cells;
  nlohmann::ordered_json object;  // Only for -o yaml and json.
};

struct Listing {
  std::vector<std::string> head;
  std::vector<Row> rows;
};

struct Query {
  Resource resource;
  std::vector<std::string> names;  // Empty: all.
  std::string ns;                  // Empty: all.
  LabelSelector selector;
  bool wide = false;
  bool objects = false;
};

std::string Age(const Session& session, int64_t created_ns) {
  return created_ns <= 0 ? "<unknown>"
                         : FormatAge(session.clock->Now() - absl::FromUnixNanos(created_ns));
}

absl::StatusOr<Listing> ListPodRows(const Query& query, Session& session) {
  const std::string only = query.names.size() == 1 ? query.names[0] : "";
  CRISP_ASSIGN_OR_RETURN(const std::vector<PodView> pods, ListPods(session.node(), query.ns, only));
  Listing listing;
  listing.head = {"NAME", "READY", "STATUS", "RESTARTS", "AGE"};
  if (query.wide) {
    for (const char* more : {"IP", "NODE", "NOMINATED NODE", "READINESS GATES"}) {
      listing.head.push_back(more);
    }
  }
  const std::string node = query.wide ? ReadNodeFacts().name : "";
  for (const PodView& pod : pods) {
    if (!query.selector.Matches(pod.sandbox.labels())) continue;
    const PodSummary summary = Summarise(pod);
    Row row{pod.ns(), pod.name(), {}, {}};
    row.cells = {pod.name(), absl::StrCat(summary.ready, "/", summary.total), summary.status,
                 absl::StrCat(summary.restarts), Age(session, pod.sandbox.created_at())};
    if (query.wide) {
      row.cells.push_back(pod.ips.empty() ? "<none>" : pod.ips[0]);
      row.cells.insert(row.cells.end(), {node, "<none>", "<none>"});
    }
    if (query.objects) row.object = ObjectJson(pod);
    listing.rows.push_back(std::move(row));
  }
  return listing;
}

template <typename Objects, typename Cells>
Listing MakeListing(const Query& query, const Objects& objects, std::vector<std::string> head,
                    const Cells& cells) {
  Listing listing;
  listing.head = std::move(head);
  for (const auto& object : objects) {
    if (!query.selector.Matches(object.labels())) continue;
    Row row{object.key().namespace_(), object.key().name(), cells(object), {}};
    if (query.objects) row.object = ObjectJson(object);
    listing.rows.push_back(std::move(row));
  }
  return listing;
}

absl::StatusOr<Listing> List(const Query& query, Session& session) {
  switch (query.resource) {
    case Resource::kPod:
      return ListPodRows(query, session);
    case Resource::kConfigMap: {
      ListConfigMapsRequest request;
      request.set_namespace_(query.ns);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::ListConfigMaps, request));
      return MakeListing(query, reply.config_maps(), {"NAME", "DATA", "AGE"}, [&](const auto& map) {
        return std::vector<std::string>{map.key().name(),
                                        absl::StrCat(map.data_size() + map.binary_data_size()),
                                        Age(session, map.created_at())};
      });
    }
    case Resource::kSecret: {
      ListSecretsRequest request;
      request.set_namespace_(query.ns);
      CRISP_ASSIGN_OR_RETURN(const auto reply,
                             session.node().Volumes(&Volumes::Stub::ListSecrets, request));
      return MakeListing(
          query, reply.secrets(), {"NAME", "TYPE", "DATA", "AGE"}, [&](const auto& secret) {
            return std::vector<std::string>{
                secret.key().name(), secret.type().empty() ? "Opaque" : secret.type(),
                absl::StrCat(secret.data_size()), Age(session, secret.created_at())};
          });
    }
  }
  return absl::InternalError("unknown resource");
}

// Keeps the rows that were asked for by name, in the order of the question;
// reports those that are not there.
void KeepNamed(const Query& query, Session& session, Listing* listing) {
  if (query.names.empty()) {
    std::sort(listing->rows.begin(), listing->rows.end(), [](const Row& a, const Row& b) {
      return std::tie(a.ns, a.name) < std::tie(b.ns, b.name);
    });
    return;
  }
  std::vector<Row> kept;
  for (const std::string& name : query.names) {
    const auto found = std::find_if(listing->rows.begin(), listing->rows.end(),
                                    [&](const Row& row) { return row.name == name; });
    if (found != listing->rows.end()) {
      kept.push_back(*found);
    } else {
      session.Report(absl::NotFoundError(
          absl::StrCat(ResourceName(query.resource), "s \"", name, "\" not found")));
    }
  }
  listing->rows = std::move(kept);
}

void PrintTable(const Flags& flags, const Listing& listing, Session& session) {
  if (listing.rows.empty()) {
    if (session.exit_code == 0) {
      session.err << (flags.all_namespaces
                          ? "No resources found"
                          : absl::StrCat("No resources found in ", flags.ns, " namespace."))
                  << "\n";
    }
    return;
  }
  std::vector<std::vector<std::string>> table;
  if (!flags.no_headers) table.push_back(listing.head);
  for (const Row& row : listing.rows) table.push_back(row.cells);
  if (flags.all_namespaces) {
    for (size_t i = 0; i < table.size(); ++i) {
      const bool head = i == 0 && !flags.no_headers;
      const size_t row = flags.no_headers ? i : i - 1;
      table[i].insert(table[i].begin(), head ? "NAMESPACE" : listing.rows[row].ns);
    }
  }
  session.out << FormatTable(table);
}

void PrintObjects(const Flags& flags, const Query& query, const Listing& listing,
                  Session& session) {
  if (listing.rows.empty() && !query.names.empty()) return;
  std::vector<nlohmann::ordered_json> items;
  for (const Row& row : listing.rows) items.push_back(row.object);
  const nlohmann::ordered_json object = query.names.size() == 1 ? items[0] : ListJson(items);
  if (flags.output == "yaml") {
    session.out << ToYaml(object);
  } else {
    session.out << object.dump(4) << "\n";
  }
}

absl::Status Run(const Flags& flags, Session& session) {
  Query query;
  std::vector<std::string> words = flags.words;
  if (const size_t slash = words[0].find('/'); slash != std::string::npos) {
    words.insert(words.begin() + 1, words[0].substr(slash + 1));
    words[0].resize(slash);
  }
  CRISP_ASSIGN_OR_RETURN(query.resource, ParseResource(words[0]));
  query.names.assign(words.begin() + 1, words.end());
  CRISP_ASSIGN_OR_RETURN(query.selector, LabelSelector::Parse(flags.selector));
  query.wide = flags.output == "wide";
  query.objects = flags.output == "yaml" || flags.output == "json";
  query.ns = flags.all_namespaces ? "" : flags.ns;
  if (flags.all_namespaces && !query.names.empty()) {
    return absl::InvalidArgumentError("a name cannot be looked up across all namespaces (-A)");
  }
  CRISP_ASSIGN_OR_RETURN(Listing listing, List(query, session));
  KeepNamed(query, session, &listing);
  if (query.objects) {
    PrintObjects(flags, query, listing, session);
  } else if (flags.output == "name") {
    for (const Row& row : listing.rows) {
      session.out << ResourceName(query.resource) << "/" << row.name << "\n";
    }
  } else {
    PrintTable(flags, listing, session);
  }
  return absl::OkStatus();
}

}  // namespace

void AddGet(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("get", "Show pods, configmaps or secrets");
  auto flags = std::make_shared<Flags>();
  verb->add_option("TYPE", flags->words, "pods, configmaps or secrets, then names; or TYPE/NAME")
      ->required();
  verb->add_option("-o,--output", flags->output, "wide, yaml, json or name")
      ->check(CLI::IsMember({"wide", "yaml", "json", "name"}))
      ->type_name("");
  verb->add_option("-l,--selector", flags->selector, "Only objects with these labels")
      ->type_name("SELECTOR");
  verb->add_flag("-A,--all-namespaces", flags->all_namespaces, "In every namespace");
  verb->add_flag("--no-headers", flags->no_headers, "Leave out the table's head");
  AddNamespaceOption(verb, &flags->ns);
  verb->footer(R"(Examples:
  crisp get pods
  crisp get pods -A -o wide
  crisp get pods -l 'app=web,tier notin (db)'
  crisp get configmap tomcat-server-config -o yaml)");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent
