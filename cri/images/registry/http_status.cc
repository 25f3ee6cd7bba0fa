#include "cri/images/registry/http_status.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxWords = 300;

// {"errors":[{"code":"DENIED","message":"…"}]} and token servers' {"details":"…"}.
std::string Words(const std::string& body) {
  const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
  std::string words;
  if (!parsed.is_object()) return words;
  for (const char* name : {"error", "details", "message", "error_description"}) {
    const auto found = parsed.find(name);
    if (found != parsed.end() && found->is_string()) {
      absl::StrAppend(&words, words.empty() ? "" : ", ", found->get<std::string>());
    }
  }
  const auto errors = parsed.find("errors");
  if (errors != parsed.end() && errors->is_array()) {
    for (const auto& error : *errors) {
      if (!error.is_object()) continue;
      for (const char* name : {"code", "message"}) {
        const auto found = error.find(name);
        if (found != error.end() && found->is_string()) {
          absl::StrAppend(&words, words.empty() ? "" : ", ", found->get<std::string>());
        }
      }
    }
  }
  return absl::CHexEscape(words.substr(0, kMaxWords));
}

}  // namespace

absl::Status StatusOfResponse(const HttpResponse& response) {
  std::string message = absl::StrCat("HTTP status ", response.status);
  const std::string words = Words(response.body);
  if (!words.empty()) absl::StrAppend(&message, " (", words, ")");
  switch (response.status) {
    case 401:
    case 403:
      // An answer to HEAD has no words of its own.
      absl::StrAppend(&message, ": access denied");
      return absl::PermissionDeniedError(message);
    case 404:
      absl::StrAppend(&message, ": not found");
      return absl::NotFoundError(message);
    case 408:
    case 429:
      return Unreachable(message);
    default:
      return response.status >= 500 ? Unreachable(message) : absl::FailedPreconditionError(message);
  }
}

}  // namespace crisp::cri
