// A container's root filesystem while it is being made: whatever is looked up or made
// below it goes through here, is resolved once, with the root as "/", and is used by
// descriptor. What the image or a volume put there can lead nowhere else.
//
// Ownership: owns the descriptor of the root.
// Threads:   single-threaded.
// Errors:    errno kept, naming the path.
#ifndef CRISP_SHIM_LAUNCH_ROOT_DIR_H_
#define CRISP_SHIM_LAUNCH_ROOT_DIR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::shim {

class RootDir {
 public:
  RootDir() = default;
  explicit RootDir(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  // `path` is absolute: as the container names it. `flags` as open(2).
  absl::StatusOr<UniqueFd> Open(absl::string_view path, int flags) const;
  // ELOOP if any part of the path is a symbolic link.
  absl::StatusOr<UniqueFd> OpenPlain(absl::string_view path, int flags) const;

  // Makes what is missing, component by component, and opens the last with O_PATH.
  // Links are followed as the container would, dangling ones too.
  absl::StatusOr<UniqueFd> EnsureDirectory(absl::string_view path) const;
  absl::StatusOr<UniqueFd> EnsureFile(absl::string_view path) const;

 private:
  absl::StatusOr<UniqueFd> Ensure(absl::string_view path, bool directory) const;

  UniqueFd fd_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_ROOT_DIR_H_
