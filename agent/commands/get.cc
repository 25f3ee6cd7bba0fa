#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/object_output.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/kind_table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words, files;
  std::string ns, output, selector, field_selector, sort_by;
  bool all_namespaces = false, no_headers = false, show_labels = false, show_kind = false;
  bool watch = false, watch_only = false, ignore_not_found = false, recursive = false;
};

struct Listing {
  const KindInfo* kind;
  std::vector<Json> objects;
};

class Get {
 public:
  Get(const Flags& flags, Session& session) : flags_(flags), session_(session) {}

  absl::Status Run() {
    CRISP_ASSIGN_OR_RETURN(format_, OutputFormat::Parse(flags_.output));
    table_.wide = format_.kind == OutputFormat::Kind::kWide;
    table_.with_namespace = flags_.all_namespaces;
    table_.show_labels = flags_.show_labels;
    table_.with_kind = flags_.show_kind;
    if (!flags_.sort_by.empty()) {
      CRISP_ASSIGN_OR_RETURN(sort_path_, JsonPath::Parse(flags_.sort_by));
    }
    CRISP_RETURN_IF_ERROR(ReadTargets());
    if (flags_.watch || flags_.watch_only) return Watch();
    CRISP_RETURN_IF_ERROR(List());
    Print();
    return absl::OkStatus();
  }

 private:
  absl::Status ReadTargets() {
    if (flags_.words.empty() && flags_.files.empty()) {
      return absl::InvalidArgumentError(
          "you must specify the type of resource to get; \"crisp api-resources\" lists them");
    }
    CRISP_ASSIGN_OR_RETURN(targets_, ParseTargets(flags_.words));
    if (!flags_.files.empty()) {
      CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                             LoadManifests(flags_.files, flags_.recursive, session_.in));
      for (Manifest& manifest : manifests) {
        CRISP_RETURN_IF_ERROR(
            Annotate(FillNamespace(flags_.ns, &manifest.object), manifest.source));
        targets_.push_back({KindOfObject(Text(manifest.object, "kind")), Name(manifest.object)});
        from_files_.push_back(RefOf(manifest.object));
      }
    }
    const bool named = std::any_of(targets_.begin(), targets_.end(),
                                   [](const Target& target) { return !target.name.empty(); });
    if (named && flags_.all_namespaces && from_files_.empty()) {
      return absl::InvalidArgumentError(
          "a resource cannot be retrieved by name across all namespaces");
    }
    if (named && (!flags_.selector.empty() || !flags_.field_selector.empty())) {
      return absl::InvalidArgumentError("name cannot be provided when a selector is specified");
    }
    return absl::OkStatus();
  }

  Selection SelectionOf(const Target& target) const {
    Selection selection;
    selection.kind = target.kind->kind;
    if (target.kind->namespaced && !flags_.all_namespaces) {
      selection.ns = Session::NamespaceOr(flags_.ns);
    }
    selection.name = target.name;
    selection.labels = flags_.selector;
    selection.fields = flags_.field_selector;
    return selection;
  }

  Listing& ListingOf(const KindInfo* kind) {
    for (Listing& listing : listings_) {
      if (listing.kind == kind) return listing;
    }
    listings_.push_back({kind, {}});
    return listings_.back();
  }

  absl::Status List() {
    const size_t first_file = targets_.size() - from_files_.size();
    for (size_t i = 0; i < targets_.size(); ++i) {
      const Target& target = targets_[i];
      if (target.name.empty()) {
        CRISP_ASSIGN_OR_RETURN(ObjectList list, session_.agent().List(SelectionOf(target)));
        Listing& listing = ListingOf(target.kind);
        for (Json& object : list.objects) listing.objects.push_back(std::move(object));
        continue;
      }
      const auto object = session_.agent().Get(i >= first_file ? from_files_[i - first_file]
                                                               : RefOf(target, flags_.ns));
      if (object.ok()) {
        ListingOf(target.kind).objects.push_back(*object);
      } else if (!absl::IsNotFound(object.status()) || !FromServer(object.status())) {
        return object.status();
      } else if (!flags_.ignore_not_found) {
        // The others are shown all the same.
        session_.Report(object.status());
      }
    }
    for (Listing& listing : listings_) Sort(&listing.objects);
    return absl::OkStatus();
  }

  void Sort(std::vector<Json>* objects) const {
    if (!sort_path_.has_value()) return;
    const auto key = [this](const Json& object) {
      const std::vector<const Json*> found = sort_path_->Find(object);
      return found.empty() ? Json() : *found[0];
    };
    std::stable_sort(objects->begin(), objects->end(),
                     [&](const Json& a, const Json& b) { return key(a) < key(b); });
  }

  void Print() {
    std::vector<Json> all;
    for (const Listing& listing : listings_) {
      all.insert(all.end(), listing.objects.begin(), listing.objects.end());
    }
    const bool named = std::any_of(targets_.begin(), targets_.end(),
                                   [](const Target& target) { return !target.name.empty(); });
    if (!format_.IsTable()) {
      const bool single = targets_.size() == 1 && named;
      // All that was asked for by name is missing: nothing but the errors.
      if (all.empty() && named) return;
      session_.out << FormatObjects(format_, all, single, !flags_.no_headers);
      return;
    }
    if (all.empty()) {
      if (named) return;
      session_.err << "No resources found"
                   << (flags_.all_namespaces || !targets_[0].kind->namespaced
                           ? ""
                           : absl::StrCat(" in ", Session::NamespaceOr(flags_.ns), " namespace."))
                   << std::endl;
      return;
    }
    size_t shown = 0;
    for (const Listing& listing : listings_) shown += listing.objects.empty() ? 0 : 1;
    table_.with_kind = flags_.show_kind || shown > 1;
    table_.now = session_.clock->Now();
    bool first = true;
    for (const Listing& listing : listings_) {
      if (listing.objects.empty()) continue;
      if (!first) session_.out << "\n";
      first = false;
      std::vector<Row> rows;
      if (!flags_.no_headers) rows.push_back(TableHead(*listing.kind, table_));
      for (const Json& object : listing.objects) {
        rows.push_back(TableRow(*listing.kind, object, table_));
      }
      session_.out << FormatTable(rows);
    }
  }

  absl::Status Watch() {
    if (targets_.size() != 1) {
      return absl::InvalidArgumentError("you may only specify a single resource to watch");
    }
    const Target& target = targets_[0];
    Selection selection = SelectionOf(target);
    if (!from_files_.empty()) selection.ns = from_files_[0].ns;
    if (!target.name.empty() && !flags_.watch_only) {
      // A name that does not exist is an error, as it is without -w.
      CRISP_RETURN_IF_ERROR(
          session_.agent().Get({selection.kind, selection.ns, selection.name}).status());
    }
    const auto watch = session_.agent().Watch(selection, flags_.watch_only);
    std::vector<Json> first;
    bool synced = false, head = !flags_.no_headers;
    TableWriter writer;
    const auto show = [&](const std::vector<Json>& objects) {
      if (objects.empty()) return;
      if (!format_.IsTable()) {
        for (const Json& object : objects) {
          session_.out << FormatObjects(format_, {object}, true, head);
          head = false;
        }
      } else {
        std::vector<Row> rows;
        table_.now = session_.clock->Now();
        if (head) rows.push_back(TableHead(*target.kind, table_));
        head = false;
        for (const Json& object : objects) rows.push_back(TableRow(*target.kind, object, table_));
        session_.out << writer.Format(rows);
      }
      session_.out.flush();
    };
    while (session_.out) {
      CRISP_ASSIGN_OR_RETURN(WatchEvent event, watch->Next());
      if (event.type == WatchEvent::Type::kSynced) {
        Sort(&first);
        show(first);
        synced = true;
      } else if (!synced) {
        first.push_back(std::move(event.object));
      } else {
        show({event.object});
      }
    }
    return absl::OkStatus();
  }

  const Flags& flags_;
  Session& session_;
  OutputFormat format_;
  TableOptions table_;
  std::optional<JsonPath> sort_path_;
  std::vector<Target> targets_;
  std::vector<ObjectRef> from_files_;  // Of the last targets.
  std::vector<Listing> listings_;
};

}  // namespace

void AddGet(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("get", "Show objects");
  verb.Words("TYPE[,TYPE] [NAME...]|TYPE/NAME...", &flags->words,
             "Kinds, then names; \"all\" is every workload");
  verb.Option("-f,--filename", &flags->files, "The objects of this manifest", "FILE|DIR|-");
  verb.Switch("-R,--recursive", &flags->recursive, "Directories of -f with what is below them");
  verb.Option("-o,--output", &flags->output,
              "wide, yaml, json, name, jsonpath=TEMPLATE or custom-columns=HEAD:.path,...",
              "FORMAT");
  verb.Option("-l,--selector", &flags->selector, "Only objects with these labels", "SELECTOR");
  verb.Option("--field-selector", &flags->field_selector,
              "Only objects with these fields, such as status.phase=Running", "SELECTOR");
  verb.Switch("-A,--all-namespaces", &flags->all_namespaces, "In every namespace");
  verb.Switch("-w,--watch", &flags->watch, "Show changes as they happen, after what is there");
  verb.Switch("--watch-only", &flags->watch_only, "Show changes alone");
  verb.Switch("--show-labels", &flags->show_labels, "Labels as the last column");
  verb.Switch("--show-kind", &flags->show_kind, "TYPE/NAME in the column NAME");
  verb.Switch("--no-headers", &flags->no_headers, "Leave out the table's head");
  verb.Switch("--ignore-not-found", &flags->ignore_not_found, "A name that is missing is no error");
  verb.Option("--sort-by", &flags->sort_by, "Order by a field, such as .status.startTime", "PATH");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Examples:
  crisp get pods
  crisp get pods -A -o wide
  crisp get pods -l 'app=web,tier notin (db)' -w
  crisp get deploy,rs,pods
  crisp get pod/web deployment/shop -o yaml
  crisp get configmap tomcat-server-config -o jsonpath='{.data.server\.xml}'
  crisp get pods -o custom-columns=NAME:.metadata.name,IP:.status.podIP
  crisp get events --field-selector involvedObject.name=web)");
  verb.Runs([flags](Session& session) { return Get(*flags, session).Run(); });
}

}  // namespace crisp::cli
