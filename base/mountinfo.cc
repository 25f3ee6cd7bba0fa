#include "base/mountinfo.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp {
namespace {

// The kernel writes space, tab, newline and backslash as \ooo.
std::string DecodeOctal(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

bool HasTag(const std::vector<std::string>& tags, absl::string_view prefix) {
  return std::any_of(tags.begin(), tags.end(),
                     [&](const std::string& tag) { return absl::StartsWith(tag, prefix); });
}

bool Covers(absl::string_view mount_point, absl::string_view path) {
  if (mount_point == "/") return true;
  return absl::StartsWith(path, mount_point) &&
         (path.size() == mount_point.size() || path[mount_point.size()] == '/');
}

}  // namespace

bool MountInfo::shared() const { return HasTag(tags, "shared:"); }
bool MountInfo::slave() const { return HasTag(tags, "master:"); }

absl::StatusOr<std::vector<MountInfo>> ParseMountInfo(absl::string_view text) {
  std::vector<MountInfo> mounts;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    MountInfo mount;
    if (fields.size() < 10 || fields.end() - dash < 4 || dash - fields.begin() < 6 ||
        !absl::SimpleAtoi(fields[0], &mount.id) || !absl::SimpleAtoi(fields[1], &mount.parent_id)) {
      return absl::InvalidArgumentError(absl::StrCat("not a mountinfo line: ", line));
    }
    mount.root = DecodeOctal(fields[3]);
    mount.mount_point = DecodeOctal(fields[4]);
    mount.options = fields[5];
    mount.tags.assign(fields.begin() + 6, dash);
    mount.fs_type = dash[1];
    mount.source = DecodeOctal(dash[2]);
    mount.super_options = dash[3];
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

absl::StatusOr<std::vector<MountInfo>> ReadMountInfo(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 64 << 20));
  return ParseMountInfo(text);
}

const MountInfo* MountOf(const std::vector<MountInfo>& mounts, absl::string_view path) {
  const MountInfo* best = nullptr;
  for (const MountInfo& mount : mounts) {
    if (!Covers(mount.mount_point, path)) continue;
    if (best == nullptr || mount.mount_point.size() >= best->mount_point.size()) best = &mount;
  }
  return best;
}

}  // namespace crisp
