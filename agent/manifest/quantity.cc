#include "agent/manifest/quantity.h"

#include "absl/numeric/int128.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp::agent {
namespace {

struct Suffix {
  absl::string_view text;
  int base;
  int power;
};

constexpr Suffix kSuffixes[] = {
    {"", 10, 0},   {"n", 10, -9}, {"u", 10, -6}, {"m", 10, -3}, {"k", 10, 3},  {"M", 10, 6},
    {"G", 10, 9},  {"T", 10, 12}, {"P", 10, 15}, {"E", 10, 18}, {"Ki", 2, 10}, {"Mi", 2, 20},
    {"Gi", 2, 30}, {"Ti", 2, 40}, {"Pi", 2, 50}, {"Ei", 2, 60},
};

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\" is not a quantity: ", why));
}

absl::StatusOr<Suffix> ParseSuffix(absl::string_view text, absl::string_view suffix) {
  for (const Suffix& known : kSuffixes) {
    if (known.text == suffix) return known;
  }
  int exponent = 0;
  if ((suffix[0] == 'e' || suffix[0] == 'E') && absl::SimpleAtoi(suffix.substr(1), &exponent) &&
      exponent >= -18 && exponent <= 18) {
    return Suffix{"", 10, exponent};
  }
  return Bad(text, "its unit must be one of n u m k M G T P E Ki Mi Gi Ti Pi Ei");
}

// The quantity times 10^scale, rounded up.
absl::StatusOr<int64_t> Parse(absl::string_view text, int scale) {
  absl::string_view rest = text;
  if (!rest.empty() && rest[0] == '+') rest.remove_prefix(1);
  if (!rest.empty() && rest[0] == '-') return Bad(text, "it is negative");
  absl::uint128 mantissa = 0;
  int fraction = 0;
  int digits = 0;
  bool point = false;
  size_t i = 0;
  for (; i < rest.size() && (absl::ascii_isdigit(rest[i]) || (rest[i] == '.' && !point)); ++i) {
    if (rest[i] == '.') {
      point = true;
      continue;
    }
    if (++digits > 24) return Bad(text, "it has too many digits");
    mantissa = mantissa * 10 + static_cast<unsigned>(rest[i] - '0');
    fraction += point ? 1 : 0;
  }
  if (digits == 0) return Bad(text, "it does not begin with a number");
  const absl::StatusOr<Suffix> suffix = ParseSuffix(text, rest.substr(i));
  if (!suffix.ok()) return suffix.status();

  absl::uint128 value = mantissa;
  const absl::uint128 ceiling = absl::Uint128Max() / 2;
  const auto multiply = [&](int base, int times) {
    for (; times > 0; --times) {
      if (value > ceiling / static_cast<unsigned>(base)) return false;
      value *= static_cast<unsigned>(base);
    }
    return true;
  };
  int ten = scale - fraction;
  if (suffix->base == 10) ten += suffix->power;
  if (suffix->base == 2 && !multiply(2, suffix->power)) return Bad(text, "it is too large");
  if (ten > 0 && !multiply(10, ten)) return Bad(text, "it is too large");
  for (bool inexact = false; ten < 0; ++ten) {
    inexact = inexact || value % 10 != 0;
    value /= 10;
    if (ten == -1 && inexact) value += 1;
  }
  if (value > absl::uint128(static_cast<uint64_t>(INT64_MAX))) return Bad(text, "it is too large");
  return static_cast<int64_t>(absl::Uint128Low64(value));
}

}  // namespace

absl::StatusOr<int64_t> ParseMilliQuantity(absl::string_view text) { return Parse(text, 3); }
absl::StatusOr<int64_t> ParseQuantity(absl::string_view text) { return Parse(text, 0); }

}  // namespace crisp::agent
