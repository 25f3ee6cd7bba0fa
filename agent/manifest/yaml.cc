#include "agent/manifest/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

using nlohmann::json;

constexpr char kTagPrefix[] = "tag:yaml.org,2002:";

bool IsOneOf(absl::string_view text, std::initializer_list<absl::string_view> words) {
  for (const absl::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

bool ParseInteger(absl::string_view text, json* out) {
  absl::string_view digits = text;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  if (!negative) absl::ConsumePrefix(&digits, "+");
  int base = 10;
  if (absl::ConsumePrefix(&digits, "0x") || absl::ConsumePrefix(&digits, "0X")) {
    base = 16;
  } else if (absl::ConsumePrefix(&digits, "0o")) {
    base = 8;
  } else if (absl::ConsumePrefix(&digits, "0b")) {
    base = 2;
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  if (digits.empty() || digits[0] == '_') return false;
  uint64_t value = 0;
  for (const char c : digits) {
    if (c == '_') continue;
    int digit = 99;
    if (absl::ascii_isdigit(c)) digit = c - '0';
    if (absl::ascii_isalpha(c)) digit = absl::ascii_tolower(c) - 'a' + 10;
    if (digit >= base) return false;
    if (__builtin_mul_overflow(value, static_cast<uint64_t>(base), &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(digit), &value)) {
      return false;  // Too large: becomes a float, as in kubectl.
    }
  }
  if (negative) {
    if (value > uint64_t{1} << 63) return false;
    *out = static_cast<int64_t>(-value);
  } else if (value > static_cast<uint64_t>(INT64_MAX)) {
    *out = value;
  } else {
    *out = static_cast<int64_t>(value);
  }
  return true;
}

// [-+]? (digits [. digits?] | . digits) ([eE] [-+]? digits)?
bool ParseFloat(absl::string_view text, json* out) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t start = i;
    while (i < text.size() && absl::ascii_isdigit(text[i])) ++i;
    return i > start;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  bool any = digits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    any = digits() || any;
  }
  if (!any) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (!digits()) return false;
  }
  double value = 0;
  if (i != text.size() || !absl::SimpleAtod(text, &value)) return false;
  if (value - value != 0) return false;  // Infinity has no JSON.
  *out = value;
  return true;
}

// yaml-cpp takes the escapes \N and \_ for the bytes 0x85 and 0xA0 instead of U+0085 and
// U+00A0. All else that it gives for UTF-8 is UTF-8.
std::string WholeText(absl::string_view scalar) {
  std::string out;
  out.reserve(scalar.size());
  while (!scalar.empty()) {
    const absl::string_view rest = scalar;
    if (!TakeCodePoint(&scalar).has_value()) out.push_back('\xC2');
    out.append(rest.data(), rest.size() - scalar.size());
  }
  return out;
}

// Builds JSON from the parser's events; no node graph, so nothing expands unseen.
// Throws YAML::ParserException, which yaml-cpp's parser throws too: ParseYaml
// catches both.
class JsonBuilder : public YAML::EventHandler {
 public:
  explicit JsonBuilder(const YamlLimits& limits) : limits_(limits) {}

  json TakeDocument() { return std::exchange(root_, json()); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // Before a token that can begin no value the parser sees an empty document,
    // and the same one again and again.
    if (started_ && mark.pos == start_) Fail(mark, "no value can begin here");
    started_ = true;
    start_ = mark.pos;
    anchors_.clear();
    stack_.clear();
    root_ = json();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, anchor, json(), false);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Fail(mark, "an alias stands inside the value that it names");
    Charge(mark, found->second);
    Add(mark, 0, found->second, false);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const std::string value = WholeText(text);
    absl::string_view kind = tag;
    json scalar;
    bool merge = false;
    if (kind.empty() || kind == "?") {
      scalar = ResolvePlainScalar(value);
      merge = value == "<<";
    } else if (kind == "!" || kind == "tag:yaml.org,2002:str") {
      scalar = value;
    } else if (kind == "tag:yaml.org,2002:binary") {
      std::string bytes;
      if (!absl::Base64Unescape(value, &bytes) || !IsUtf8(bytes)) {
        Fail(mark, "!!binary must hold base64 of UTF-8 text here; use binaryData for bytes");
      }
      scalar = std::move(bytes);
    } else if (absl::ConsumePrefix(&kind, kTagPrefix) &&
               IsOneOf(kind, {"int", "float", "bool", "null"})) {
      scalar = ResolvePlainScalar(value);
    } else {
      Fail(mark, absl::StrCat("the tag ", tag, " is not supported"));
    }
    Charge(mark, scalar);
    Add(mark, anchor, std::move(scalar), merge);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Push(mark, anchor, json::array());
  }
  void OnSequenceEnd() override { Pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Push(mark, anchor, json::object());
  }
  void OnMapEnd() override {
    Frame& frame = stack_.back();
    for (const json& merged : frame.merges) {
      for (const auto& [key, value] : merged.items()) {
        if (!frame.value.contains(key)) frame.value[key] = value;
      }
    }
    Pop();
  }

 private:
  struct Frame {
    json value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    bool merge = false;  // The key is `<<`.
    std::string key;
    std::vector<json> merges;
  };

  [[noreturn]] static void Fail(const YAML::Mark& mark, const std::string& why) {
    throw YAML::ParserException(mark, why);
  }

  void Charge(const YAML::Mark& mark, const json& value) {
    ++values_;
    if (value.is_string()) bytes_ += value.get_ref<const std::string&>().size();
    if (values_ > limits_.max_values || bytes_ > limits_.max_expanded_bytes) {
      Fail(mark, "too many values, or aliases that expand to too many");
    }
    if (!value.is_structured()) return;
    for (const auto& item : value.items()) {
      bytes_ += value.is_object() ? item.key().size() : 0;
      Charge(mark, item.value());
    }
  }

  void Push(const YAML::Mark& mark, YAML::anchor_t anchor, json empty) {
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      Fail(mark, absl::StrCat("nested more than ", limits_.max_depth, " deep"));
    }
    Charge(mark, empty);
    Frame frame;
    frame.value = std::move(empty);
    frame.mark = mark;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void Pop() {
    Frame done = std::move(stack_.back());
    stack_.pop_back();
    Add(done.mark, done.anchor, std::move(done.value), false);
  }

  void Add(const YAML::Mark& mark, YAML::anchor_t anchor, json value, bool merge) {
    if (anchor != 0) {
      Charge(mark, value);
      anchors_[anchor] = value;
    }
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.value.is_array()) {
      frame.value.push_back(std::move(value));
    } else if (!frame.has_key) {
      TakeKey(mark, &frame, value, merge);
    } else {
      frame.has_key = false;
      if (frame.merge) {
        TakeMerge(mark, &frame, std::move(value));
      } else {
        frame.value[frame.key] = std::move(value);
      }
    }
  }

  static void TakeKey(const YAML::Mark& mark, Frame* frame, const json& value, bool merge) {
    if (value.is_structured() || value.is_null()) Fail(mark, "a key must be text");
    frame->key = value.is_string() ? value.get<std::string>() : value.dump();
    frame->merge = merge;
    frame->has_key = true;
    if (!merge && frame->value.contains(frame->key)) {
      Fail(mark, absl::StrCat("the key \"", absl::Utf8SafeCEscape(frame->key), "\" stands twice"));
    }
  }

  static void TakeMerge(const YAML::Mark& mark, Frame* frame, json value) {
    if (value.is_object()) value = json::array({std::move(value)});
    if (!value.is_array()) Fail(mark, "<< takes a map or a list of maps");
    for (json& one : value) {
      if (!one.is_object()) Fail(mark, "<< takes a map or a list of maps");
      frame->merges.push_back(std::move(one));
    }
  }

  const YamlLimits& limits_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, json> anchors_;
  json root_;
  bool started_ = false;
  int start_ = 0;      // Where the document begins.
  size_t values_ = 0;  // Over all documents: the bound is on the whole text.
  size_t bytes_ = 0;
};

constexpr char32_t kReplacement = 0xFFFD;

// What YAML 1.2 lets stand outside of escapes, but for the byte order mark and the line
// ends of YAML 1.1, which readers take for more than text, and the noncharacters, which
// yaml-cpp does not write.
bool IsPrintable(char32_t point) {
  if (point < 0x20 || (point >= 0x7F && point < 0xA0)) return false;
  if (point == 0x2028 || point == 0x2029 || point == 0xFEFF) return false;
  return (point < 0xFDD0 || point > 0xFDEF) && (point & 0xFFFE) != 0xFFFE;
}

// A literal block keeps its text only if it ends in exactly one newline and
// nothing in it can be mistaken for indentation or be folded away.
bool FitsLiteralBlock(const std::string& text) {
  if (text.size() < 2 || text.back() != '\n' || text[text.size() - 2] == '\n') return false;
  if (text[0] == ' ' || text[0] == '\n') return false;
  for (absl::string_view rest = text; !rest.empty();) {
    const std::optional<char32_t> point = TakeCodePoint(&rest);
    if (!point.has_value() || (*point != '\n' && !IsPrintable(*point))) return false;
  }
  return text.find(" \n") == std::string::npos;
}

// In double quotes, with escapes for what YAML 1.2 has no place for outside of them.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const absl::string_view rest = text;
    const char32_t point = TakeCodePoint(&text).value_or(kReplacement);
    if (point == '"' || point == '\\') {
      absl::StrAppend(&out, "\\", rest.substr(0, 1));
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\t') {
      out += "\\t";
    } else if (point == '\r') {
      out += "\\r";
    } else if (IsPrintable(point) && point != kReplacement) {
      absl::StrAppend(&out, rest.substr(0, rest.size() - text.size()));
    } else if (point <= 0xFFFF) {
      absl::StrAppendFormat(&out, "\\u%04X", static_cast<uint32_t>(point));
    } else {
      absl::StrAppendFormat(&out, "\\U%08X", static_cast<uint32_t>(point));
    }
  }
  return out + "\"";
}

void EmitQuoted(absl::string_view text, YAML::Emitter* out) {
  // As a "number", which the emitter writes as it is: its own double-quoted form turns
  // noncharacters such as U+FFFF into U+FFFD.
  out->WriteIntegralType(Quoted(text));
}

bool IsSafePlain(const std::string& text) {
  if (text.empty() || !ResolvePlainScalar(text).is_string()) return false;
  if (IsOneOf(absl::AsciiStrToLower(text), {"y", "n"}) || text == "<<" || text == "=") return false;
  if (!absl::ascii_isalnum(text[0]) && text[0] != '/' && text[0] != '.' && text[0] != '_') {
    return false;
  }
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) &&
        absl::string_view("-_./:@+=()$, ").find(c) == std::string::npos) {
      return false;
    }
  }
  // Where a line begins with it, the document ends.
  if (absl::StartsWith(text, "...")) return false;
  // ISO dates are timestamps to YAML 1.1 readers.
  if (absl::ascii_isdigit(text[0]) && text.find('-') != std::string::npos) return false;
  return text.find(": ") == std::string::npos && text.back() != ':' && text.back() != ' ';
}

void EmitString(const std::string& text, YAML::Emitter* out) {
  if (FitsLiteralBlock(text)) {
    // The emitter ends the block with a newline of its own.
    *out << YAML::Literal << text.substr(0, text.size() - 1);
  } else if (IsSafePlain(text)) {
    *out << text;
  } else {
    EmitQuoted(text, out);
  }
}

void Emit(const nlohmann::ordered_json& value, YAML::Emitter* out) {
  if (value.is_object()) {
    if (value.empty()) *out << YAML::Flow;
    *out << YAML::BeginMap;
    for (const auto& item : value.items()) {
      *out << YAML::Key;
      if (IsSafePlain(item.key())) {
        *out << item.key();
      } else {
        EmitQuoted(item.key(), out);
      }
      *out << YAML::Value;
      Emit(item.value(), out);
    }
    *out << YAML::EndMap;
  } else if (value.is_array()) {
    if (value.empty()) *out << YAML::Flow;
    *out << YAML::BeginSeq;
    for (const auto& item : value) Emit(item, out);
    *out << YAML::EndSeq;
  } else if (value.is_string()) {
    EmitString(value.get<std::string>(), out);
  } else if (value.is_null()) {
    *out << YAML::Null;  // As text the emitter would quote it.
  } else {
    *out << value.dump();  // true, 12, 1.5: the same in YAML.
  }
}

}  // namespace

nlohmann::json ResolvePlainScalar(const std::string& text) {
  if (IsOneOf(text, {"", "~", "null", "Null", "NULL"})) return json();
  if (IsOneOf(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (IsOneOf(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) {
    return false;
  }
  json number;
  if (ParseInteger(text, &number) || ParseFloat(text, &number)) return number;
  return text;
}

absl::StatusOr<std::vector<json>> ParseYaml(absl::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("larger than ", limits.max_bytes >> 20, " MiB"));
  }
  if (!IsUtf8(text)) return absl::InvalidArgumentError("not UTF-8 text");
  // YAML has no place for these outside of escapes, and the parser takes some of
  // them for its own marks.
  for (const char c : text) {
    if (absl::ascii_iscntrl(c) && c != '\t' && c != '\n' && c != '\r' && c != '\x7f') {
      return absl::InvalidArgumentError("control characters are not allowed");
    }
  }
  std::istringstream stream{std::string(text)};
  std::vector<json> documents;
  JsonBuilder builder(limits);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) documents.push_back(builder.TakeDocument());
  } catch (const YAML::Exception& e) {
    std::string why = absl::StrReplaceAll(e.msg, {{"\n", " "}});
    if (e.mark.is_null()) return absl::InvalidArgumentError(absl::StrCat("bad YAML: ", why));
    return absl::InvalidArgumentError(absl::StrCat("bad YAML: line ", e.mark.line + 1, ", column ",
                                                   e.mark.column + 1, ": ", why));
  }
  return documents;
}

std::string ToYaml(const nlohmann::ordered_json& value) {
  YAML::Emitter out;
  out.SetIndent(2);
  Emit(value, &out);
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace crisp::agent
