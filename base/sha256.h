// SHA-256 (FIPS 180-4), for names derived from longer ones in programs that link no crypto
// library.
#ifndef CRISP_BASE_SHA256_H_
#define CRISP_BASE_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace crisp {

std::string Sha256Hex(absl::string_view data);  // 64 lower-case digits.

}  // namespace crisp

#endif  // CRISP_BASE_SHA256_H_
