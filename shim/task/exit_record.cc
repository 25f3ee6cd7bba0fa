#include "shim/task/exit_record.h"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr size_t kMaxRecordBytes = 4096;

}  // namespace

absl::Status WriteExitRecord(const std::string& path, const ExitRecord& record) {
  return WriteFileAtomic(
      path,
      absl::StrCat("{\"pid\":", record.pid, ",\"exit_code\":", record.exit_code,
                   ",\"exited_at_ns\":", absl::ToUnixNanos(record.exited_at),
                   ",\"oom_killed\":", record.oom_killed ? "true" : "false", "}\n"),
      0600);
}

absl::StatusOr<ExitRecord> ReadExitRecord(const std::string& path) {
  auto text = ReadFile(path, kMaxRecordBytes);
  if (!text.ok()) {
    if (ErrnoOf(text.status()) == ENOENT) return absl::NotFoundError(text.status().message());
    return text.status();
  }
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto number = [&json](const char* name) {
    return json.contains(name) && json[name].is_number_integer();
  };
  const bool oom_fits = !json.contains("oom_killed") || json["oom_killed"].is_boolean();
  if (!json.is_object() || !number("pid") || !number("exit_code") || !number("exited_at_ns") ||
      !oom_fits) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not an exit record"));
  }
  ExitRecord record;
  record.pid = json["pid"].get<pid_t>();
  record.exit_code = json["exit_code"].get<int>();
  record.exited_at = absl::FromUnixNanos(json["exited_at_ns"].get<int64_t>());
  record.oom_killed = json.value("oom_killed", false);
  return record;
}

}  // namespace crisp::shim
