// Fields of an object by their path, for code that prints: what is missing, or is of
// another type, is empty.
//
//   Text(pod, "spec.nodeName"), Number(deployment, "spec.replicas", 1)
//
// Threads: free functions.
#ifndef CRISP_AGENT_OUTPUT_FIELDS_H_
#define CRISP_AGENT_OUTPUT_FIELDS_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace crisp::cli {

using Json = nlohmann::json;

// `path`: names with dots between; "" is the value itself. Null if there is none.
const Json& Field(const Json& value, absl::string_view path);
// The element of the list at `path` whose "name" is `name`, or null.
const Json& Named(const Json& value, absl::string_view path, absl::string_view name);

std::string Text(const Json& value, absl::string_view path);
int64_t Number(const Json& value, absl::string_view path, int64_t otherwise = 0);
bool IsTrue(const Json& value, absl::string_view path);
// The list there; an empty one otherwise.
const Json& Items(const Json& value, absl::string_view path);
std::map<std::string, std::string> TextMap(const Json& value, absl::string_view path);
// A value of any type as text: strings as they are, others as JSON.
std::string AnyText(const Json& value);

// InfinitePast if there is none, or it is no time.
absl::Time TimeOf(const Json& value, absl::string_view path);

std::string Name(const Json& object);
std::string Namespace(const Json& object);

// "a=1,b=2" of a map of labels; `none` for an empty one.
std::string JoinLabels(const std::map<std::string, std::string>& labels, const char* none);
// "app=web,tier in (a,b)" of a LabelSelector (or of the plain map of a
// ReplicationController).
std::string SelectorText(const Json& selector);

// The status ("True", ...) of a condition of the object; empty if it has none.
std::string ConditionStatus(const Json& object, absl::string_view type);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_FIELDS_H_
