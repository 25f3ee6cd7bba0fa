// Kubernetes' rules for names, label keys and label values.
//
// Each answers with what is wrong, in Kubernetes' words, or with nothing.
// Threads: free functions.
#ifndef CRISP_AGENT_MANIFEST_NAMES_H_
#define CRISP_AGENT_MANIFEST_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace crisp::agent {

// Names of containers, volumes and namespaces: RFC 1123 labels.
std::string LabelNameError(absl::string_view name);
// Names of objects: RFC 1123 subdomains.
std::string SubdomainError(absl::string_view name);
// "app", "example.com/app".
std::string LabelKeyError(absl::string_view key);
std::string LabelValueError(absl::string_view value);
// A key of a ConfigMap or Secret.
std::string DataKeyError(absl::string_view key);
// Names of ports: at most 15 characters, one letter among them (RFC 6335).
std::string PortNameError(absl::string_view name);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_NAMES_H_
