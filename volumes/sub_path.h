// subPath: one file or directory of a volume, bound so that what the container
// gets is the inode that was checked, whatever happens to the volume's names.
//
//   <pod dir>/volume-subpaths/<volume>/<container>/<index>   the placeholder bound onto
//
// The target is resolved once, by openat2 below the volume's root: symlinks are
// followed while they stay beneath it; an absolute link, a magic link or '..' that
// leaves is refused. (Kubelet accepts an absolute link that resolves inside the
// volume; a container cannot make use of one, for its own paths differ.)
//
// Ownership: owns volume-subpaths/ of each pod.
// Threads:   the caller serialises calls for one pod.
// Errors:    errno kept; messages name the volume's own paths, never the host's.
// Crash:     a half-made placeholder is finished by the next Bind or removed by
//            Remove; both go by what is on disk.
#ifndef CRISP_VOLUMES_SUB_PATH_H_
#define CRISP_VOLUMES_SUB_PATH_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::volumes {

// Opens (O_PATH) `path`, clean and relative, below the volume's root. If it does not
// exist and `make`, makes the directories that lack, with the root's own mode.
// Otherwise NotFound.
absl::StatusOr<UniqueFd> OpenSubPath(int root_fd, const std::string& path, bool make);

struct SubPathPlace {
  std::string volume, container;  // One path element each.
  size_t index = 0;               // Of the mount in the container.
};

struct SubPathMount {
  std::string relative_path;  // Of the placeholder, below the pod's directory.
  bool is_file = false;
};

// Binds what `source_fd` is open on to its placeholder below `pod_fd`. A placeholder
// that shows this inode already is kept; one that shows another is bound anew.
absl::StatusOr<SubPathMount> BindSubPath(int pod_fd, const SubPathPlace& place, int source_fd,
                                         absl::string_view propagation, bool read_only);

// Unmounts and removes the placeholders of one container, or of all with container
// "", and the directories that are then empty. OK if there are none.
absl::Status RemoveSubPaths(int pod_fd, const std::string& container);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_SUB_PATH_H_
