#include "shim/launch/capability_names.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/strip.h"
#include "base/capability_names.h"

namespace crisp::shim {

int CapabilityByName(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "CAP_")) return -1;
  for (size_t number = 0; number < std::size(kCapabilityNames); ++number) {
    if (name == kCapabilityNames[number]) return static_cast<int>(number);
  }
  return -1;
}

}  // namespace crisp::shim
