#include "cri/main/pause_rootfs.h"

#include <unistd.h>

#include <climits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxBinaryBytes = 8 << 20;

std::vector<std::string> Candidates(const std::string& binary) {
  if (!binary.empty()) return {binary};
  std::vector<std::string> candidates;
  char self[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof(self));
  if (n > 0) {
    const std::string path(self, static_cast<size_t>(n));
    candidates.push_back(path.substr(0, path.rfind('/')) + "/crisp-pause");
  }
  candidates.push_back("/usr/libexec/crisp/crisp-pause");
  return candidates;
}

absl::StatusOr<std::string> ReadBinary(const std::vector<std::string>& candidates) {
  for (const std::string& path : candidates) {
    absl::StatusOr<std::string> content = ReadFile(path, kMaxBinaryBytes);
    if (content.ok() || ErrnoOf(content.status()) != ENOENT) return content;
  }
  return absl::NotFoundError(absl::StrCat("no crisp-pause at ", absl::StrJoin(candidates, " or "),
                                          "; set pause_binary in the configuration"));
}

}  // namespace

absl::StatusOr<std::string> MakePauseRootfs(const std::string& root, const std::string& binary) {
  CRISP_ASSIGN_OR_RETURN(const std::string content, ReadBinary(Candidates(binary)));
  const std::string directory = JoinPath(root, "pause");
  // The runtime mounts over these and cannot make them: the root is read-only.
  for (const char* mount_point : {"dev", "proc", "sys"}) {
    CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(directory, mount_point), 0755));
  }
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(JoinPath(directory, "pause"), content, 0555));
  return directory;
}

}  // namespace crisp::cri
