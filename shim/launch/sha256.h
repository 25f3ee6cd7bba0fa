// SHA-256 (FIPS 180-4), for names of cached files: the shim links no crypto library.
//
// Threads: a free function.
#ifndef CRISP_SHIM_LAUNCH_SHA256_H_
#define CRISP_SHIM_LAUNCH_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace crisp::shim {

std::string Sha256Hex(absl::string_view data);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SHA256_H_
