#include "cri/task/oom_kills.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"

namespace crisp::cri {

absl::StatusOr<uint64_t> OomKills(const std::string& cgroup_path, const std::string& cgroup_root) {
  const std::string relative(absl::StripPrefix(cgroup_path, "/"));
  if (!IsCleanRelative(relative)) {
    return absl::InvalidArgumentError(absl::StrCat("cgroup path \"", cgroup_path, "\""));
  }
  // v1 first: a hybrid host has the controller there, and only one of both files.
  for (const std::string& file :
       {absl::StrCat(cgroup_root, "/memory/", relative, "/memory.oom_control"),
        absl::StrCat(cgroup_root, "/", relative, "/memory.events")}) {
    const auto text = ReadFile(file, 4096);
    if (!text.ok()) continue;
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      uint64_t kills;
      if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &kills)) return kills;
    }
  }
  return absl::NotFoundError(absl::StrCat("no count of OOM kills for ", cgroup_path));
}

}  // namespace crisp::cri
