// crispd's configuration: /etc/crisp/config.toml, then the command line.
//
// Threads: values.
// Errors:  InvalidArgument names file, key and reason. An unknown key is an error:
//          a typo must not silently mean a default.
#ifndef CRISP_CRI_CONFIG_CONFIG_H_
#define CRISP_CRI_CONFIG_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::cri {

struct ContainerdConfig {
  std::string address;  // Empty: crispd runs a containerd of its own.
  std::string binary = "containerd";
  std::string snapshotter;           // Empty: overlayfs where it works.
  std::string containerd_namespace;  // Empty: k8s.io, or crisp beside a CRI plugin.
  bool stop_on_exit = false;         // End our own containerd when crispd ends.
};

struct NetworkConfig {
  std::string conf_dir = "/etc/cni/net.d";
  std::vector<std::string> bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  absl::Duration plugin_timeout = absl::Seconds(60);
  bool builtin = true;  // Serve pods from a bridge of our own while conf_dir is empty.
  std::string bridge = "crisp0";
  std::string subnet = "10.85.0.0/16";
  bool remove_on_exit = false;  // Take the built-in bridge away when crispd ends.
};

struct RegistryConfig {
  std::vector<std::string> config_dirs = {"/etc/crisp/certs.d", "/etc/containerd/certs.d"};
  int parallel_layers = 3;
  absl::Duration no_progress_timeout = absl::Minutes(5);
  std::vector<std::string> pinned_images;
};

// Where clients of Exec, Attach and PortForward are sent.
struct StreamingConfig {
  std::string address = "127.0.0.1:0";  // One address: clients are told it. Port 0: any.
  std::string tls_cert_file;            // Empty: no TLS.
  std::string tls_key_file;
  absl::Duration idle_timeout = absl::Hours(4);
  absl::Duration creation_timeout = absl::Seconds(30);
};

// One entry of [runtimes]: a runtime handler and the driver behind it.
struct RuntimeHandlerConfig {
  std::string driver = "containerd";  // Or "native": crisp's own shim, at most once.
  // For "containerd" only.
  std::string type = "io.containerd.runc.v2";
  std::string binary;  // BinaryName for the runc shim: "", "runc", "crun", a path.
};

struct Config {
  std::string root = "/var/lib/crisp";  // Survives a reboot.
  std::string state = "/run/crisp";     // Does not.
  std::string listen = "unix:///run/crisp/crisp.sock";
  std::string log_level = "info";
  bool log_json = false;
  std::string node_name;  // Empty: the host's name.
  std::string cgroup_parent = "/crisp";
  std::string pause_binary;  // Empty: crisp-pause beside crispd, or in libexec.
  std::string shim_binary;   // Empty: containerd-shim-crisp-v1, likewise.
  std::string default_runtime = "crisp";
  std::map<std::string, RuntimeHandlerConfig> runtimes = {
      {"crisp", {.driver = "native", .type = ""}}, {"runc", RuntimeHandlerConfig()}};
  std::vector<std::string> cdi_dirs = {"/etc/cdi", "/var/run/cdi"};  // Later ones win.
  ContainerdConfig containerd;
  NetworkConfig network;
  RegistryConfig registry;
  StreamingConfig streaming;
};

// Reads `path` over the defaults. With `must_exist` false an absent file is the
// defaults.
absl::StatusOr<Config> LoadConfig(const std::string& path, bool must_exist);

// Like LoadConfig, from text; `name` stands for the file in messages.
absl::StatusOr<Config> ParseConfig(const std::string& text, const std::string& name);

// What can only be judged as a whole, after the command line has had its say.
absl::Status CheckConfig(const Config& config);

// The defaults as a commented TOML file.
std::string DefaultConfigToml();

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONFIG_CONFIG_H_
