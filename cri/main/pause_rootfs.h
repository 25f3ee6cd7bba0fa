// The root filesystem of every pause process: one read-only directory for the
// node, made from the crisp-pause binary. No image, no registry, no snapshot.
//
// Threads: for start-up.
// Errors:  NotFound says where the binary was looked for.
// Crash:   made anew on every start; running pods keep the inode that they have.
#ifndef CRISP_CRI_MAIN_PAUSE_ROOTFS_H_
#define CRISP_CRI_MAIN_PAUSE_ROOTFS_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

// `binary` empty: beside this executable, then in /usr/libexec/crisp. Returns the
// directory, <root>/pause.
absl::StatusOr<std::string> MakePauseRootfs(const std::string& root, const std::string& binary);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_PAUSE_ROOTFS_H_
