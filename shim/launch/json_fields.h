// A JSON object read strictly: what was not asked for is an error, never silence.
//
//   JsonFields fields(json, "process.user");
//   fields.Read("uid", &user.uid);
//   return fields.Done();              // The first thing that was wrong, or a stranger.
//
// A null and an absent member are the same. After the first error nothing more is read.
//
// Ownership: borrows the JSON.
// Errors:    InvalidArgument "<path>.<member>: <reason>".
#ifndef CRISP_SHIM_LAUNCH_JSON_FIELDS_H_
#define CRISP_SHIM_LAUNCH_JSON_FIELDS_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp::shim {

class JsonFields {
 public:
  JsonFields(const nlohmann::json& json, std::string path);

  void Read(const char* name, std::string* out);
  void Read(const char* name, bool* out);
  void Read(const char* name, std::vector<std::string>* out);
  void Read(const char* name, std::map<std::string, std::string>* out);
  // A whole number in the range of T.
  template <typename T>
  void ReadNumber(const char* name, T* out) {
    int64_t value = 0;
    uint64_t large = 0;
    if (!Number(name, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), &value,
                &large)) {
      return;
    }
    *out = std::is_signed_v<T> ? static_cast<T>(value) : static_cast<T>(large);
  }
  template <typename T>
  void ReadNumber(const char* name, std::optional<T>* out) {
    if (Take(name) == nullptr) return;
    T value{};
    ReadNumber(name, &value);
    *out = value;
  }

  // The member, for a reader of one's own; null if absent or after an error. It counts
  // as read.
  const nlohmann::json* Take(const char* name);
  // Each element of a list, as `read(element, path)`, which returns a Status.
  template <typename F>
  void Each(const char* name, F read) {
    const nlohmann::json* list = Take(name);
    if (list == nullptr) return;
    if (!list->is_array()) return Fail(name, "is not a list");
    for (size_t i = 0; i < list->size() && status_.ok(); ++i) {
      Check(read((*list)[i], PathOf(name, i)));
    }
  }

  // Must be absent, null, or empty: we do not implement it.
  void Refuse(const char* name);

  void Fail(const char* name, absl::string_view reason);
  void Check(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }
  std::string PathOf(const char* name) const;
  std::string PathOf(const char* name, size_t index) const;

  absl::Status Done();

 private:
  const nlohmann::json* Find(const char* name) const;
  bool Number(const char* name, int64_t min, uint64_t max, int64_t* value, uint64_t* large);

  const nlohmann::json& json_;
  const std::string path_;
  std::vector<absl::string_view> known_;
  absl::Status status_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_JSON_FIELDS_H_
