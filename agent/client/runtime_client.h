// The runtime below the agent, for what the command line asks of it directly: streams
// into containers, images from archives, and how it does.
//
// Ownership: owns its channel. Threads: safe; every call blocks. Errors: the server's.
#ifndef CRISP_AGENT_CLIENT_RUNTIME_CLIENT_H_
#define CRISP_AGENT_CLIENT_RUNTIME_CLIENT_H_

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::cli {

struct CommandStreamRequest {
  std::string container_id;
  std::vector<std::string> command;  // Not for attach.
  bool in = false, out = true, err = true;
  bool tty = false;
};

struct RuntimeVersion {
  std::string name, version, api_version;
};

struct RuntimeCondition {
  std::string type;
  bool ok = false;
  std::string reason, message;
};

struct ImportedImage {
  std::string name, id;
};

class RuntimeClient {
 public:
  static constexpr char kDefaultAddress[] = "unix:///run/crisp/crisp.sock";

  explicit RuntimeClient(const std::string& address);
  ~RuntimeClient();
  RuntimeClient(const RuntimeClient&) = delete;
  RuntimeClient& operator=(const RuntimeClient&) = delete;

  // Each gives the URL to stream at, good once.
  absl::StatusOr<std::string> Exec(const CommandStreamRequest& request);
  absl::StatusOr<std::string> Attach(const CommandStreamRequest& request);
  absl::StatusOr<std::string> PortForward(const std::string& sandbox_id, uint16_t port);

  // Sends an archive, `source` naming it in errors. `name` is for an image without one.
  absl::StatusOr<std::vector<ImportedImage>> Import(std::istream& archive,
                                                    const std::string& source,
                                                    const std::string& name);

  absl::StatusOr<RuntimeVersion> Version();
  absl::StatusOr<std::vector<RuntimeCondition>> Conditions();

  const std::string& address() const;

 private:
  struct Rpc;
  const std::unique_ptr<Rpc> rpc_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_CLIENT_RUNTIME_CLIENT_H_
