#include "agent/manifest/object_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

using nlohmann::json;

const json& EmptyObject() {
  static const json* const empty = new json(json::object());
  return *empty;
}

// Edits between two short words, case aside.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = absl::ascii_tolower(a[i - 1]) == absl::ascii_tolower(b[j - 1]);
      const size_t cost = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({cost, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// A value as messages show it: short, on one line.
std::string Shown(const json& value) {
  constexpr size_t kLongest = 80;
  if (value.is_structured() && !value.empty()) return value.is_object() ? "{...}" : "[...]";
  if (!value.is_string()) return value.dump();
  const std::string text = absl::Utf8SafeCEscape(value.get_ref<const std::string&>());
  if (text.size() <= kLongest) return absl::StrCat("\"", text, "\"");
  return absl::StrCat("\"", Utf8Prefix(text, kLongest), "...\"");
}

}  // namespace

const char* KindOf(const json& value) {
  if (value.is_object()) return "a map";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "text";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number()) return "a number";
  return "null";
}

std::string NearestWord(absl::string_view word, const std::set<std::string>& candidates) {
  if (word.size() > 64) return "";
  std::string best;
  size_t best_distance = word.size() < 5 ? 2 : 3;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

ObjectReader::ObjectReader(const json& value, std::string path, FieldErrors* errors,
                           std::vector<std::string>* warnings)
    : value_(value.is_object() ? value : EmptyObject()),
      path_(std::move(path)),
      errors_(errors),
      errors_before_(errors->count()),
      warnings_(warnings) {
  if (!value.is_object() && !value.is_null()) {
    InvalidPath(path_, value, absl::StrCat("must be a map, not ", KindOf(value)));
  }
}

std::string ObjectReader::PathOf(absl::string_view name) const {
  const std::string shown = absl::Utf8SafeCEscape(name);
  return path_.empty() ? shown : absl::StrCat(path_, ".", shown);
}

std::string ObjectReader::PathOf(absl::string_view name, absl::string_view key) const {
  return absl::StrCat(PathOf(name), "[", absl::Utf8SafeCEscape(key), "]");
}

void ObjectReader::FailPath(absl::string_view path, absl::string_view why) {
  errors_->Add(absl::StrCat(path, path.empty() ? "" : ": ", why));
}

void ObjectReader::Fail(absl::string_view name, absl::string_view why) {
  FailPath(name.empty() ? path_ : PathOf(name), why);
}

void ObjectReader::InvalidPath(absl::string_view path, const json& value, absl::string_view why) {
  FailPath(path, hide_values_ ? absl::StrCat("Invalid value: ", why)
                              : absl::StrCat("Invalid value: ", Shown(value), ": ", why));
}

void ObjectReader::Invalid(absl::string_view name, const json& value, absl::string_view why) {
  InvalidPath(name.empty() ? path_ : PathOf(name), value, why);
}

void ObjectReader::Forbidden(absl::string_view name, absl::string_view why) {
  Fail(name, absl::StrCat("Forbidden: ", why));
}

void ObjectReader::Warn(absl::string_view name, absl::string_view why) {
  WarnPath(name.empty() ? path_ : PathOf(name), why);
}

void ObjectReader::WarnPath(absl::string_view path, absl::string_view why) {
  if (warnings_ != nullptr) warnings_->push_back(absl::StrCat(path, ": ", why));
}

void ObjectReader::NoEffect(std::initializer_list<const char*> names) {
  Ignore(names);
  for (const char* name : names) {
    if (!Has(name)) continue;
    const json& value = value_[name];
    if ((value.is_structured() && value.empty()) || value == "") continue;
    Warn(name, "has no effect on a node without a cluster");
  }
}

bool ObjectReader::Has(const char* name) const {
  const auto found = value_.find(name);
  return found != value_.end() && !found->is_null();
}

const json* ObjectReader::Find(const char* name) {
  known_.insert(name);
  const auto found = value_.find(name);
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

bool ObjectReader::Expect(bool right, const char* name, const char* wanted, const json& found) {
  if (right) return true;
  std::string hint;
  if (absl::string_view(wanted) == "text" && found.is_primitive() && !hide_values_) {
    hint = absl::StrCat(" (quote it: \"", found.dump(), "\")");
  }
  Invalid(name, found, absl::StrCat("must be ", wanted, ", not ", KindOf(found), hint));
  return false;
}

void ObjectReader::Read(const char* name, std::string* out) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_string(), name, "text", *found)) return;
  if (found->get_ref<const std::string&>().find('\0') != std::string::npos) {
    return Fail(name, "Invalid value: holds a NUL byte");
  }
  *out = found->get<std::string>();
}

void ObjectReader::Read(const char* name, bool* out) {
  std::optional<bool> value;
  Read(name, &value);
  if (value.has_value()) *out = *value;
}

void ObjectReader::Read(const char* name, std::optional<bool>* out) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_boolean(), name, "true or false", *found)) return;
  *out = found->get<bool>();
}

void ObjectReader::Read(const char* name, std::optional<int64_t>* out, int64_t min, int64_t max) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_number_integer(), name, "a whole number", *found)) {
    return;
  }
  const bool fits =
      !found->is_number_unsigned() || found->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
  if (!fits || found->get<int64_t>() < min || found->get<int64_t>() > max) {
    const bool open = max == std::numeric_limits<int64_t>::max();
    return Invalid(name, *found,
                   open ? absl::StrCat("must be greater than or equal to ", min)
                        : absl::StrCat("must be between ", min, " and ", max, ", inclusive"));
  }
  *out = found->get<int64_t>();
}

void ObjectReader::Read(const char* name, int32_t* out, int32_t min, int32_t max) {
  std::optional<int64_t> value;
  Read(name, &value, min, max);
  if (value.has_value()) *out = static_cast<int32_t>(*value);
}

void ObjectReader::ReadCount(const char* name, std::optional<int64_t>* out) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  std::optional<int64_t> value;
  Read(name, &value, 0);
  if (value.value_or(0) > kMost) {
    Invalid(name, *value, absl::StrCat("must be less than or equal to ", kMost));
  } else if (value.has_value()) {
    *out = value;
  }
}

void ObjectReader::Read(const char* name, std::vector<std::string>* out) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_array(), name, "a list", *found)) return;
  for (size_t i = 0; i < found->size(); ++i) {
    const json& item = (*found)[i];
    const std::string place = absl::StrCat(PathOf(name), "[", i, "]");
    if (!item.is_string()) {
      InvalidPath(place, item,
                  absl::StrCat("must be text, not ", KindOf(item),
                               item.is_structured() ? "" : " (quote it)"));
    } else if (item.get_ref<const std::string&>().find('\0') != std::string::npos) {
      FailPath(place, "Invalid value: holds a NUL byte");
    } else {
      out->push_back(item.get<std::string>());
    }
  }
}

void ObjectReader::Read(const char* name, std::map<std::string, std::string>* out) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_object(), name, "a map", *found)) return;
  for (const auto& [key, value] : found->items()) {
    if (value.is_null()) {
      (*out)[key] = "";
    } else if (value.is_string()) {
      (*out)[key] = value.get<std::string>();
    } else {
      const std::string hint = value.is_structured() || hide_values_
                                   ? ""
                                   : absl::StrCat(" (quote it: \"", value.dump(), "\")");
      InvalidPath(PathOf(name, key), value,
                  absl::StrCat("must be text, not ", KindOf(value), hint));
    }
  }
}

void ObjectReader::ReadChoice(const char* name, std::initializer_list<const char*> allowed,
                              std::string* out) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_string(), name, "text", *found)) return;
  const std::string& value = found->get_ref<const std::string&>();
  std::vector<std::string> quoted;
  for (const char* choice : allowed) {
    if (value == choice) {
      *out = value;
      return;
    }
    if (*choice != '\0') quoted.push_back(absl::StrCat("\"", choice, "\""));
  }
  Fail(name, absl::StrCat("Unsupported value: ", Shown(value),
                          ": supported values: ", absl::StrJoin(quoted, ", ")));
}

bool ObjectReader::Require(const char* name, std::string* out) {
  const size_t before = errors_->count();
  Read(name, out);
  if (errors_->count() != before) return false;
  if (out->empty()) Fail(name, "Required value");
  return !out->empty();
}

void ObjectReader::Object(const char* name, const std::function<void(ObjectReader&)>& read) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_object(), name, "a map", *found)) return;
  ObjectReader inner(*found, PathOf(name), errors_, warnings_);
  read(inner);
  inner.Finish();
}

void ObjectReader::Each(const char* name, const std::function<void(ObjectReader&)>& read) {
  const json* found = Find(name);
  if (found == nullptr || !Expect(found->is_array(), name, "a list", *found)) return;
  for (size_t i = 0; i < found->size(); ++i) {
    const json& item = (*found)[i];
    const std::string place = absl::StrCat(PathOf(name), "[", i, "]");
    if (item.is_null()) {
      FailPath(place, "Required value");
    } else if (!item.is_object()) {
      InvalidPath(place, item, absl::StrCat("must be a map, not ", KindOf(item)));
    } else {
      ObjectReader inner(item, place, errors_, warnings_);
      read(inner);
      inner.Finish();
    }
  }
}

const json* ObjectReader::Raw(const char* name) { return Find(name); }

void ObjectReader::NotYet(std::initializer_list<const char*> names) {
  not_yet_.insert(names.begin(), names.end());
}

void ObjectReader::Ignore(std::initializer_list<const char*> names) {
  known_.insert(names.begin(), names.end());
}

void ObjectReader::Finish() {
  std::set<std::string> words = known_;
  words.insert(not_yet_.begin(), not_yet_.end());
  for (const auto& [key, value] : value_.items()) {
    if (known_.count(key) > 0) continue;
    if (not_yet_.count(key) > 0) {
      if (!value.is_null()) errors_->AddUnsupported(PathOf(key));
      continue;
    }
    const bool told = errors_->count() < FieldErrors::kMostErrors;
    const std::string nearest = told ? NearestWord(key, words) : "";
    errors_->AddUndecodable(
        absl::StrCat("unknown field \"", PathOf(key), "\"",
                     nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
  }
  // What Finish has told is not told again when it is called once more.
  for (const auto& [key, value] : value_.items()) known_.insert(key);
}

}  // namespace crisp::agent
