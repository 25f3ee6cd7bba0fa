// Hostile JSON, read with every type checked.
//
// A field that is absent or null reads as empty. Text with a NUL is refused: it
// would end early wherever the kernel sees it.
//
// Threads: free functions.
// Errors:  InvalidArgument names the field and the type that it should have.
#ifndef CRISP_CRI_IMAGES_JSON_FIELDS_H_
#define CRISP_CRI_IMAGES_JSON_FIELDS_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

// More than any image document needs; registries themselves stop at 4 MiB.
constexpr size_t kMaxJsonBytes = 8 << 20;

// A whole document; its top must be an object.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text);

absl::StatusOr<std::string> TextField(const nlohmann::json& object, const std::string& name);
absl::StatusOr<int64_t> IntField(const nlohmann::json& object, const std::string& name);
absl::StatusOr<std::vector<std::string>> TextsField(const nlohmann::json& object,
                                                    const std::string& name);
absl::StatusOr<std::map<std::string, std::string>> TextMapField(const nlohmann::json& object,
                                                                const std::string& name);
// The keys of an object used as a set: {"/data": {}}.
absl::StatusOr<std::vector<std::string>> KeysField(const nlohmann::json& object,
                                                   const std::string& name);

// Null if the field is absent or null.
absl::StatusOr<const nlohmann::json*> ObjectField(const nlohmann::json& object,
                                                  const std::string& name);
absl::StatusOr<const nlohmann::json*> ArrayField(const nlohmann::json& object,
                                                 const std::string& name);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_JSON_FIELDS_H_
