// The OCI process of a container: what is executed, as whom, with which environment.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the CRI field, or the image's part.
#ifndef CRISP_CRI_SPEC_PROCESS_H_
#define CRISP_CRI_SPEC_PROCESS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/capabilities.h"
#include "cri/spec/host_facts.h"
#include "cri/spec/image_config_view.h"
#include "cri/spec/user.h"

namespace crisp::cri {

// CRI's command replaces the image's entrypoint, and with it the image's cmd;
// CRI's args replace the image's cmd.
absl::StatusOr<std::vector<std::string>> BuildArgs(const runtime::v1::ContainerConfig& config,
                                                   const ImageConfigView& image);

// Defaults, the image's variables, CRI's: a later one takes the place of an earlier.
absl::StatusOr<std::vector<std::string>> BuildEnv(const runtime::v1::ContainerConfig& config,
                                                  const ImageConfigView& image,
                                                  const std::string& hostname,
                                                  const ResolvedUser& user);

// Each word is UTF-8 without NUL, and there is at least one.
absl::Status CheckWords(absl::string_view field, const std::vector<std::string>& words);

// Puts "KEY=value" in the place of another KEY, or at the end.
void SetEnv(std::vector<std::string>* env, const std::string& entry);
bool HasEnv(const std::vector<std::string>& env, absl::string_view key);

struct ProcessInput {
  const runtime::v1::ContainerConfig& config;
  const ImageConfigView& image;
  const ResolvedUser& user;
  const CapabilitySets& capabilities;
  const HostFacts& host;
  std::string hostname;
};
absl::StatusOr<nlohmann::json> BuildProcess(const ProcessInput& input);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_PROCESS_H_
