// Identifiers: those that crisp makes and those that it accepts.
#ifndef CRISP_BASE_IDS_H_
#define CRISP_BASE_IDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp {

// 64 lower-case hex digits from the kernel's random source: the form that
// kubelet's cAdvisor recognises in a cgroup's name.
std::string NewId();

// `digits` random lower-case hex digits.
std::string RandomHex(int digits);

// containerd's rule for names that become path elements: 1 to 76 characters of
// [A-Za-z0-9] joined by single [._-]. InvalidArgument says which rule broke.
absl::Status ValidateIdentifier(absl::string_view field, absl::string_view id);

// RFC 1123 label (at most 63) and subdomain (at most 253), as Kubernetes names are.
bool IsDnsLabel(absl::string_view name);
bool IsDnsSubdomain(absl::string_view name);

}  // namespace crisp

#endif  // CRISP_BASE_IDS_H_
