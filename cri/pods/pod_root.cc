#include "cri/pods/pod_root.h"

#include <fcntl.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxCgroupFile = 64 << 10;

// A pid alone may be a stranger's by now: only pause is in pause's cgroup. The
// directory's descriptor stays with the process that it was opened for.
absl::Status CheckIsPause(int process, const Pod& pod) {
  const auto text = ReadFileAt(process, "cgroup", kMaxCgroupFile);
  if (text.ok()) {
    const std::string suffix = absl::StrCat(":", pod.cgroup_path());
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      if (absl::EndsWith(line, suffix)) return absl::OkStatus();
    }
  }
  return absl::NotFoundError("the pause process is gone");
}

}  // namespace

absl::StatusOr<UniqueFd> OpenPodRoot(const Pod& pod) {
  const pid_t pid = static_cast<pid_t>(
      pod.facts().Read([](const state::v1::PodRecord& facts) { return facts.pause_pid(); }));
  if (pid <= 0) return absl::NotFoundError("there is no pause process");
  const absl::StatusOr<UniqueFd> process = OpenDir(absl::StrCat("/proc/", pid));
  if (!process.ok()) return absl::NotFoundError("the pause process is gone");
  CRISP_RETURN_IF_ERROR(CheckIsPause(process->get(), pod));
  // A magic link, which is what is wanted here and OpenBeneath refuses.
  auto root = SysFd("open the root of the pause process", [&] {
    return ::openat(process->get(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
  });
  // Between the check and here it may have ended.
  if (!root.ok() && (ErrnoOf(root.status()) == ENOENT || ErrnoOf(root.status()) == ESRCH)) {
    return absl::NotFoundError("the pause process is gone");
  }
  return root;
}

}  // namespace crisp::cri
