// SHA-256 (FIPS 180-4), for the name of the shim's socket. The shim links no crypto
// library for the sake of one name.
#ifndef CRISP_SHIM_MAIN_SHA256_H_
#define CRISP_SHIM_MAIN_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace crisp::shim {

std::string Sha256Hex(absl::string_view data);  // 64 lower-case digits.

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_SHA256_H_
