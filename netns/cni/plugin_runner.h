// Finds and executes CNI plugins.
//
// A plugin gets its configuration on stdin, the CNI_ variables, a PATH and nothing
// else of our environment. It runs in a process group that is killed at the
// deadline, and may print 1 MiB.
//
// Threads: safe.
// Errors:  NotFound if no directory holds the plugin; DeadlineExceeded;
//          ResourceExhausted for endless output; what the plugin reported (see
//          cni/result.h). Each message names plugin and command.
#ifndef CRISP_NETNS_CNI_PLUGIN_RUNNER_H_
#define CRISP_NETNS_CNI_PLUGIN_RUNNER_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp::netns {

// The variables of one call; those that are empty are passed empty.
struct PluginCall {
  std::string command;  // "ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION"
  std::string container_id;
  std::string netns_path;
  std::string interface_name;
  std::string args;  // CNI_ARGS
};

class PluginRunner {
 public:
  PluginRunner(std::vector<std::string> bin_dirs, absl::Duration timeout)
      : bin_dirs_(std::move(bin_dirs)), timeout_(timeout) {}

  // The executable of the plugin `type`: a plain name, validated here again.
  absl::StatusOr<std::string> Find(const std::string& type) const;

  // Runs the plugin that `config["type"]` names; its output if it exits with 0.
  absl::StatusOr<std::string> Run(const nlohmann::json& config, const PluginCall& call) const;

  // The versions that the plugin supports, asked once for each build of it.
  absl::StatusOr<std::vector<std::string>> Versions(const std::string& type);

 private:
  const std::vector<std::string> bin_dirs_;
  const absl::Duration timeout_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, std::vector<std::string>> versions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_PLUGIN_RUNNER_H_
