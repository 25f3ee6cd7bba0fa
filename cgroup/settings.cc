#include "cgroup/settings.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cgroup {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

std::string FirstWord(absl::string_view text) {
  return std::string(text.substr(0, text.find(' ')));
}

// What puts `setting`'s file back to `before`, its text now.
std::string UndoValue(const Setting& setting, absl::string_view before) {
  switch (setting.undo) {
    case Setting::Undo::kWhole: {
      const absl::string_view value = absl::StripSuffix(before, "\n");
      // Nothing is written by a write of no bytes; a newline empties a list.
      return value.empty() ? "\n" : std::string(value);
    }
    case Setting::Undo::kByKey: {
      const std::string key = absl::StrCat(FirstWord(setting.value), " ");
      for (absl::string_view line : absl::StrSplit(before, '\n')) {
        if (absl::StartsWith(line, key)) return std::string(line);
      }
      return setting.reset;
    }
    case Setting::Undo::kOomControl:
      return absl::StrContains(before, "oom_kill_disable 1") ? "1" : "0";
  }
  return "";
}

}  // namespace

absl::Status WriteSetting(const std::string& file, const std::string& value) {
  // O_TRUNC, as of a shell's redirection, means nothing to the kernel's files.
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", file), [&] {
                           return ::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
                         }));
  return Sys(absl::StrCat("write \"", absl::StripSuffix(value, "\n"), "\" to ", file),
             [&] { return ::write(fd.get(), value.data(), value.size()); });
}

absl::Status AppliedSettings::Apply(const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    const auto before = ReadFile(setting.file, kMaxFileBytes);
    if (ErrnoOf(before.status()) == ENOENT) {
      if (setting.optional) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          setting.field, ": this host's cgroups do not have it (no ", setting.file, ")"));
    }
    CRISP_RETURN_IF_ERROR(Annotate(before.status(), setting.field));
    CRISP_RETURN_IF_ERROR(Annotate(WriteSetting(setting.file, setting.value), setting.field));
    if (std::string value = UndoValue(setting, *before); !value.empty()) {
      undo_.push_back({setting.file, std::move(value)});
    }
  }
  return absl::OkStatus();
}

AppliedSettings::~AppliedSettings() {
  // Backwards, through the states that were valid on the way here.
  for (auto write = undo_.rbegin(); write != undo_.rend(); ++write) {
    (void)WriteSetting(write->file, write->value);
  }
}

}  // namespace crisp::cgroup
