#include "agent/service/selection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/objects/kinds.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

// A scalar as a selector writes it.
std::string Written(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : ToText(value);
}

bool HappenedBefore(const ObjectPtr& a, const ObjectPtr& b) {
  return TextAt(*a, "lastTimestamp") < TextAt(*b, "lastTimestamp");
}

}  // namespace

absl::StatusOr<FieldSelector> FieldSelector::Parse(absl::string_view text) {
  FieldSelector out;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    part = absl::StripAsciiWhitespace(part);
    const size_t at = part.find('=');
    if (at == absl::string_view::npos || at == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid selector: \"", absl::Utf8SafeCEscape(part),
                       "\"; can't understand it: path=value or path!=value"));
    }
    absl::string_view path = part.substr(0, at);
    absl::string_view value = part.substr(at + 1);
    Requirement requirement;
    requirement.equal = !absl::ConsumeSuffix(&path, "!");
    if (requirement.equal) absl::ConsumePrefix(&value, "=");
    requirement.path = std::string(path);
    requirement.value = std::string(value);
    out.requirements_.push_back(std::move(requirement));
  }
  return out;
}

bool FieldSelector::Matches(const Json& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& one) {
    return (Written(At(object, one.path)) == one.value) == one.equal;
  });
}

absl::StatusOr<ObjectSelection> ObjectSelection::Read(
    const crisp::agent::v1::Selection& selection) {
  ObjectSelection out;
  CRISP_ASSIGN_OR_RETURN(const KindInfo* kind, FindKind(selection.kind()));
  out.kind_ = kind->kind;
  if (kind->namespaced) out.ns_ = selection.namespace_();
  out.name_ = selection.name();
  CRISP_ASSIGN_OR_RETURN(out.labels_, Selector::Parse(selection.label_selector()));
  CRISP_ASSIGN_OR_RETURN(out.fields_, FieldSelector::Parse(selection.field_selector()));
  return out;
}

bool ObjectSelection::Matches(const Json& object) const {
  const ObjectKey key = KeyOf(object);
  return key.kind == kind_ && (ns_.empty() || key.ns == ns_) &&
         (name_.empty() || key.name == name_) && labels_.Matches(object) && fields_.Matches(object);
}

std::vector<ObjectPtr> ObjectSelection::Find(const ObjectStore& store) const {
  std::vector<ObjectPtr> found = store.List(kind_, ns_);
  found.erase(std::remove_if(found.begin(), found.end(),
                             [this](const ObjectPtr& object) { return !Matches(*object); }),
              found.end());
  if (kind_ == "Event") std::stable_sort(found.begin(), found.end(), HappenedBefore);
  return found;
}

}  // namespace crisp::agent
