#include "cri/streaming/stream_status.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

std::string Dump(const json& value) {
  // What a runtime says need not be UTF-8.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string StatusJson(const absl::StatusOr<int>& exit_code) {
  json status = {{"metadata", json::object()}};
  if (!exit_code.ok()) {
    const std::string message =
        absl::StrCat("Internal error occurred: ", exit_code.status().message());
    status["status"] = "Failure";
    status["reason"] = "InternalError";
    status["message"] = message;
    status["code"] = 500;
    status["details"] = {
        {"causes", json::array({{{"message", std::string(exit_code.status().message())}}})}};
  } else if (*exit_code == 0) {
    status["status"] = "Success";
  } else {
    status["status"] = "Failure";
    status["reason"] = "NonZeroExitCode";
    status["message"] = StatusText(exit_code);
    // Clients read 8 bits.
    status["details"] = {{"causes", json::array({{{"reason", "ExitCode"},
                                                  {"message", absl::StrCat(*exit_code & 0xff)}}})}};
  }
  return Dump(status);
}

std::string StatusText(const absl::StatusOr<int>& exit_code) {
  if (!exit_code.ok()) return std::string(exit_code.status().message());
  if (*exit_code == 0) return "";
  return absl::StrCat("command terminated with non-zero exit code ", *exit_code);
}

}  // namespace crisp::cri
