// The text form of a selector, as kubectl takes it.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/objects/selector.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

bool IsLabelText(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.' && c != '/') return false;
  }
  return true;
}

// Commas inside parentheses belong to a set.
std::vector<absl::string_view> SplitRequirements(absl::string_view text) {
  std::vector<absl::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(absl::StripAsciiWhitespace(text.substr(begin, i - begin)));
      begin = i + 1;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')') {
      --depth;
    }
  }
  return parts;
}

}  // namespace

absl::StatusOr<Requirement> Selector::ParseOne(absl::string_view text) {
  Requirement out;
  absl::string_view key = text;
  absl::string_view values;
  if (const size_t open = text.find('('); open != absl::string_view::npos) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(text.substr(0, open), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    values = text.substr(open + 1);
    if (words.size() == 2 && (words[1] == "in" || words[1] == "notin") &&
        absl::ConsumeSuffix(&values, ")")) {
      key = words[0];
      out.op = words[1] == "in" ? Requirement::Op::kIn : Requirement::Op::kNotIn;
      for (const absl::string_view value : absl::StrSplit(values, ',')) {
        out.values.emplace(absl::StripAsciiWhitespace(value));
      }
    } else {
      key = "";
    }
  } else if (const size_t at = text.find('='); at != absl::string_view::npos) {
    key = text.substr(0, at);
    values = text.substr(at + 1);
    out.op = absl::ConsumeSuffix(&key, "!") ? Requirement::Op::kNotIn : Requirement::Op::kIn;
    if (out.op == Requirement::Op::kIn) absl::ConsumePrefix(&values, "=");
    out.values.emplace(absl::StripAsciiWhitespace(values));
  } else {
    out.op =
        absl::ConsumePrefix(&key, "!") ? Requirement::Op::kDoesNotExist : Requirement::Op::kExists;
  }
  out.key = std::string(absl::StripAsciiWhitespace(key));
  bool good = !out.key.empty() && IsLabelText(out.key);
  for (const std::string& value : out.values) good = good && IsLabelText(value);
  if (!good) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::Utf8SafeCEscape(text),
                                                   "\" is not a label selector; examples: "
                                                   "app=web, tier!=db, env in (a,b), gpu, !old"));
  }
  return out;
}

absl::StatusOr<Selector> Selector::Parse(absl::string_view text) {
  Selector selector;
  if (absl::StripAsciiWhitespace(text).empty()) return selector;
  for (const absl::string_view part : SplitRequirements(text)) {
    CRISP_ASSIGN_OR_RETURN(Requirement requirement, ParseOne(part));
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

}  // namespace crisp::agent
