// ConfigMap and Secret documents as the messages that the node stores.
#ifndef CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_
#define CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "agent/manifest/field_errors.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::agent {

// The namespace stays empty if none stands in the document.
absl::StatusOr<crisp::volumes::v1::ConfigMap> ReadConfigMap(const nlohmann::json& document);
absl::StatusOr<crisp::volumes::v1::Secret> ReadSecret(const nlohmann::json& document);

// The same, for who wants to say all that is wrong. What comes back is of use only without errors.
crisp::volumes::v1::ConfigMap ReadConfigMap(const nlohmann::json& document, FieldErrors* errors);
crisp::volumes::v1::Secret ReadSecret(const nlohmann::json& document, FieldErrors* errors);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_OBJECT_DOCUMENTS_H_
