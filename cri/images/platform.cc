#include "cri/images/platform.h"

#include <sys/utsname.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp::cri {
namespace {

// Ranks of the 32-bit sisters of amd64 and arm64 lie after every variant of these.
constexpr int kSisterRank = 100;

// "v3" -> 3, "v8.2" -> 8; 0 if it is not a variant of that form.
int VariantNumber(absl::string_view variant) {
  if (variant.size() < 2 || variant[0] != 'v') return 0;
  int number = 0;
  const absl::string_view digits = variant.substr(1, variant.find('.') - 1);
  return absl::SimpleAtoi(digits, &number) && number > 0 && number < kSisterRank ? number : 0;
}

int VariantOrBaseline(const Platform& platform) {
  if (!platform.variant.empty()) return VariantNumber(platform.variant);
  return platform.architecture == "arm64" ? 8 : 1;
}

}  // namespace

std::string Platform::ToString() const {
  return absl::StrCat(os, "/", architecture, variant.empty() ? "" : "/", variant);
}

Platform Normalise(Platform platform) {
  absl::AsciiStrToLower(&platform.os);
  absl::AsciiStrToLower(&platform.architecture);
  absl::AsciiStrToLower(&platform.variant);
  std::string& arch = platform.architecture;
  std::string& variant = platform.variant;
  if (!variant.empty() && absl::ascii_isdigit(variant[0])) variant = absl::StrCat("v", variant);
  if (arch == "x86_64" || arch == "x86-64") arch = "amd64";
  if (arch == "i386" || arch == "i486" || arch == "i586" || arch == "i686") arch = "386";
  if (arch == "aarch64") arch = "arm64";
  if (arch == "armhf") arch = "arm", variant = "v7";
  if (arch == "armel") arch = "arm", variant = "v6";
  if (arch == "amd64" && variant == "v1") variant.clear();
  if (arch == "arm64" && (variant == "v8" || variant == "v8.0")) variant.clear();
  if (arch == "arm" && variant.empty()) variant = "v7";
  if (arch == "386") variant.clear();
  return platform;
}

Platform HostPlatform() {
  utsname names;
  Platform host;
  // uname(2) fails only for a bad address.
  if (::uname(&names) == 0) host.architecture = names.machine;
  if (host.architecture == "armv7l") host = {"linux", "arm", "v7"};
  if (host.architecture == "armv6l") host = {"linux", "arm", "v6"};
  return Normalise(host);
}

absl::optional<int> RankPlatform(const Platform& host, const Platform& offered) {
  const Platform image = Normalise(offered);
  if (image.os != host.os) return absl::nullopt;
  if (image.architecture == host.architecture) {
    if (image.variant == host.variant) return 0;
    const int have = VariantOrBaseline(host);
    const int want = VariantOrBaseline(image);
    if (have == 0 || want == 0 || want > have) return absl::nullopt;
    return have - want + 1;
  }
  if (host.architecture == "amd64" && image.architecture == "386") return kSisterRank;
  if (host.architecture == "arm64" && image.architecture == "arm") {
    const int want = VariantNumber(image.variant);
    if (want < 5 || want > 8) return absl::nullopt;
    return kSisterRank + 8 - want;
  }
  return absl::nullopt;
}

}  // namespace crisp::cri
