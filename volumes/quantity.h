// Kubernetes' resource quantities: "64Mi", "1.5G", "500m", "1e3".
//
// Threads: free function.
#ifndef CRISP_VOLUMES_QUANTITY_H_
#define CRISP_VOLUMES_QUANTITY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::volumes {

// `text` in units of 1/`units_per_one` (1: bytes or cores, 1000: milli-cores),
// rounded up. InvalidArgument when it is no quantity, is negative, or too large.
absl::StatusOr<int64_t> ParseQuantity(absl::string_view text, int64_t units_per_one);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_QUANTITY_H_
