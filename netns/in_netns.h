// Runs a function inside a network namespace.
//
// Threads: safe. The function runs on a thread of its own that ends with it, so
//          no thread of the caller's ever changes namespace. The caller waits.
// Errors:  the function's own; errno if the namespace cannot be entered.
#ifndef CRISP_NETNS_IN_NETNS_H_
#define CRISP_NETNS_IN_NETNS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace crisp::netns {

// Calls `body` in the namespace behind `netns_fd`, a borrowed descriptor.
absl::Status RunInNetNs(int netns_fd, const std::function<absl::Status()>& body);

// The same for the namespace pinned at `path`.
absl::Status RunInNetNs(const std::string& path, const std::function<absl::Status()>& body);

// Calls `body` on a fresh thread in the caller's namespace; what it unshares ends
// with the thread.
absl::Status RunOnThread(const std::function<absl::Status()>& body);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_IN_NETNS_H_
