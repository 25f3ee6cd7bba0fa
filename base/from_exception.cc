#include "base/from_exception.h"

#include <new>

namespace crisp {

absl::Status FromException(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return absl::ResourceExhaustedError("out of memory");
  }
  return absl::InternalError(error.what());
}

}  // namespace crisp
