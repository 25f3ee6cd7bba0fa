// How a session ended, as clients read it from the error stream.
//
// Threads: free functions.
#ifndef CRISP_CRI_STREAMING_STREAM_STATUS_H_
#define CRISP_CRI_STREAMING_STREAM_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::cri {

// A Kubernetes Status (metav1.Status) in JSON, for v4 and v5: success for exit code 0,
// the code where there is another, an internal error for a failure.
std::string StatusJson(const absl::StatusOr<int>& exit_code);

// Before v4: empty on success, else what went wrong, in words.
std::string StatusText(const absl::StatusOr<int>& exit_code);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_STREAM_STATUS_H_
