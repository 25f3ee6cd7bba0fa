// A Pod as a manifest says it, with every field that crisp carries out.
//
// Values: plain data, copied freely. What is absent in the manifest is empty or
// nullopt here unless a default stands beside it; the others are applied where the pod
// is made.
#ifndef CRISP_AGENT_MANIFEST_POD_H_
#define CRISP_AGENT_MANIFEST_POD_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace crisp::agent {

enum class ObjectKind { kConfigMap, kSecret };

// One key of a ConfigMap or Secret in the pod's namespace.
struct KeySelector {
  ObjectKind kind = ObjectKind::kConfigMap;
  std::string name;
  std::string key;
  bool optional = false;
};

// An amount that a container of the pod may use, or asks for.
struct ResourceSelector {
  std::string container;  // Empty: the one whose variable it is.
  std::string resource;   // limits.cpu, limits.memory, requests.cpu, requests.memory
  int64_t divisor_milli = 1000;
};

// A variable: literal text, a key of an object, or a fact about the pod.
struct EnvVar {
  std::string path;  // Where it stands in the manifest, for messages.
  std::string name;
  std::string value;
  std::optional<KeySelector> key;
  std::string field_path;
  std::optional<ResourceSelector> resource;
};

// Every key of an object as variables.
struct EnvFrom {
  std::string path;
  ObjectKind kind = ObjectKind::kConfigMap;
  std::string name;
  std::string prefix;
  bool optional = false;
};

struct ContainerPort {
  std::string name;
  std::string protocol = "TCP";
  std::string host_ip;
  int32_t container_port = 0;
  int32_t host_port = 0;
};

// A port by number, or by the name of one of the container's ports.
struct PortRef {
  int32_t number = 0;
  std::string name;
};

// What a probe or a hook does.
struct ExecAction {
  std::vector<std::string> command;
};
struct HttpGetAction {
  std::string scheme = "HTTP";  // HTTP or HTTPS, whose certificate nobody checks.
  std::string host;             // Empty: the pod's address.
  PortRef port;
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
};
struct TcpSocketAction {
  std::string host;  // Empty: the pod's address.
  PortRef port;
};
struct GrpcAction {
  int32_t port = 0;
  std::string service;  // Of grpc.health.v1.HealthCheckRequest.
};
struct SleepAction {
  int64_t seconds = 0;
};

// Times and thresholds with Kubernetes' defaults.
struct Probe {
  std::variant<ExecAction, HttpGetAction, TcpSocketAction, GrpcAction> action;
  int32_t initial_delay_seconds = 0;
  int32_t period_seconds = 10;
  int32_t timeout_seconds = 1;
  int32_t success_threshold = 1;
  int32_t failure_threshold = 3;
  // Instead of the pod's, when this probe ends the container. Never of a readiness probe.
  std::optional<int64_t> termination_grace_period_seconds;
};

// lifecycle.postStart and lifecycle.preStop.
struct LifecycleHandler {
  std::variant<ExecAction, HttpGetAction, TcpSocketAction, SleepAction> action;
};

// Amounts as CRI wants them: CPU in thousandths, memory in bytes.
struct Resources {
  std::optional<int64_t> cpu_request_milli, cpu_limit_milli;
  std::optional<int64_t> memory_request_bytes, memory_limit_bytes;
};

struct SeccompProfile {
  std::string type;  // "", RuntimeDefault, Unconfined, Localhost
  std::string localhost_profile;
};

// The fields that a pod and a container share, then those of one of them.
struct SecurityContext {
  std::optional<int64_t> run_as_user, run_as_group;
  std::optional<bool> run_as_non_root;
  SeccompProfile seccomp;
  // Container only.
  std::optional<bool> privileged, read_only_root_filesystem, allow_privilege_escalation;
  std::vector<std::string> add_capabilities, drop_capabilities;
  bool unmasked_proc = false;
  // Pod only.
  std::optional<int64_t> fs_group;
  std::vector<int64_t> supplemental_groups;
  std::string supplemental_groups_policy;  // "", Merge, Strict
  std::map<std::string, std::string> sysctls;
};

struct Container {
  std::string name, image, image_pull_policy, working_dir;
  std::vector<std::string> command, args;
  std::vector<EnvVar> env;
  std::vector<EnvFrom> env_from;
  std::vector<ContainerPort> ports;
  nlohmann::json volume_mounts = nlohmann::json::array();  // As Kubernetes writes them.
  Resources resources;
  SecurityContext security;
  bool stdin_open = false, stdin_once = false, tty = false;
  std::optional<Probe> liveness, readiness, startup;
  std::optional<LifecycleHandler> post_start, pre_stop;
  std::string termination_message_path = "/dev/termination-log";
  std::string termination_message_policy = "File";  // File or FallbackToLogsOnError
  std::string restart_policy;  // "", or Always for an init container that is a sidecar.

  bool is_sidecar() const { return restart_policy == "Always"; }
};

// A line of the pod's /etc/hosts.
struct HostAlias {
  std::string ip;
  std::vector<std::string> hostnames;
};

struct PodDns {
  std::string policy = "ClusterFirst";
  std::vector<std::string> servers, searches, options;
  bool configured = false;  // dnsConfig stands in the manifest.
};

struct Pod {
  std::string name, ns;
  std::map<std::string, std::string> labels, annotations;
  std::vector<Container> init_containers, containers;
  nlohmann::json volumes = nlohmann::json::array();  // As Kubernetes writes them.
  SecurityContext security;
  PodDns dns;
  std::string hostname, runtime_class_name;
  std::string restart_policy = "Always";
  bool host_network = false, host_pid = false, host_ipc = false, share_process_namespace = false;
  bool host_users = true;  // False: a user namespace of its own.
  int64_t termination_grace_period_seconds = 30;
  // From when the pod was admitted; then it fails with DeadlineExceeded.
  std::optional<int64_t> active_deadline_seconds;
  std::vector<HostAlias> host_aliases;
  std::map<std::string, std::string> node_selector;
  std::string node_name;
  std::vector<std::string> image_pull_secrets;  // By name.
  nlohmann::json spec;                          // The whole spec, as read.
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_POD_H_
