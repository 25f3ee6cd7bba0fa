#include "cri/spec/user.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxDatabase = 10 << 20;
constexpr size_t kMaxLine = 64 << 10;
constexpr size_t kMaxName = 256;
constexpr size_t kMaxGroups = 65536;  // NGROUPS_MAX
constexpr size_t kMaxHome = 4096;

constexpr char kContext[] = "config.linux.security_context.";

struct PasswdLine {
  std::string name;
  absl::optional<uint32_t> uid, gid;  // Empty if not a number in range.
  std::string home;
};

struct GroupLine {
  std::string name;
  absl::optional<uint32_t> gid;
  std::vector<std::string> members;
};

absl::optional<uint32_t> NumberIn(absl::string_view text) {
  const auto id = ParseId("", text);
  if (!id.ok()) return absl::nullopt;
  return *id;
}

// Reads a database of the image. Absent is empty. The file is judged before it is
// opened for reading, since opening a device or a FIFO can already do harm or hang.
absl::StatusOr<std::string> ReadDatabase(int rootfs_fd, const char* path) {
  if (rootfs_fd < 0) return std::string();
  auto handle = OpenBeneath(rootfs_fd, path, O_PATH, Resolve::kInRoot);
  if (!handle.ok()) {
    const int err = ErrnoOf(handle.status());
    if (err == ENOENT || err == ENOTDIR) return std::string();
    return BadField(absl::StrCat("image /", path), handle.status().message());
  }
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", path), [&] { return ::fstat(handle->get(), &st); }));
  if (!S_ISREG(st.st_mode)) return BadField(absl::StrCat("image /", path), "not a regular file");
  if (static_cast<uint64_t>(st.st_size) > kMaxDatabase) {
    return BadField(absl::StrCat("image /", path), "larger than 10 MiB");
  }
  const std::string self = absl::StrCat("/proc/self/fd/", handle->get());
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open image /", path), [&] {
                           return ::open(self.c_str(),
                                         O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                         }));
  auto text = ReadAll(fd.get(), kMaxDatabase);
  if (absl::IsOutOfRange(text.status())) {
    return BadField(absl::StrCat("image /", path), "larger than 10 MiB");
  }
  return text;
}

void ForEachLine(absl::string_view text,
                 const std::function<void(const std::vector<absl::string_view>&)>& visit) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || line.size() > kMaxLine || line.front() == '#') continue;
    visit(absl::StrSplit(line, ':'));
  }
}

std::vector<PasswdLine> ParsePasswd(absl::string_view text) {
  std::vector<PasswdLine> lines;
  ForEachLine(text, [&](const std::vector<absl::string_view>& f) {
    if (f.size() < 4 || f[0].empty()) return;
    lines.push_back({std::string(f[0]), NumberIn(f[2]), NumberIn(f[3]),
                     f.size() > 5 ? std::string(f[5]) : std::string()});
  });
  return lines;
}

std::vector<GroupLine> ParseGroup(absl::string_view text) {
  std::vector<GroupLine> lines;
  ForEachLine(text, [&](const std::vector<absl::string_view>& f) {
    if (f.size() < 3 || f[0].empty()) return;
    GroupLine line{std::string(f[0]), NumberIn(f[2]), {}};
    if (f.size() > 3) line.members = absl::StrSplit(f[3], ',', absl::SkipEmpty());
    lines.push_back(std::move(line));
  });
  return lines;
}

// Whether the text is meant as a number. What starts like one never falls back to
// a name: the image decides what its names mean (CVE-2024-40635).
bool LooksNumeric(absl::string_view text) {
  return !text.empty() && (absl::ascii_isdigit(text[0]) || text[0] == '+' || text[0] == '-' ||
                           absl::ascii_isspace(text[0]));
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  if (name.empty()) return BadField(field, "is empty");
  if (name.size() > kMaxName) return BadField(field, "is longer than 256 characters");
  for (const char c : name) {
    if (!absl::ascii_isgraph(c) || c == ':' || c == '/' || c == ',') {
      return BadField(field, absl::StrCat(Quoted(name), " is not a name"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> CheckId(absl::string_view field, int64_t value) {
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) {
    return BadField(field, absl::StrCat(value, " is not between 0 and 2147483647"));
  }
  return static_cast<uint32_t>(value);
}

std::string SafeHome(const std::string& home) {
  const bool safe = !home.empty() && home.front() == '/' && home.size() <= kMaxHome &&
                    !HasControl(home) && !absl::StrContains(home, '\\') && IsUtf8(home);
  return safe ? home : "/";
}

// The user and group as texts, each with the field that it came from.
struct Wanted {
  std::string user_field, user;
  std::string group_field, group;  // "" : the user's own.
};

absl::StatusOr<Wanted> WantedFrom(const runtime::v1::LinuxContainerSecurityContext& context,
                                  const std::string& image_user) {
  Wanted wanted;
  if (context.has_run_as_user() && !context.run_as_username().empty()) {
    return BadField(absl::StrCat(kContext, "run_as_username"), "is set beside run_as_user");
  }
  if (context.has_run_as_user()) {
    wanted.user_field = absl::StrCat(kContext, "run_as_user");
    wanted.user = absl::StrCat(context.run_as_user().value());
  } else if (!context.run_as_username().empty()) {
    wanted.user_field = absl::StrCat(kContext, "run_as_username");
    wanted.user = context.run_as_username();
  } else if (context.has_run_as_group()) {
    return BadField(absl::StrCat(kContext, "run_as_group"),
                    "is set without run_as_user or run_as_username");
  } else if (!image_user.empty()) {
    const size_t colon = image_user.find(':');
    wanted.user_field = "image user";
    wanted.user = image_user.substr(0, colon);
    if (colon != std::string::npos) {
      wanted.group_field = "image user's group";
      wanted.group = image_user.substr(colon + 1);
      if (wanted.group.empty()) return BadField(wanted.group_field, "is empty");
    }
  } else {
    wanted.user_field = "image user";
    wanted.user = "0";
  }
  if (context.has_run_as_group()) {
    wanted.group_field = absl::StrCat(kContext, "run_as_group");
    wanted.group = absl::StrCat(context.run_as_group().value());
  }
  return wanted;
}

// Fills uid, gid and home; `name` is what /etc/group knows the user by, if anything.
absl::Status LookUpUser(const Wanted& wanted, const std::vector<PasswdLine>& passwd,
                        ResolvedUser* user, std::string* name) {
  const auto take = [&](const PasswdLine& line) {
    *name = line.name;
    user->gid = line.gid.value_or(0);
    user->home = SafeHome(line.home);
  };
  if (LooksNumeric(wanted.user)) {
    CRISP_ASSIGN_OR_RETURN(user->uid, ParseId(wanted.user_field, wanted.user));
    for (const PasswdLine& line : passwd) {
      if (line.uid != user->uid || !line.gid) continue;
      take(line);
      break;
    }
    return absl::OkStatus();
  }
  CRISP_RETURN_IF_ERROR(CheckName(wanted.user_field, wanted.user));
  for (const PasswdLine& line : passwd) {
    if (line.name != wanted.user) continue;
    if (!line.uid || !line.gid) {
      return BadField(wanted.user_field,
                      absl::StrCat("the image's /etc/passwd gives ", Quoted(wanted.user),
                                   " a uid or gid that is not a number between "
                                   "0 and 2147483647"));
    }
    user->uid = *line.uid;
    take(line);
    return absl::OkStatus();
  }
  if (wanted.user == "root") return absl::OkStatus();  // 0:0 with or without a passwd file.
  return BadField(wanted.user_field,
                  absl::StrCat("no user ", Quoted(wanted.user), " in the image's /etc/passwd"));
}

absl::Status LookUpGroup(const Wanted& wanted, const std::vector<GroupLine>& groups,
                         ResolvedUser* user) {
  if (wanted.group.empty()) return absl::OkStatus();
  if (LooksNumeric(wanted.group)) {
    CRISP_ASSIGN_OR_RETURN(user->gid, ParseId(wanted.group_field, wanted.group));
    return absl::OkStatus();
  }
  CRISP_RETURN_IF_ERROR(CheckName(wanted.group_field, wanted.group));
  for (const GroupLine& line : groups) {
    if (line.name != wanted.group || !line.gid) continue;
    user->gid = *line.gid;
    return absl::OkStatus();
  }
  if (wanted.group == "root") {
    user->gid = 0;
    return absl::OkStatus();
  }
  return BadField(wanted.group_field,
                  absl::StrCat("no group ", Quoted(wanted.group), " in the image's /etc/group"));
}

}  // namespace

absl::StatusOr<uint32_t> ParseId(absl::string_view field, absl::string_view text) {
  uint64_t value = 0;
  bool digits = !text.empty() && text.size() <= 10;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) digits = false;
    if (digits) value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (!digits || value > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
    return BadField(field, absl::StrCat(Quoted(text), " is not a number between 0 and 2147483647"));
  }
  return static_cast<uint32_t>(value);
}

absl::StatusOr<ResolvedUser> ResolveUser(
    const runtime::v1::LinuxContainerSecurityContext& security_context,
    const std::string& image_user, int rootfs_fd) {
  CRISP_ASSIGN_OR_RETURN(const Wanted wanted, WantedFrom(security_context, image_user));
  CRISP_ASSIGN_OR_RETURN(const std::string passwd_text, ReadDatabase(rootfs_fd, "etc/passwd"));
  CRISP_ASSIGN_OR_RETURN(const std::string group_text, ReadDatabase(rootfs_fd, "etc/group"));
  const std::vector<GroupLine> groups = ParseGroup(group_text);

  ResolvedUser user;
  std::string name;
  CRISP_RETURN_IF_ERROR(LookUpUser(wanted, ParsePasswd(passwd_text), &user, &name));
  CRISP_RETURN_IF_ERROR(LookUpGroup(wanted, groups, &user));

  std::set<uint32_t> gids = {user.gid};
  for (int i = 0; i < security_context.supplemental_groups_size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(const uint32_t gid,
                           CheckId(absl::StrCat(kContext, "supplemental_groups[", i, "]"),
                                   security_context.supplemental_groups(i)));
    gids.insert(gid);
  }
  const auto policy = security_context.supplemental_groups_policy();
  if (policy == runtime::v1::SupplementalGroupsPolicy::Merge) {
    for (const GroupLine& line : groups) {
      const bool member = !name.empty() && std::find(line.members.begin(), line.members.end(),
                                                     name) != line.members.end();
      if (member && line.gid) gids.insert(*line.gid);
    }
  } else if (policy != runtime::v1::SupplementalGroupsPolicy::Strict) {
    return BadField(absl::StrCat(kContext, "supplemental_groups_policy"),
                    absl::StrCat(static_cast<int>(policy), " is not a known policy"));
  }
  if (gids.size() > kMaxGroups) {
    return BadField(absl::StrCat(kContext, "supplemental_groups"), "more than 65536 groups");
  }
  user.additional_gids.assign(gids.begin(), gids.end());
  return user;
}

}  // namespace crisp::cri
