// The annotations that tools look for in an OCI spec made by a CRI server. Nothing
// of the request's own annotations is copied: runtimes act on some of those.
//
// Threads: free functions.
#ifndef CRISP_CRI_SPEC_ANNOTATIONS_H_
#define CRISP_CRI_SPEC_ANNOTATIONS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

nlohmann::json SandboxAnnotations(const runtime::v1::PodSandboxConfig& config,
                                  const std::string& sandbox_id, const std::string& pause_image);

nlohmann::json ContainerAnnotations(const runtime::v1::ContainerConfig& config,
                                    const runtime::v1::PodSandboxConfig& pod,
                                    const std::string& sandbox_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_ANNOTATIONS_H_
