// The directory of CNI configurations, read again whenever it changes.
//
// The first file by name that ends in .conflist, .conf or .json and holds more
// than loopback is the network. If that file is broken, the next one does not
// take its place: pods must not land on another network because somebody's write
// was half done. The network that was loaded last stays in force until the file
// is whole again or gone.
//
// Threads: safe.
// Errors:  Current() is NotFound when there is no configuration at all, and says
//          why the configuration that there is cannot be used otherwise.
#ifndef CRISP_NETNS_CNI_CONFIG_DIR_H_
#define CRISP_NETNS_CNI_CONFIG_DIR_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "netns/cni/network_config.h"

namespace crisp::netns {

class ConfigDir {
 public:
  struct View {
    std::shared_ptr<const NetworkConfig> network;  // Null if none is in force.
    std::string file;                              // Where it came from.
    std::vector<std::string> files;                // Every candidate, by name.
    absl::Status error;  // Why the first file is not the one in force, or no file could be read.
  };

  explicit ConfigDir(std::string dir) : dir_(std::move(dir)) {}

  // The network in force; looks whether anything has changed first.
  absl::StatusOr<std::shared_ptr<const NetworkConfig>> Current();

  View Look();

  const std::string& dir() const { return dir_; }

 private:
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Load(const std::vector<std::string>& files) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string dir_;
  absl::Mutex mu_;
  std::string fingerprint_ ABSL_GUARDED_BY(mu_);
  View view_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_CONFIG_DIR_H_
