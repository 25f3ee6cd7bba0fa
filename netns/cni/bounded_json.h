// JSON from a process that is not trusted to be sane.
//
// Threads: free functions.
// Errors:  InvalidArgument says where the text stops being JSON (RFC 8259, UTF-8)
//          or that it nests too deep. The depth is bounded because values are
//          copied and printed recursively.
#ifndef CRISP_NETNS_CNI_BOUNDED_JSON_H_
#define CRISP_NETNS_CNI_BOUNDED_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::netns {

// Parses one JSON object with nothing after it.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text);

// The string member `key` of `object`; empty if it is absent or not a string.
std::string StringMember(const nlohmann::json& object, const char* key);

// The member `key` as a flag: absent is false; true, false and, as CNI's own
// library takes them, the strings "true" and "false". InvalidArgument otherwise.
absl::StatusOr<bool> FlagMember(const nlohmann::json& object, const char* key);

// `value` as compact text. Strings that are not UTF-8 are mended, never thrown over.
std::string JsonText(const nlohmann::json& value);

// At most `max_bytes` of `text`, control characters escaped: fit for a message.
std::string Excerpt(absl::string_view text, size_t max_bytes = 400);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_BOUNDED_JSON_H_
