// SHA-256 digests as OCI spells them, and the chain ids that snapshots are named by.
//
// Threads: free functions.
#ifndef CRISP_CRI_CONTAINERD_DIGEST_H_
#define CRISP_CRI_CONTAINERD_DIGEST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

// "sha256:" and 64 lower-case hex digits.
std::string Sha256Digest(absl::string_view data);

// InvalidArgument unless `digest` is a well-formed sha256 digest.
absl::Status ValidateDigest(absl::string_view digest);

// The chain id of each layer, lowest first: the first is its own diff id, each
// further one hashes its parent's chain id, a space and its diff id.
std::vector<std::string> ChainIds(const std::vector<std::string>& diff_ids);

// The top one; empty for no layers.
std::string ChainId(const std::vector<std::string>& diff_ids);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_DIGEST_H_
