// Attaches pods by executing the plugins of a CNI network.
//
// ADD runs the plugins in order, each given the result of the one before; DEL runs
// them backwards with the result, arguments and configuration that were in force at
// ADD, whatever the configuration is now.
//
// Ownership: borrows nothing. Threads: safe; calls for one sandbox must be
// serialised by the caller.
// Errors:  as plugins and checks report them, with network, plugin and command.
// Crash:   an attempt is on disk before the first plugin runs; Release and
//          CollectGarbage of the next process find it.
#ifndef CRISP_NETNS_CNI_CNI_NETWORK_H_
#define CRISP_NETNS_CNI_CNI_NETWORK_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "netns/attachment.h"
#include "netns/cni/attachment_cache.h"
#include "netns/cni/network_config.h"
#include "netns/cni/plugin_runner.h"

namespace crisp::netns {

struct CniOptions {
  std::vector<std::string> bin_dirs;
  std::string cache_dir;
  absl::Duration plugin_timeout;
};

class CniNetwork {
 public:
  explicit CniNetwork(CniOptions options);

  // Whether this sandbox has been, or may have been, attached here.
  absl::StatusOr<bool> Knows(const std::string& sandbox_id);

  absl::StatusOr<PodNetworkResult> Attach(const NetworkConfig& network, const PodAttachment& pod);

  // `fallback`, which may be null, is used in place of a configuration that
  // cannot be read back.
  absl::Status Release(const NetworkConfig* fallback, const PodAttachment& pod);

  absl::Status Check(const PodAttachment& pod);

  // Every plugin exists, agrees on a version, and says so to STATUS.
  absl::Status Ready(const NetworkConfig& network);

  // `network` may be null: then only DEL runs, not GC.
  absl::Status CollectGarbage(const NetworkConfig* network,
                              const std::vector<std::string>& live_sandbox_ids);

 private:
  // `network` at the highest version that it offers and all its plugins support.
  absl::StatusOr<NetworkConfig> Settle(const NetworkConfig& network);

  absl::StatusOr<nlohmann::json> Add(const NetworkConfig& network,
                                     const CachedAttachment& attachment);
  absl::Status Delete(const NetworkConfig* fallback, const CachedAttachment& attachment);
  absl::Status RunGc(const NetworkConfig& network);

  // Notes that `ips` belong to the sandbox; Internal if another one has them.
  absl::Status ClaimIps(const std::string& sandbox_id, const std::vector<std::string>& ips);
  void ForgetIps(const std::string& sandbox_id);
  void LoadIps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const AttachmentCache cache_;
  PluginRunner plugins_;
  absl::Mutex mu_;
  bool ips_loaded_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<std::string, std::string> sandbox_of_ip_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_CNI_NETWORK_H_
