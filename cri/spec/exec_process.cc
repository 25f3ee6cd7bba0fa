#include "cri/spec/exec_process.h"

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "cri/spec/process.h"

namespace crisp::cri {

absl::StatusOr<nlohmann::json> BuildExecProcess(const nlohmann::json& container_spec,
                                                const std::vector<std::string>& argv, bool tty) {
  CRISP_RETURN_IF_ERROR(CheckWords("cmd", argv));
  const auto process = container_spec.find("process");
  if (process == container_spec.end() || !process->is_object()) {
    return absl::InvalidArgumentError("container spec: no process");
  }
  nlohmann::json out = *process;
  out["args"] = argv;
  out["terminal"] = tty;
  out.erase("consoleSize");
  if (tty) {
    std::vector<std::string> env;
    if (const auto have = out.find("env"); have != out.end() && have->is_array()) {
      for (const nlohmann::json& entry : *have) {
        if (entry.is_string()) env.push_back(entry.get<std::string>());
      }
    }
    if (!HasEnv(env, "TERM")) env.push_back("TERM=xterm");
    out["env"] = env;
  }
  return out;
}

}  // namespace crisp::cri
