#include "cri/main/pause_rootfs.h"

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/main/installed.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxBinaryBytes = 8 << 20;

}  // namespace

absl::StatusOr<std::string> MakePauseRootfs(const std::string& root, const std::string& binary) {
  CRISP_ASSIGN_OR_RETURN(const std::string path,
                         FindInstalled("crisp-pause", binary, "pause_binary"));
  CRISP_ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kMaxBinaryBytes));
  const std::string directory = JoinPath(root, "pause");
  // The runtime mounts over these and cannot make them: the root is read-only.
  for (const char* mount_point : {"dev", "dev/shm", "proc", "sys", "volumes"}) {
    CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(directory, mount_point), 0755));
  }
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(JoinPath(directory, "pause"), content, 0555));
  return directory;
}

}  // namespace crisp::cri
