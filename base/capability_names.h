// Linux capabilities by their names, as OCI specs and CRI requests spell them.
#ifndef CRISP_BASE_CAPABILITY_NAMES_H_
#define CRISP_BASE_CAPABILITY_NAMES_H_

#include <linux/capability.h>

#include <string>

#include "absl/strings/string_view.h"

namespace crisp {

// Those that have a name; a newer kernel may have more.
inline constexpr int kCapabilityCount = CAP_LAST_CAP + 1;

// "CAP_CHOWN" -> 0; -1 if nothing has that name.
int CapabilityByName(absl::string_view name);

// 0 -> "CAP_CHOWN"; `number` is below kCapabilityCount.
std::string CapabilityName(int number);

}  // namespace crisp

#endif  // CRISP_BASE_CAPABILITY_NAMES_H_
