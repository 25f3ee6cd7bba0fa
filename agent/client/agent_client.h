// The agent as the command line sees it: objects in Kubernetes' JSON, plain structs,
// nothing of gRPC.
//
//   AgentClient agent("unix:///run/crisp/agent.sock");
//   ASSIGN(Json pod, agent.Get({"Pod", "default", "web"}));
//   for (auto watch = agent.Watch({.kind = "Pod"}); ;) { ASSIGN(auto event, watch->Next()); ... }
//
// Ownership: owns its channel; connects on first use and again after a loss. A watch
//            keeps what it needs of the client alive.
// Threads:   safe; every call blocks. A watch is pulled by one thread; any may Cancel.
// Errors:    the agent's code and message, marked FromServer. An agent that still reads
//            its state is waited for; one that does not answer is Unavailable, with how
//            to start it.
#ifndef CRISP_AGENT_CLIENT_AGENT_CLIENT_H_
#define CRISP_AGENT_CLIENT_AGENT_CLIENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::cli {

using Json = nlohmann::json;

// True for what the agent answered; false for what went wrong on the way, or here.
bool FromServer(const absl::Status& status);

struct ObjectRef {
  std::string kind;  // "Pod"
  std::string ns;    // Empty for a kind without namespaces.
  std::string name;
};

struct Selection {
  std::string kind;
  std::string ns;  // Empty: all.
  std::string name;
  std::string labels;  // kubectl's syntax.
  std::string fields;
};

struct AgentInfo {
  std::string version, node_name;
  std::string cri_address;
  std::string runtime_name, runtime_version, runtime_error;
  bool volumes_service = false;
  absl::Time started_at;
  std::string log_root, static_pod_path, static_pod_url;
};

struct Applied {
  enum class Change { kUnchanged, kCreated, kConfigured };
  Json object;
  Change change = Change::kUnchanged;
  std::vector<std::string> warnings;
};

struct DeleteOptions {
  std::optional<int64_t> grace_period_seconds;
  bool orphan = false;
  std::string uid;
};

struct ObjectList {
  std::vector<Json> objects;
  std::string resource_version;
};

struct LabelChange {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
  bool overwrite = false;
};

struct ResolvedContainer {
  std::string name;
  bool init = false;
  std::string id;  // Empty before the first instance.
  bool running = false;
  std::string log_path;
  int restart_count = 0;
  std::string previous_id, previous_log_path;
  bool has_stdin = false, has_tty = false;
  std::string waiting_reason;
};

struct ResolvedPod {
  std::string sandbox_id, uid, ip;
  ResolvedContainer container;  // The one that was asked for.
  std::vector<ResolvedContainer> containers;
};

struct ContainerUsage {
  std::string name;
  int64_t cpu_nano_cores = 0;
  int64_t memory_bytes = 0;
};

struct PodUsage {
  std::string ns, name;
  std::vector<ContainerUsage> containers;
};

struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kSynced };
  Type type = Type::kSynced;
  Json object;  // Null with kSynced.
};

class AgentWatch {
 public:
  virtual ~AgentWatch() = default;
  // The next event, or why there is none: DeadlineExceeded, Cancelled, Unavailable.
  virtual absl::StatusOr<WatchEvent> Next() = 0;
  virtual void Cancel() = 0;
};

class AgentClient {
 public:
  static constexpr char kDefaultAddress[] = "unix:///run/crisp/agent.sock";

  // `address` is a gRPC target; a bare path is taken as a unix socket.
  explicit AgentClient(const std::string& address);
  ~AgentClient();
  AgentClient(const AgentClient&) = delete;
  AgentClient& operator=(const AgentClient&) = delete;

  absl::StatusOr<AgentInfo> Info();
  absl::StatusOr<Applied> Apply(const Json& object, bool dry_run = false);
  absl::StatusOr<Applied> Create(const Json& object, bool dry_run = false);
  // The object as it stands after the call.
  absl::StatusOr<Json> Delete(const ObjectRef& ref, const DeleteOptions& options = {});
  absl::StatusOr<Json> Get(const ObjectRef& ref);
  absl::StatusOr<ObjectList> List(const Selection& selection);
  std::unique_ptr<AgentWatch> Watch(const Selection& selection, bool only_changes = false,
                                    absl::Duration timeout = absl::InfiniteDuration());
  absl::StatusOr<Json> Scale(const ObjectRef& ref, int replicas, std::optional<int> current);
  // False if every label was so already.
  absl::StatusOr<bool> Label(const ObjectRef& ref, const LabelChange& change);
  // A JSON merge patch; what the manifest said last stays as it is.
  absl::StatusOr<Json> Patch(const ObjectRef& ref, const Json& merge_patch);
  absl::StatusOr<ResolvedPod> ResolvePod(const std::string& ns, const std::string& name,
                                         const std::string& container = "");
  absl::StatusOr<std::vector<PodUsage>> Stats(const std::string& ns, const std::string& name,
                                              const std::string& labels);

  const std::string& address() const { return address_; }

 private:
  struct Rpc;

  const std::string address_;
  const std::shared_ptr<Rpc> rpc_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_CLIENT_AGENT_CLIENT_H_
