// Reads one JSON object strictly: every field is read, known and refused, or an
// error. All readers of a manifest share one FieldErrors, which keeps every failure; a
// field that fails leaves its target alone and reading goes on, so a reader is a plain
// list of fields without an `if` after each. Messages are worded as Kubernetes words its own.
//
//   ObjectReader spec(json, "spec", &errors, &warnings);
//   spec.Read("hostname", &pod.hostname);
//   spec.NoEffect({"priorityClassName"});
//   spec.NotYet({"readinessGates"});
//   spec.Finish();
//
// Ownership: borrows the JSON, the errors and the warnings.
// Threads:   one thread.
// Errors:    go to FieldErrors: "spec.containers[0].image: Required value".
#ifndef CRISP_AGENT_MANIFEST_OBJECT_READER_H_
#define CRISP_AGENT_MANIFEST_OBJECT_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/manifest/field_errors.h"

namespace crisp::agent {

class ObjectReader {
 public:
  // `path` is what messages name, "" at the top. A null `value` reads as {}. Without
  // `warnings` nobody wants them.
  ObjectReader(const nlohmann::json& value, std::string path, FieldErrors* errors,
               std::vector<std::string>* warnings = nullptr);

  // Nothing is wrong with what this reader has read so far.
  bool ok() const { return errors_->count() == errors_before_; }
  // True if the field stands there with a value that is not null.
  bool Has(const char* name) const;
  std::string PathOf(absl::string_view name) const;
  // "data[key]": how Kubernetes names what stands under a key that is a user's word.
  std::string PathOf(absl::string_view name, absl::string_view key) const;
  const std::string& path() const { return path_; }
  FieldErrors* errors() const { return errors_; }

  // No message shows a value of this object: they are secret.
  void HideValues() { hide_values_ = true; }

  // Each leaves `out` alone if the field is absent or wrong.
  void Read(const char* name, std::string* out);
  void Read(const char* name, bool* out);
  void Read(const char* name, std::optional<bool>* out);
  void Read(const char* name, std::optional<int64_t>* out, int64_t min = 0,
            int64_t max = std::numeric_limits<int64_t>::max());
  void Read(const char* name, int32_t* out, int32_t min, int32_t max);
  // A number that counts something: from 0 on, as far as 32 bits go.
  void ReadCount(const char* name, std::optional<int64_t>* out);
  void Read(const char* name, std::vector<std::string>* out);
  void Read(const char* name, std::map<std::string, std::string>* out);
  // Text that must be one of `allowed`.
  void ReadChoice(const char* name, std::initializer_list<const char*> allowed, std::string* out);
  // As Read, and the field must stand there and not be empty. True if it does.
  bool Require(const char* name, std::string* out);

  // The field's object, if present.
  void Object(const char* name, const std::function<void(ObjectReader&)>& read);
  // Each element of a list of objects.
  void Each(const char* name, const std::function<void(ObjectReader&)>& read);
  // The value as it stands, or null; counts as read.
  const nlohmann::json* Raw(const char* name);

  // Fields of Kubernetes' API that this version of crisp does not carry out.
  void NotYet(std::initializer_list<const char*> names);
  // Fields that say nothing to crisp (what a server once filled in).
  void Ignore(std::initializer_list<const char*> names);

  // Fields that are accepted although nothing comes of them here; says so once each.
  void NoEffect(std::initializer_list<const char*> names);
  void Warn(absl::string_view name, absl::string_view why);
  void WarnPath(absl::string_view path, absl::string_view why);

  void Fail(absl::string_view name, absl::string_view why);
  // The same for a whole path.
  void FailPath(absl::string_view path, absl::string_view why);
  // "path: Invalid value: \"x\": why".
  void Invalid(absl::string_view name, const nlohmann::json& value, absl::string_view why);
  void InvalidPath(absl::string_view path, const nlohmann::json& value, absl::string_view why);
  void Forbidden(absl::string_view name, absl::string_view why);
  // Refuses whatever was not read, with the nearest known name for a typo.
  void Finish();

 private:
  const nlohmann::json* Find(const char* name);
  bool Expect(bool right, const char* name, const char* wanted, const nlohmann::json& found);

  const nlohmann::json& value_;
  std::string path_;
  FieldErrors* errors_;
  size_t errors_before_;
  std::vector<std::string>* warnings_;
  std::set<std::string> known_;
  std::set<std::string> not_yet_;
  bool hide_values_ = false;
};

// "a boolean", "a number", ...: how messages call a JSON value.
const char* KindOf(const nlohmann::json& value);

// The candidate nearest to `word` if it is a plausible slip of the hand, else "".
std::string NearestWord(absl::string_view word, const std::set<std::string>& candidates);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_OBJECT_READER_H_
