// Strict reading of a JSON object whose errors name the field by its path.
//
//   CRISP_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Of(value, "volumes[0]"));
//   CRISP_ASSIGN_OR_RETURN(std::string name, fields.String("name"));
//   CRISP_RETURN_IF_ERROR(fields.NoOthers());   // "volumes[0].nmae: unknown field"
//
// null counts as absent, as in Kubernetes.
//
// Ownership: borrows the JSON value. Threads: not shared.
// Errors:    InvalidArgument, "<path>: <what is wrong>".
#ifndef CRISP_VOLUMES_JSON_FIELDS_H_
#define CRISP_VOLUMES_JSON_FIELDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace crisp::volumes {

// The elements of the JSON array `text`; none for "" and null. Refuses text of more
// than 256 KiB (what Kubernetes allows all of a pod's annotations), and an object
// with the same field twice, of which JSON libraries silently keep one.
absl::StatusOr<std::vector<nlohmann::json>> ParseJsonArray(absl::string_view text,
                                                           absl::string_view path);

absl::Status FieldError(absl::string_view path, absl::string_view what);

class JsonFields {
 public:
  // `value` must be an object.
  static absl::StatusOr<JsonFields> Of(const nlohmann::json& value, std::string path);

  const std::string& path() const { return path_; }
  std::string PathOf(absl::string_view field) const;
  absl::Status Error(absl::string_view field, absl::string_view what) const;

  // Each marks the field as known. Null or absent gives the default.
  const nlohmann::json* Get(const std::string& field);
  absl::StatusOr<std::string> String(const std::string& field, std::string fallback = "");
  absl::StatusOr<std::string> RequiredString(const std::string& field);
  absl::StatusOr<bool> Bool(const std::string& field, bool fallback);
  absl::StatusOr<absl::optional<int64_t>> Int(const std::string& field);
  absl::StatusOr<std::vector<nlohmann::json>> Array(const std::string& field);

  // The fields present that nothing has asked for.
  std::vector<std::string> Others() const;
  absl::Status NoOthers() const;

 private:
  JsonFields(const nlohmann::json& value, std::string path)
      : value_(&value), path_(std::move(path)) {}

  const nlohmann::json* value_;
  std::string path_;
  std::set<std::string> known_;
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_JSON_FIELDS_H_
