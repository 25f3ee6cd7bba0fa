// Kubernetes resource quantities: "500m", "1.5", "64Mi", "1e3".
#ifndef CRISP_AGENT_MANIFEST_QUANTITY_H_
#define CRISP_AGENT_MANIFEST_QUANTITY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

// The quantity in thousandths, rounded up as Kubernetes rounds. InvalidArgument
// says what is wrong; negative and overflowing quantities are refused.
absl::StatusOr<int64_t> ParseMilliQuantity(absl::string_view text);

// The quantity in whole units, rounded up.
absl::StatusOr<int64_t> ParseQuantity(absl::string_view text);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_QUANTITY_H_
