// The "process" object of an OCI spec; spec_reader.h is the door for others.
#ifndef CRISP_SHIM_LAUNCH_PROCESS_READER_H_
#define CRISP_SHIM_LAUNCH_PROCESS_READER_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

absl::StatusOr<Process> ReadProcess(const nlohmann::json& json, const std::string& path);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_PROCESS_READER_H_
