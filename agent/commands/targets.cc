#include "agent/commands/targets.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/output/fields.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

absl::Status CheckName(const std::string& name) {
  if (!name.empty() && !absl::StrContains(name, '/') && name.size() <= 253) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::Utf8SafeCEscape(name), "\" is not the name of an object"));
}

absl::StatusOr<std::vector<const KindInfo*>> ParseKinds(const std::string& word) {
  std::vector<const KindInfo*> kinds;
  for (const absl::string_view part : absl::StrSplit(word, ',', absl::SkipEmpty())) {
    if (part == "all") {
      for (const KindInfo& info : AllKinds()) {
        if (info.in_all) kinds.push_back(&info);
      }
      continue;
    }
    CRISP_ASSIGN_OR_RETURN(const KindInfo* kind, ParseKind(part));
    kinds.push_back(kind);
  }
  return kinds;
}

absl::StatusOr<Target> ParseSlashed(const std::string& word) {
  const size_t slash = word.find('/');
  CRISP_ASSIGN_OR_RETURN(const KindInfo* kind, ParseKind(word.substr(0, slash)));
  Target target = {kind, word.substr(slash + 1)};
  CRISP_RETURN_IF_ERROR(CheckName(target.name));
  return target;
}

}  // namespace

absl::StatusOr<std::vector<Target>> ParseTargets(const std::vector<std::string>& words) {
  std::vector<Target> targets;
  const bool slashed = !words.empty() && absl::StrContains(words[0], '/');
  for (const std::string& word : words) {
    if (slashed != absl::StrContains(word, '/')) {
      return absl::InvalidArgumentError(
          "there is no need to specify a resource type as a separate argument when passing "
          "arguments in resource/name form (e.g. 'crisp get pod/<name>' instead of 'crisp get "
          "pod pod/<name>')");
    }
    if (!slashed) continue;
    CRISP_ASSIGN_OR_RETURN(const Target target, ParseSlashed(word));
    targets.push_back(target);
  }
  if (slashed || words.empty()) return targets;
  CRISP_ASSIGN_OR_RETURN(const auto kinds, ParseKinds(words[0]));
  for (const KindInfo* kind : kinds) {
    if (words.size() == 1) targets.push_back({kind, ""});
    for (size_t i = 1; i < words.size(); ++i) {
      CRISP_RETURN_IF_ERROR(CheckName(words[i]));
      targets.push_back({kind, words[i]});
    }
  }
  return targets;
}

absl::StatusOr<Target> ParseTarget(const std::vector<std::string>& words,
                                   const KindInfo* otherwise) {
  if (words.size() == 1 && otherwise != nullptr && !absl::StrContains(words[0], '/')) {
    CRISP_RETURN_IF_ERROR(CheckName(words[0]));
    return Target{otherwise, words[0]};
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(words));
  if (targets.size() != 1 || targets[0].name.empty()) {
    return absl::InvalidArgumentError("name one object: TYPE/NAME or TYPE NAME");
  }
  return targets[0];
}

ObjectRef RefOf(const Target& target, const std::string& ns) {
  return {target.kind->kind, target.kind->namespaced ? Session::NamespaceOr(ns) : "", target.name};
}

ObjectRef RefOf(const Json& object) {
  return {Text(object, "kind"), Namespace(object), Name(object)};
}

std::string ShownName(const Json& object) {
  const std::string kind = Text(object, "kind");
  const KindInfo* info = KindOfObject(kind);
  return absl::StrCat(info == nullptr ? kind : info->Qualified(), "/", Name(object));
}

absl::StatusOr<std::string> PickPod(Session& session, const std::string& ns,
                                    const std::string& word) {
  CRISP_ASSIGN_OR_RETURN(const Target target, ParseTarget({word}, FindKind("pod")));
  if (std::string(target.kind->kind) == "Pod") return target.name;
  CRISP_ASSIGN_OR_RETURN(const Json owner, session.agent().Get(RefOf(target, ns)));
  const Json& selector = Field(owner, "spec.selector");
  if (!selector.is_object() || selector.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot attach to ", word, ": it has no pods of its own"));
  }
  CRISP_ASSIGN_OR_RETURN(
      const ObjectList pods,
      session.agent().List(
          {.kind = "Pod", .ns = Session::NamespaceOr(ns), .labels = SelectorText(selector)}));
  const auto rank = [](const Json& pod) {
    if (ConditionStatus(pod, "Ready") == "True") return 0;
    return Text(pod, "status.phase") == "Running" ? 1 : 2;
  };
  const auto best =
      std::min_element(pods.objects.begin(), pods.objects.end(),
                       [&](const Json& a, const Json& b) { return rank(a) < rank(b); });
  if (best == pods.objects.end()) {
    return absl::NotFoundError(absl::StrCat(word, " has no pods"));
  }
  return Name(*best);
}

absl::StatusOr<ResolvedPod> PickContainer(Session& session, const std::string& ns,
                                          const std::string& pod, const std::string& container) {
  CRISP_ASSIGN_OR_RETURN(ResolvedPod resolved,
                         session.agent().ResolvePod(Session::NamespaceOr(ns), pod, container));
  if (container.empty() && resolved.containers.size() > 1) {
    const std::string all = absl::StrJoin(
        resolved.containers, ", ", [](std::string* out, const ResolvedContainer& each) {
          absl::StrAppend(out, each.name, each.init ? " (init)" : "");
        });
    session.err << "Defaulted container \"" << resolved.container.name << "\" out of: " << all
                << std::endl;
  }
  return resolved;
}

absl::StatusOr<absl::Duration> ParseTimeout(const std::string& flag, const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(absl::StrCat("invalid argument \"", text, "\" for \"", flag,
                                                   "\" flag: not a duration such as 30s, 5m or "
                                                   "1h30m"));
  }
  return duration;
}

}  // namespace crisp::cli
