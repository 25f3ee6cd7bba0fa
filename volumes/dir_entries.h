// The names in a directory, sorted, without "." and "..".
//
// Threads: free function. Errors: errno kept.
#ifndef CRISP_VOLUMES_DIR_ENTRIES_H_
#define CRISP_VOLUMES_DIR_ENTRIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp::volumes {

// `dirfd` is borrowed and may be listed again.
absl::StatusOr<std::vector<std::string>> DirEntries(int dirfd);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_DIR_ENTRIES_H_
