// Who a container runs as: CRI's run_as_* and groups, the image's user, and the
// image's own /etc/passwd and /etc/group.
//
// The image is hostile. A user that looks like a number is a number between 0 and
// 2^31-1 or an error, never a name; the two files are opened within the rootfs
// only, must be regular, and are read up to a bound; a line that does not parse
// strictly is not a line.
//
// Threads: free functions. `rootfs_fd` is borrowed.
// Errors:  InvalidArgument naming the CRI field, or "image user".
#ifndef CRISP_CRI_SPEC_USER_H_
#define CRISP_CRI_SPEC_USER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  // What setgroups gets: sorted, without duplicates, the primary gid always in it.
  std::vector<uint32_t> additional_gids = {0};
  std::string home = "/";  // From passwd if it is an absolute printable path.
};

// Decimal digits only, no sign, space or prefix, 0 to 2^31-1.
absl::StatusOr<uint32_t> ParseId(absl::string_view field, absl::string_view text);

// `rootfs_fd` is a directory descriptor of the container's root filesystem; with
// -1 the image has no passwd and group files, so only numbers (and root) resolve.
absl::StatusOr<ResolvedUser> ResolveUser(
    const runtime::v1::LinuxContainerSecurityContext& security_context,
    const std::string& image_user, int rootfs_fd);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_USER_H_
