#include "cri/containerd/digest.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace crisp::cri {
namespace {

constexpr char kAlgorithm[] = "sha256:";

}  // namespace

std::string Sha256Digest(absl::string_view data) {
  unsigned char sum[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), sum);
  return absl::StrCat(kAlgorithm, absl::BytesToHexString(absl::string_view(
                                      reinterpret_cast<const char*>(sum), sizeof(sum))));
}

absl::Status ValidateDigest(absl::string_view digest) {
  absl::string_view hex = digest;
  const bool good =
      absl::ConsumePrefix(&hex, kAlgorithm) && hex.size() == 2 * SHA256_DIGEST_LENGTH &&
      std::all_of(hex.begin(), hex.end(),
                  [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", digest.substr(0, 128), "\" is not a sha256 digest"));
}

std::vector<std::string> ChainIds(const std::vector<std::string>& diff_ids) {
  std::vector<std::string> chain;
  for (const std::string& diff_id : diff_ids) {
    chain.push_back(chain.empty() ? diff_id
                                  : Sha256Digest(absl::StrCat(chain.back(), " ", diff_id)));
  }
  return chain;
}

std::string ChainId(const std::vector<std::string>& diff_ids) {
  return diff_ids.empty() ? std::string() : ChainIds(diff_ids).back();
}

}  // namespace crisp::cri
