#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "agent/commands/commands.h"
#include "agent/commands/manifests.h"
#include "agent/commands/readiness.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/output/fields.h"
#include "agent/output/json_path.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

struct Flags {
  std::vector<std::string> words, files;
  std::string ns, condition, selector, timeout = "30s";
  bool all = false, all_namespaces = false, recursive = false;
};

// --for.
struct Condition {
  enum class Kind { kDelete, kCreate, kCondition, kJsonPath };
  Kind kind = Kind::kCondition;
  std::string type, value = "True";
  std::optional<JsonPath> path;
  std::optional<std::string> wanted;  // Of the path; none: that it is there.

  static absl::StatusOr<Condition> Parse(absl::string_view text) {
    Condition out;
    if (text == "delete" || text == "create") {
      out.kind = text == "delete" ? Kind::kDelete : Kind::kCreate;
      return out;
    }
    if (absl::ConsumePrefix(&text, "condition=")) {
      const size_t at = text.find('=');
      out.type = std::string(text.substr(0, at));
      if (at != absl::string_view::npos) out.value = std::string(text.substr(at + 1));
      return out;
    }
    if (absl::ConsumePrefix(&text, "jsonpath=")) {
      out.kind = Kind::kJsonPath;
      absl::ConsumePrefix(&text, "'");
      absl::ConsumeSuffix(&text, "'");
      const size_t close = text.rfind('}');
      // A = inside of the braces is of a filter.
      const size_t at = text.find('=', close == absl::string_view::npos ? 0 : close);
      CRISP_ASSIGN_OR_RETURN(out.path, JsonPath::Parse(text.substr(0, at)));
      if (at != absl::string_view::npos) {
        absl::string_view wanted = text.substr(at + 1);
        if (absl::ConsumePrefix(&wanted, "\"")) absl::ConsumeSuffix(&wanted, "\"");
        out.wanted = std::string(wanted);
      }
      return out;
    }
    return absl::InvalidArgumentError(absl::StrCat("unrecognized condition: \"", text,
                                                   "\"; it is delete, create, condition=TYPE or "
                                                   "jsonpath='{.path}'=VALUE"));
  }

  bool Met(const Json& object) const {
    switch (kind) {
      case Kind::kDelete:
        return object.is_null();
      case Kind::kCreate:
        return !object.is_null();
      case Kind::kCondition:
        for (const Json& each : Items(object, "status.conditions")) {
          if (absl::EqualsIgnoreCase(Text(each, "type"), type) &&
              absl::EqualsIgnoreCase(Text(each, "status"), value)) {
            return true;
          }
        }
        return false;
      case Kind::kJsonPath: {
        const std::vector<const Json*> found = path->Find(object);
        if (!wanted.has_value()) return !found.empty();
        return std::any_of(found.begin(), found.end(),
                           [this](const Json* each) { return AnyText(*each) == *wanted; });
      }
    }
    return false;
  }
};

absl::StatusOr<std::vector<ObjectRef>> FindTargets(const Flags& flags, Session& session) {
  std::vector<ObjectRef> refs;
  if (!flags.files.empty()) {
    CRISP_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                           LoadManifests(flags.files, flags.recursive, session.in));
    for (Manifest& manifest : manifests) {
      CRISP_RETURN_IF_ERROR(FillNamespace(flags.ns, &manifest.object));
      refs.push_back(RefOf(manifest.object));
    }
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(flags.words));
  for (const Target& target : targets) {
    if (!target.name.empty()) {
      refs.push_back(RefOf(target, flags.ns));
      continue;
    }
    if (!flags.all && flags.selector.empty()) {
      return absl::InvalidArgumentError(
          "resource name(s), --all or a selector (-l) must be specified");
    }
    Selection selection = {.kind = target.kind->kind, .labels = flags.selector};
    if (target.kind->namespaced && !flags.all_namespaces) {
      selection.ns = Session::NamespaceOr(flags.ns);
    }
    CRISP_ASSIGN_OR_RETURN(const ObjectList list, session.agent().List(selection));
    for (const Json& object : list.objects) refs.push_back(RefOf(object));
  }
  return refs;
}

absl::Status Run(const Flags& flags, Session& session) {
  CRISP_ASSIGN_OR_RETURN(const Condition condition, Condition::Parse(flags.condition));
  CRISP_ASSIGN_OR_RETURN(absl::Duration timeout, ParseTimeout("--timeout", flags.timeout));
  if (timeout < absl::ZeroDuration()) timeout = absl::Hours(24 * 7);  // kubectl's meaning.
  CRISP_ASSIGN_OR_RETURN(const std::vector<ObjectRef> refs, FindTargets(flags, session));
  if (refs.empty()) {
    if (condition.kind == Condition::Kind::kDelete) return absl::OkStatus();
    return absl::NotFoundError("no matching resources found");
  }
  const absl::Duration give_up = session.clock->Steady() + timeout;
  for (const ObjectRef& ref : refs) {
    const std::string shown = absl::StrCat(KindOfObject(ref.kind)->Qualified(), "/", ref.name);
    const bool may_be_missing =
        condition.kind == Condition::Kind::kDelete || condition.kind == Condition::Kind::kCreate;
    if (!may_be_missing) CRISP_RETURN_IF_ERROR(session.agent().Get(ref).status());
    const PodProgress progress(session, ref.ns);
    const absl::Duration left = std::max(absl::ZeroDuration(), give_up - session.clock->Steady());
    const absl::Status met =
        WatchUntil(session, ref, left, [&](const Json& object) -> absl::StatusOr<bool> {
          if (object.is_null() && !may_be_missing) {
            return absl::NotFoundError(absl::StrCat(shown, " was deleted while waiting"));
          }
          return condition.Met(object);
        });
    if (absl::IsDeadlineExceeded(met)) {
      return absl::DeadlineExceededError(absl::StrCat("timed out waiting for the condition on ",
                                                      KindOfObject(ref.kind)->plural, "/",
                                                      ref.name));
    }
    CRISP_RETURN_IF_ERROR(met);
    session.out << shown << " condition met\n" << std::flush;
  }
  return absl::OkStatus();
}

}  // namespace

void AddWait(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("wait", "Wait until objects are as they should be");
  verb.Words("TYPE [NAME...]|TYPE/NAME...", &flags->words, "Objects");
  verb.Option("--for", &flags->condition,
              "delete, create, condition=TYPE[=VALUE] or jsonpath='{.path}'=VALUE", "CONDITION")
      .Required();
  verb.Option("--timeout", &flags->timeout, "The longest to wait (30s); 0s: look once", "DURATION");
  verb.Option("-f,--filename", &flags->files, "The objects of this manifest", "FILE|DIR|-");
  verb.Switch("-R,--recursive", &flags->recursive, "Directories of -f with what is below them");
  verb.Option("-l,--selector", &flags->selector, "Objects with these labels", "SELECTOR");
  verb.Switch("--all", &flags->all, "Every object of the type in the namespace");
  verb.Switch("-A,--all-namespaces", &flags->all_namespaces, "With --all or -l: everywhere");
  verb.Namespace(&flags->ns);
  verb.Notes(R"(Examples:
  crisp wait pod/web --for=condition=Ready --timeout=1m
  crisp wait --for=delete pod/web
  crisp wait job/import --for=condition=Complete
  crisp wait pods -l app=web --for=jsonpath='{.status.phase}'=Running)");
  verb.Runs([flags](Session& session) { return Run(*flags, session); });
}

}  // namespace crisp::cli
