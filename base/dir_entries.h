// The names in a directory, sorted, without "." and "..".
//
// Threads: free function. Errors: errno kept.
#ifndef CRISP_BASE_DIR_ENTRIES_H_
#define CRISP_BASE_DIR_ENTRIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp {

// `dirfd` is borrowed and may be listed again.
absl::StatusOr<std::vector<std::string>> DirEntries(int dirfd);

}  // namespace crisp

#endif  // CRISP_BASE_DIR_ENTRIES_H_
