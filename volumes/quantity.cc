#include "volumes/quantity.h"

#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp::volumes {
namespace {

// A scale is 2^binary * 10^decimal.
struct Suffix {
  absl::string_view text;
  int binary;
  int decimal;
};

constexpr Suffix kSuffixes[] = {
    {"", 0, 0},    {"n", 0, -9},  {"u", 0, -6},  {"m", 0, -3},  {"k", 0, 3},   {"M", 0, 6},
    {"G", 0, 9},   {"T", 0, 12},  {"P", 0, 15},  {"E", 0, 18},  {"Ki", 10, 0}, {"Mi", 20, 0},
    {"Gi", 30, 0}, {"Ti", 40, 0}, {"Pi", 50, 0}, {"Ei", 60, 0},
};

// So many digits that any number of them still fits into 128 bits.
constexpr int kMaxDigits = 18;
constexpr int kMaxExponent = 18;

bool ReadScale(absl::string_view text, Suffix& scale) {
  for (const Suffix& suffix : kSuffixes) {
    if (text == suffix.text) {
      scale = suffix;
      return true;
    }
  }
  if (text.size() < 2 || (text.front() != 'e' && text.front() != 'E')) return false;
  int exponent = 0;
  if (!absl::SimpleAtoi(text.substr(1), &exponent)) return false;
  if (exponent < -kMaxExponent || exponent > kMaxExponent) return false;
  scale = {text, 0, exponent};
  return true;
}

}  // namespace

absl::StatusOr<int64_t> ParseQuantity(absl::string_view text, int64_t units_per_one) {
  const auto refuse = [text](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CEscape(text.substr(0, 64)), "' ", why));
  };
  absl::string_view rest = text;
  if (!rest.empty() && rest.front() == '-') return refuse("is a negative quantity");
  if (!rest.empty() && rest.front() == '+') rest.remove_prefix(1);
  unsigned __int128 number = 0;
  int digits = 0;
  int significant = 0;
  int fraction = 0;
  bool point = false;
  while (!rest.empty()) {
    const char c = rest.front();
    if (c == '.' && !point) {
      point = true;
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      ++digits;
      if (number != 0 || c != '0') ++significant;
      if (significant > kMaxDigits || fraction > kMaxDigits) return refuse("has too many digits");
      number = number * 10 + static_cast<unsigned>(c - '0');
      if (point) ++fraction;
    } else {
      break;
    }
    rest.remove_prefix(1);
  }
  Suffix scale;
  if (digits == 0 || !ReadScale(rest, scale)) {
    return refuse("is not a quantity such as 64Mi, 1.5G or 500m");
  }
  if (number == 0) return 0;
  const auto limit = static_cast<unsigned __int128>(std::numeric_limits<int64_t>::max());
  // Below 10^18 * 10^3 here, so one more factor of up to 2^60 overflows: check each.
  const auto multiply = [&number](uint64_t factor) {
    const unsigned __int128 most = ~static_cast<unsigned __int128>(0);
    if (number > most / factor) return false;
    number *= factor;
    return true;
  };
  if (!multiply(static_cast<uint64_t>(units_per_one)) || !multiply(uint64_t{1} << scale.binary)) {
    return refuse("is too large");
  }
  int power = scale.decimal - fraction;
  for (; power > 0; --power) {
    if (!multiply(10)) return refuse("is too large");
  }
  bool inexact = false;
  for (; power < 0; ++power) {
    if (number % 10 != 0) inexact = true;
    number /= 10;
  }
  if (inexact) ++number;
  if (number > limit) return refuse("is too large");
  return static_cast<int64_t>(number);
}

}  // namespace crisp::volumes
