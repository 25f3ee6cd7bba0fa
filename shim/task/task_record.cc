#include "shim/task/task_record.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr char kName[] = "task.json";
constexpr size_t kMaxRecordBytes = 16 << 10;
constexpr size_t kStartTimeField = 22;  // Counted from 1, proc(5).

}  // namespace

uint64_t StartTimeOf(pid_t pid) {
  const auto stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"), 4096);
  if (!stat.ok()) return 0;
  // The second field is a name in parentheses and may hold anything.
  const size_t after_name = stat->rfind(')');
  if (after_name == std::string::npos) return 0;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*stat).substr(after_name + 1), ' ', absl::SkipEmpty());
  uint64_t start_time = 0;
  if (fields.size() <= kStartTimeField - 3 ||
      !absl::SimpleAtoi(fields[kStartTimeField - 3], &start_time)) {
    return 0;
  }
  return start_time;
}

absl::Status WriteTaskRecord(const std::string& bundle, const TaskRecord& record) {
  const nlohmann::json json = {
      {"pid", record.pid}, {"start_time", record.start_time}, {"cgroup_path", record.cgroup_path}};
  return WriteFileAtomic(JoinPath(bundle, kName),
                         json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), 0600);
}

absl::StatusOr<TaskRecord> ReadTaskRecord(const std::string& bundle) {
  const std::string path = JoinPath(bundle, kName);
  auto text = ReadFile(path, kMaxRecordBytes);
  if (!text.ok()) {
    if (ErrnoOf(text.status()) == ENOENT) return absl::NotFoundError(text.status().message());
    return text.status();
  }
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("pid") || !json["pid"].is_number_integer() ||
      !json.contains("start_time") || !json["start_time"].is_number_integer() ||
      !json.contains("cgroup_path") || !json["cgroup_path"].is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a task record"));
  }
  return TaskRecord{json["pid"].get<pid_t>(), json["start_time"].get<uint64_t>(),
                    json["cgroup_path"].get<std::string>()};
}

}  // namespace crisp::shim
