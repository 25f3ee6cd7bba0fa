#include "agent/output/json_path.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace crisp::cli {

struct JsonPath::Step {
  enum class Kind { kField, kAll, kRecursive, kSlice, kFilter };
  Kind kind = Kind::kField;
  std::vector<std::string> names;   // kField: one, or a union ['a','b'].
  std::optional<int64_t> from, to;  // kSlice: [from:to].
  int64_t stride = 1;
  // kFilter: left op right; without op, left exists.
  std::shared_ptr<JsonPath> left, right;
  Json literal;
  std::string op;
};

namespace {

using Step = JsonPath::Step;

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("error parsing jsonpath ", absl::Utf8SafeCEscape(text), ": ", why));
}

void Descend(const Json& value, std::vector<const Json*>* out) {
  out->push_back(&value);
  if (!value.is_structured()) return;
  for (const Json& inner : value) Descend(inner, out);
}

bool Compare(const Json& left, const std::string& op, const Json& right) {
  if (op == "==") return left == right || AnyText(left) == AnyText(right);
  if (op == "!=") return !Compare(left, "==", right);
  const bool numbers = left.is_number() && right.is_number();
  if (!numbers && !(left.is_string() && right.is_string())) return false;
  if (op == "<") return left < right;
  if (op == ">") return left > right;
  if (op == "<=") return left <= right;
  return left >= right;
}

void Slice(const Step& step, const Json& list, std::vector<const Json*>* out) {
  const auto size = static_cast<int64_t>(list.size());
  const auto at = [size](int64_t index) { return index < 0 ? index + size : index; };
  const int64_t from = std::max<int64_t>(0, at(step.from.value_or(0)));
  const int64_t to = std::min(size, step.to.has_value() ? at(*step.to) : size);
  for (int64_t i = from; i < to; i += step.stride) out->push_back(&list[static_cast<size_t>(i)]);
}

void Apply(const Step& step, const Json& value, std::vector<const Json*>* out) {
  switch (step.kind) {
    case Step::Kind::kField:
      for (const std::string& name : step.names) {
        if (!value.is_object()) continue;
        if (const auto found = value.find(name); found != value.end()) out->push_back(&*found);
      }
      break;
    case Step::Kind::kAll:
      if (!value.is_structured()) break;
      for (const Json& inner : value) out->push_back(&inner);
      break;
    case Step::Kind::kRecursive:
      Descend(value, out);
      break;
    case Step::Kind::kSlice:
      if (value.is_array()) Slice(step, value, out);
      break;
    case Step::Kind::kFilter:
      if (!value.is_structured()) break;
      for (const Json& item : value) {
        const std::vector<const Json*> left = step.left->Find(item);
        if (left.empty()) continue;
        if (step.op.empty()) {
          out->push_back(&item);
          continue;
        }
        const std::vector<const Json*> right = step.right == nullptr
                                                   ? std::vector<const Json*>{&step.literal}
                                                   : step.right->Find(item);
        if (!right.empty() && Compare(*left[0], step.op, *right[0])) out->push_back(&item);
      }
      break;
  }
}

// What is compared with in a filter: 'text', "text", 12, true, or a path.
absl::Status ParseOperand(absl::string_view text, Step* step) {
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0]) {
    step->literal = std::string(text.substr(1, text.size() - 2));
    return absl::OkStatus();
  }
  if (absl::StartsWith(text, "@") || absl::StartsWith(text, "$")) {
    CRISP_ASSIGN_OR_RETURN(JsonPath path, JsonPath::Parse(text));
    step->right = std::make_shared<JsonPath>(std::move(path));
    return absl::OkStatus();
  }
  const Json literal = Json::parse(std::string(text), nullptr, false);
  if (!literal.is_primitive() || literal.is_discarded()) {
    return Bad(text, "a filter compares with a text in quotes, a number, true, false or a path");
  }
  step->literal = literal;
  return absl::OkStatus();
}

absl::StatusOr<Step> ParseFilter(absl::string_view text) {
  Step step;
  step.kind = Step::Kind::kFilter;
  text = absl::StripAsciiWhitespace(text);
  size_t at = absl::string_view::npos;
  char quote = '\0';
  for (size_t i = 0; i < text.size() && at == absl::string_view::npos; ++i) {
    if (quote != '\0') {
      if (text[i] == quote) quote = '\0';
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (absl::string_view("=!<>").find(text[i]) != absl::string_view::npos) {
      at = i;
    }
  }
  const absl::string_view left = absl::StripAsciiWhitespace(text.substr(0, at));
  if (!absl::StartsWith(left, "@")) return Bad(text, "a filter begins with @");
  CRISP_ASSIGN_OR_RETURN(JsonPath path, JsonPath::Parse(left));
  step.left = std::make_shared<JsonPath>(std::move(path));
  if (at == absl::string_view::npos) return step;
  absl::string_view rest = text.substr(at);
  for (const char* op : {"==", "!=", "<=", ">=", "<", ">"}) {
    if (absl::ConsumePrefix(&rest, op)) {
      step.op = op;
      break;
    }
  }
  if (step.op.empty()) return Bad(text, "unknown operator");
  CRISP_RETURN_IF_ERROR(ParseOperand(absl::StripAsciiWhitespace(rest), &step));
  return step;
}

// What stands between [ and ].
absl::StatusOr<Step> ParseBrackets(absl::string_view text) {
  Step step;
  text = absl::StripAsciiWhitespace(text);
  if (text == "*") {
    step.kind = Step::Kind::kAll;
    return step;
  }
  if (absl::ConsumePrefix(&text, "?(")) {
    if (!absl::ConsumeSuffix(&text, ")")) return Bad(text, "a filter ends with )");
    return ParseFilter(text);
  }
  if (!text.empty() && (text[0] == '\'' || text[0] == '"')) {
    for (absl::string_view name : absl::StrSplit(text, ',')) {
      name = absl::StripAsciiWhitespace(name);
      if (name.size() < 2 || name.back() != name[0]) return Bad(text, "a quote is not closed");
      step.names.emplace_back(name.substr(1, name.size() - 2));
    }
    return step;
  }
  step.kind = Step::Kind::kSlice;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  std::vector<std::optional<int64_t>> numbers;
  for (const absl::string_view part : parts) {
    int64_t number = 0;
    if (part.empty() && parts.size() > 1) {
      numbers.emplace_back();
    } else if (absl::SimpleAtoi(part, &number)) {
      numbers.emplace_back(number);
    } else {
      return Bad(text, "expected an index, a slice, * or ?(filter)");
    }
  }
  if (numbers.size() > 3) return Bad(text, "a slice is [from:to:step]");
  step.from = numbers[0];
  if (numbers.size() == 1) {
    // [-1] is the last: the end of its slice is open.
    if (*numbers[0] != -1) step.to = *numbers[0] + 1;
  } else {
    step.to = numbers[1];
    if (numbers.size() == 3) step.stride = numbers[2].value_or(1);
    if (step.stride < 1) return Bad(text, "the step of a slice is 1 or more");
  }
  return step;
}

// Where the bracket that opened before `at` closes, quotes and brackets inside skipped.
size_t CloseBracket(absl::string_view text, size_t at) {
  int depth = 1;
  char quote = '\0';
  for (; at < text.size(); ++at) {
    if (quote != '\0') {
      if (text[at] == quote) quote = '\0';
    } else if (text[at] == '\'' || text[at] == '"') {
      quote = text[at];
    } else if (text[at] == '[') {
      ++depth;
    } else if (text[at] == ']' && --depth == 0) {
      return at;
    }
  }
  return absl::string_view::npos;
}

}  // namespace

absl::StatusOr<JsonPath> JsonPath::Parse(absl::string_view text) {
  const absl::string_view whole = text;
  text = absl::StripAsciiWhitespace(text);
  if (absl::ConsumePrefix(&text, "{") && !absl::ConsumeSuffix(&text, "}")) {
    return Bad(whole, "unclosed action");
  }
  JsonPath path;
  const auto add = [&path](Step step) {
    path.steps_.push_back(std::make_shared<const Step>(std::move(step)));
  };
  if (!absl::ConsumePrefix(&text, "$")) absl::ConsumePrefix(&text, "@");
  while (!text.empty()) {
    if (absl::ConsumePrefix(&text, "..")) {
      add({.kind = Step::Kind::kRecursive});
    } else if (absl::ConsumePrefix(&text, "[")) {
      const size_t end = CloseBracket(text, 0);
      if (end == absl::string_view::npos) return Bad(whole, "a [ is not closed");
      CRISP_ASSIGN_OR_RETURN(Step step, ParseBrackets(text.substr(0, end)));
      add(std::move(step));
      text.remove_prefix(end + 1);
      continue;
    } else {
      absl::ConsumePrefix(&text, ".");
    }
    if (text.empty() || text[0] == '[') continue;
    std::string name;
    size_t i = 0;
    for (; i < text.size() && text[i] != '.' && text[i] != '['; ++i) {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      name += text[i];
    }
    text.remove_prefix(i);
    if (name.empty()) return Bad(whole, "a name is missing");
    if (name == "*") {
      add({.kind = Step::Kind::kAll});
    } else {
      add({.kind = Step::Kind::kField, .names = {name}});
    }
  }
  return path;
}

std::vector<const Json*> JsonPath::Find(const Json& value) const {
  std::vector<const Json*> at = {&value};
  for (const auto& step : steps_) {
    std::vector<const Json*> next;
    for (const Json* each : at) Apply(*step, *each, &next);
    at = std::move(next);
  }
  return at;
}

struct JsonPathTemplate::Node {
  std::string text;  // Printed as it is, if there is no path.
  std::optional<JsonPath> path;
  bool range = false;  // `inner` for each that `path` leads to.
  std::vector<std::shared_ptr<const Node>> inner;
};

namespace {

using Node = JsonPathTemplate::Node;
using Nodes = std::vector<std::shared_ptr<const Node>>;

// Where the action that begins before `at` ends: the } outside of quotes.
size_t CloseBrace(absl::string_view text, size_t at) {
  char quote = '\0';
  for (; at < text.size(); ++at) {
    if (quote != '\0') {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == quote) {
        quote = '\0';
      }
    } else if (text[at] == '\'' || text[at] == '"') {
      quote = text[at];
    } else if (text[at] == '}') {
      return at;
    }
  }
  return absl::string_view::npos;
}

// Reads until {end} (if `inside` a range) or the end of the text.
absl::StatusOr<Nodes> ParseNodes(absl::string_view whole, absl::string_view* text, int depth) {
  constexpr int kMaxDepth = 16;
  if (depth > kMaxDepth) return Bad(whole, "ranges are nested too deep");
  Nodes nodes;
  while (!text->empty()) {
    const size_t open = text->find('{');
    Node node;
    if (open != 0) {
      node.text = std::string(text->substr(0, open));
      text->remove_prefix(node.text.size());
      nodes.push_back(std::make_shared<const Node>(std::move(node)));
      continue;
    }
    const size_t close = CloseBrace(*text, 1);
    if (close == absl::string_view::npos) return Bad(whole, "unclosed action");
    absl::string_view action = absl::StripAsciiWhitespace(text->substr(1, close - 1));
    text->remove_prefix(close + 1);
    if (action == "end") {
      if (depth == 0) return Bad(whole, "not in range, nothing to end");
      return nodes;
    }
    if (absl::ConsumePrefix(&action, "range ")) {
      node.range = true;
      CRISP_ASSIGN_OR_RETURN(node.path, JsonPath::Parse(action));
      CRISP_ASSIGN_OR_RETURN(node.inner, ParseNodes(whole, text, depth + 1));
    } else if (action.size() >= 2 && (action[0] == '"' || action[0] == '\'') &&
               action.back() == action[0]) {
      std::string error;
      if (!absl::CUnescape(action.substr(1, action.size() - 2), &node.text, &error)) {
        return Bad(whole, error);
      }
    } else {
      CRISP_ASSIGN_OR_RETURN(node.path, JsonPath::Parse(action));
    }
    nodes.push_back(std::make_shared<const Node>(std::move(node)));
  }
  if (depth > 0) return Bad(whole, "unexpected end: {end} is missing");
  return nodes;
}

void RenderNodes(const Nodes& nodes, const Json& value, std::string* out) {
  for (const auto& node : nodes) {
    if (!node->path.has_value()) {
      *out += node->text;
      continue;
    }
    const std::vector<const Json*> found = node->path->Find(value);
    if (node->range) {
      for (const Json* each : found) RenderNodes(node->inner, *each, out);
    } else {
      absl::StrAppend(out, absl::StrJoin(found, " ", [](std::string* to, const Json* each) {
                        to->append(AnyText(*each));
                      }));
    }
  }
}

}  // namespace

absl::StatusOr<JsonPathTemplate> JsonPathTemplate::Parse(absl::string_view text) {
  JsonPathTemplate out;
  // A bare path is taken for one action.
  const std::string braced =
      absl::StrContains(text, "{") ? std::string(text) : absl::StrCat("{", text, "}");
  absl::string_view rest = braced;
  CRISP_ASSIGN_OR_RETURN(out.nodes_, ParseNodes(braced, &rest, 0));
  return out;
}

std::string JsonPathTemplate::Render(const Json& value) const {
  std::string out;
  RenderNodes(nodes_, value, &out);
  return out;
}

}  // namespace crisp::cli
