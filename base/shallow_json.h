// JSON from outside, which can nest as deep as its text is long.
//
// nlohmann's parser takes any depth, but its values are copied, compared and written out by
// recursion: some ten thousand brackets are more than a stack bears, and end the process.
//
// Threads: free functions.
#ifndef CRISP_BASE_SHALLOW_JSON_H_
#define CRISP_BASE_SHALLOW_JSON_H_

#include <nlohmann/json.hpp>

#include "absl/strings/string_view.h"

namespace crisp {

// Deeper than any document that is read here.
constexpr int kMaxJsonDepth = 64;

// Whether the brackets outside strings nest at most kMaxJsonDepth deep. Text that is not
// JSON may be miscounted; the parser refuses it either way.
bool IsShallowJson(absl::string_view text);

// As nlohmann::json::parse without exceptions: discarded if `text` is not JSON, and if it
// is not shallow.
nlohmann::json ParseShallowJson(absl::string_view text);

}  // namespace crisp

#endif  // CRISP_BASE_SHALLOW_JSON_H_
