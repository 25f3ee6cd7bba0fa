// A pod's user namespace as CRI asks for it: its rules, its maps, and the ids that they
// make of others.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the field.
#ifndef CRISP_CRI_SPEC_USER_NAMESPACE_H_
#define CRISP_CRI_SPEC_USER_NAMESPACE_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

using IdMappings = google::protobuf::RepeatedPtrField<runtime::v1::IDMapping>;

// The namespace that the pod asks for, or null: its processes are in the host's.
const runtime::v1::UserNamespace* UserNamespaceOf(const runtime::v1::PodSandboxConfig& pod);

// namespace_options of a sandbox, `prefix` is their name with a dot: mode POD or NODE; with
// POD one map each for users and groups, the same, that has container id 0, and no other
// namespace of the host's.
absl::Status ValidateUserNamespace(const std::string& prefix,
                                   const runtime::v1::NamespaceOption& options);

// namespace_options of a container: the sandbox's own user namespace, or not said.
absl::Status CheckSameUserNamespace(const std::string& prefix,
                                    const runtime::v1::NamespaceOption& container,
                                    const runtime::v1::PodSandboxConfig& pod);

// Maps of a mount: both or none, and only in a pod with a user namespace.
absl::Status ValidateMountMappings(const std::string& field, const runtime::v1::Mount& mount,
                                   const runtime::v1::PodSandboxConfig& pod);

// OCI [{containerID, hostID, size}].
nlohmann::json MappingsToOci(const IdMappings& mappings);

// The host's id for `inside`; OutOfRange if no map has it.
absl::StatusOr<uint32_t> OutsideId(const IdMappings& mappings, uint32_t inside);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_USER_NAMESPACE_H_
