#include "netns/cni/plugin_runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/sys.h"
#include "netns/cni/bounded_json.h"
#include "netns/cni/network_config.h"
#include "netns/cni/result.h"

namespace crisp::netns {
namespace {

// Plugins execute iptables, sysctl and the like by name.
constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr size_t kMaxOutput = 1 << 20;
constexpr absl::Duration kMaxProbe = absl::Seconds(5);
// An installer may still hold the plugin open for writing.
constexpr int kBusyAttempts = 5;
constexpr absl::Duration kBusyPause = absl::Milliseconds(200);

absl::StatusOr<ProcessResult> RunUnlessBusy(const ProcessSpec& process) {
  for (int attempt = 1;; ++attempt) {
    auto result = RunProcess(process);
    if (ErrnoOf(result.status()) != ETXTBSY || attempt == kBusyAttempts) return result;
    absl::SleepFor(kBusyPause);
  }
}

}  // namespace

absl::StatusOr<std::string> PluginRunner::Find(const std::string& type) const {
  CRISP_RETURN_IF_ERROR(ValidatePluginType(type));
  for (const std::string& dir : bin_dirs_) {
    std::string path = JoinPath(dir, type);
    struct stat st;
    if (::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) &&
        ::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("CNI plugin ", type, " is not in ", absl::StrJoin(bin_dirs_, ", ")));
}

absl::StatusOr<std::string> PluginRunner::Run(const nlohmann::json& config,
                                              const PluginCall& call) const {
  const std::string type = StringMember(config, "type");
  CRISP_ASSIGN_OR_RETURN(const std::string path, Find(type));
  const ProcessSpec process{
      .argv = {path},
      .environment = {kPath, absl::StrCat("CNI_COMMAND=", call.command),
                      absl::StrCat("CNI_CONTAINERID=", call.container_id),
                      absl::StrCat("CNI_NETNS=", call.netns_path),
                      absl::StrCat("CNI_IFNAME=", call.interface_name),
                      absl::StrCat("CNI_ARGS=", call.args),
                      absl::StrCat("CNI_PATH=", absl::StrJoin(bin_dirs_, ":"))},
      .stdin_data = JsonText(config),
      .timeout = call.command == "VERSION" ? std::min(timeout_, kMaxProbe) : timeout_,
      .max_output_bytes = kMaxOutput};
  CRISP_ASSIGN_OR_RETURN(ProcessResult result,
                         Annotate(RunUnlessBusy(process), "CNI plugin ", type, " ", call.command));
  if (result.exit_code != 0) {
    return Annotate(ParseError(result.out, result.err, result.exit_code), "CNI plugin ", type, " ",
                    call.command);
  }
  return std::move(result.out);
}

absl::StatusOr<std::vector<std::string>> PluginRunner::Versions(const std::string& type) {
  CRISP_ASSIGN_OR_RETURN(const std::string path, Find(type));
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", path), [&] { return ::stat(path.c_str(), &st); }));
  const std::string build = absl::StrCat(path, " ", st.st_dev, ":", st.st_ino, " ", st.st_size, " ",
                                         st.st_mtim.tv_sec, ".", st.st_mtim.tv_nsec);
  {
    absl::MutexLock lock(&mu_);
    if (auto it = versions_.find(build); it != versions_.end()) return it->second;
  }
  // Plugins of old insist on all variables, even for this command.
  const nlohmann::json config = {{"type", type}, {"cniVersion", "1.0.0"}};
  CRISP_ASSIGN_OR_RETURN(
      const std::string output,
      Run(config, {.command = "VERSION", .netns_path = "dummy", .interface_name = "dummy"}));
  CRISP_ASSIGN_OR_RETURN(std::vector<std::string> versions,
                         Annotate(ParseVersions(output), "CNI plugin ", type, " VERSION"));
  absl::MutexLock lock(&mu_);
  return versions_[build] = std::move(versions);
}

}  // namespace crisp::netns
