// ConfigMap and Secret documents as the messages that the node stores.
#ifndef CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_
#define CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::agent {

// The namespace stays empty if none stands in the document.
absl::StatusOr<crisp::volumes::v1::ConfigMap> ReadConfigMap(const nlohmann::json& document);
absl::StatusOr<crisp::volumes::v1::Secret> ReadSecret(const nlohmann::json& document);

// A key of a ConfigMap or Secret: letters, digits, '-', '_' and '.', at most 253,
// not "." and nothing that begins with "..". InvalidArgument says which rule broke.
absl::Status CheckDataKey(absl::string_view key);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_
