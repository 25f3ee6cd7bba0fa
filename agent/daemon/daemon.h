// The agent whole: every part made in order, wired, and served until told to stop.
//
// Ownership: owns all parts; later ones borrow earlier ones, and members are destroyed in
//            the opposite order.
// Threads:   Start and Stop from one thread.
// Errors:    the first part that cannot start, with what to do about it. A runtime that is
//            away is no error: the agent waits for it.
// Crash:     kill -9 at any moment is recovered from by the next Start: objects are on
//            disk, and what runs says itself what it is.
#ifndef CRISP_AGENT_DAEMON_DAEMON_H_
#define CRISP_AGENT_DAEMON_DAEMON_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::agent {

struct DaemonOptions {
  std::string root = "/var/lib/crisp";
  std::string listen = "unix:///run/crisp/agent.sock";
  std::string runtime_endpoint = "unix:///run/crisp/crisp.sock";
  std::string node_name;  // Empty: the name that the objects know, else the hostname.
  std::string log_root = "/var/log/pods";
  std::string pod_manifest_path;  // A directory of static pods; empty for none.
  std::string manifest_url;       // Where else static pods are read from; empty for none.
  std::vector<std::pair<std::string, std::string>> manifest_url_headers;
  absl::Duration file_check_frequency = absl::Seconds(20);
  absl::Duration http_check_frequency = absl::Seconds(20);
  absl::Duration back_off = absl::Seconds(10);
  absl::Duration max_back_off = absl::Minutes(5);
  bool legacy_env_names = false;
};

class Daemon {
 public:
  // Returns when the socket is served.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(DaemonOptions options);
  ~Daemon();

  // Ends serving. Pods run on.
  void Stop();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_DAEMON_DAEMON_H_
