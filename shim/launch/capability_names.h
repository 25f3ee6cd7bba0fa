// The names of Linux capabilities in OCI specs.
#ifndef CRISP_SHIM_LAUNCH_CAPABILITY_NAMES_H_
#define CRISP_SHIM_LAUNCH_CAPABILITY_NAMES_H_

#include "absl/strings/string_view.h"

namespace crisp::shim {

// "CAP_CHOWN" -> 0; -1 if no kernel knows it.
int CapabilityByName(absl::string_view name);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_CAPABILITY_NAMES_H_
