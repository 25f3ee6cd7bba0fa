// Which signal stops a container: the request's, the image's, or SIGTERM.
//
// Threads: free functions.
// Errors:  InvalidArgument for a signal that does not exist.
#ifndef CRISP_CRI_SPEC_STOP_SIGNAL_H_
#define CRISP_CRI_SPEC_STOP_SIGNAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// "SIGTERM", "term", "15", "SIGRTMIN+3", "RTMAX-1" -> the kernel's number, 1 to 64.
absl::StatusOr<int> ParseSignal(absl::string_view text);

absl::StatusOr<int> EffectiveStopSignal(runtime::v1::Signal requested,
                                        const std::string& image_stop_signal);

// The kernel's number as CRI names it in ContainerStatus.
runtime::v1::Signal SignalToCri(int number);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_STOP_SIGNAL_H_
