#include "cri/config/config.h"

#include <fcntl.h>
#include <toml++/toml.h>

#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;
// sun_path holds 108 bytes with its NUL (unix(7)).
constexpr size_t kMaxSocketPath = 107;

// Reads one table key by key; what is left unread at the end is unknown.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string where)
      : table_(table), where_(std::move(where)) {}

  void String(const char* key, std::string* out) {
    if (const toml::node* node = Take(key)) {
      if (const auto value = node->value_exact<std::string>()) {
        *out = *value;
      } else {
        Fail(key, "want a string");
      }
    }
  }

  void Bool(const char* key, bool* out) {
    if (const toml::node* node = Take(key)) {
      if (const auto value = node->value_exact<bool>()) {
        *out = *value;
      } else {
        Fail(key, "want true or false");
      }
    }
  }

  void Int(const char* key, int min, int max, int* out) {
    if (const toml::node* node = Take(key)) {
      const auto value = node->value_exact<int64_t>();
      if (value && *value >= min && *value <= max) {
        *out = static_cast<int>(*value);
      } else {
        Fail(key, absl::StrCat("want a whole number from ", min, " to ", max));
      }
    }
  }

  void Duration(const char* key, absl::Duration* out) {
    std::string text;
    String(key, &text);
    if (text.empty()) return;
    absl::Duration parsed;
    if (!absl::ParseDuration(text, &parsed) || parsed <= absl::ZeroDuration()) {
      Fail(key, "want a duration such as \"30s\" or \"5m\"");
      return;
    }
    *out = parsed;
  }

  void Strings(const char* key, std::vector<std::string>* out) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    std::vector<std::string> values;
    if (array != nullptr) {
      for (const toml::node& element : *array) {
        if (const auto value = element.value_exact<std::string>()) values.push_back(*value);
      }
    }
    if (array == nullptr || values.size() != array->size()) {
      Fail(key, "want a list of strings");
      return;
    }
    *out = std::move(values);
  }

  void Table(const char* key, const std::function<absl::Status(TableReader&)>& read) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    if (const toml::table* table = node->as_table()) {
      TableReader reader(*table, absl::StrCat(where_, where_.empty() ? "" : ".", key));
      Note(read(reader));
      Note(reader.Done());
    } else {
      Fail(key, "want a table");
    }
  }

  // Calls `read` for every key, each of which is a table.
  void Tables(const std::function<absl::Status(const std::string&, TableReader&)>& read) {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      Table(name.c_str(), [&](TableReader& reader) { return read(name, reader); });
    }
  }

  absl::Status Done() {
    for (const auto& [key, node] : table_) {
      if (taken_.count(std::string(key.str())) == 0) {
        Note(absl::InvalidArgumentError(
            absl::StrCat(Path(std::string(key.str())), ": unknown key")));
      }
    }
    return status_;
  }

 private:
  const toml::node* Take(const std::string& key) {
    taken_[key] = true;
    return table_.get(key);
  }

  std::string Path(const std::string& key) const {
    return where_.empty() ? key : absl::StrCat(where_, ".", key);
  }

  void Fail(const std::string& key, absl::string_view reason) {
    Note(absl::InvalidArgumentError(absl::StrCat(Path(key), ": ", reason)));
  }

  void Note(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  const toml::table& table_;
  const std::string where_;
  std::map<std::string, bool> taken_;
  absl::Status status_;
};

constexpr char kNativeDriver[] = "native";

absl::Status CheckRuntime(const std::string& name, const RuntimeHandlerConfig& runtime) {
  const std::string key = absl::StrCat("runtimes.", name);
  if (runtime.driver == kNativeDriver) {
    if (runtime.type.empty() && runtime.binary.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": the native driver takes neither type nor binary"));
  }
  if (runtime.driver != "containerd") {
    return absl::InvalidArgumentError(absl::StrCat(
        key, ".driver: want \"native\" or \"containerd\", got \"", runtime.driver, "\""));
  }
  if (runtime.type.empty()) return absl::InvalidArgumentError(absl::StrCat(key, ".type: empty"));
  return absl::OkStatus();
}

absl::Status ReadRuntimes(TableReader& table, Config* config) {
  config->runtimes.clear();
  table.Tables([config](const std::string& name, TableReader& runtime) {
    RuntimeHandlerConfig entry;
    runtime.String("driver", &entry.driver);
    if (entry.driver == kNativeDriver) entry.type.clear();
    runtime.String("type", &entry.type);
    runtime.String("binary", &entry.binary);
    config->runtimes[name] = std::move(entry);
    return absl::OkStatus();
  });
  return absl::OkStatus();
}

absl::Status ReadAllKeys(const toml::table& document, Config* config) {
  TableReader top(document, "");
  top.String("root", &config->root);
  top.String("state", &config->state);
  top.String("listen", &config->listen);
  top.String("node_name", &config->node_name);
  top.String("cgroup_parent", &config->cgroup_parent);
  top.String("pause_binary", &config->pause_binary);
  top.String("shim_binary", &config->shim_binary);
  top.String("default_runtime", &config->default_runtime);
  top.Table("log", [&](TableReader& log) {
    std::string format = "text";
    log.String("level", &config->log_level);
    log.String("format", &format);
    if (format != "text" && format != "json") {
      return absl::InvalidArgumentError("log.format: want \"text\" or \"json\"");
    }
    config->log_json = format == "json";
    return absl::OkStatus();
  });
  top.Table("containerd", [&](TableReader& containerd) {
    containerd.String("address", &config->containerd.address);
    containerd.String("binary", &config->containerd.binary);
    containerd.String("snapshotter", &config->containerd.snapshotter);
    containerd.String("namespace", &config->containerd.containerd_namespace);
    containerd.Bool("stop_on_exit", &config->containerd.stop_on_exit);
    return absl::OkStatus();
  });
  top.Table("network", [&](TableReader& network) {
    network.String("conf_dir", &config->network.conf_dir);
    network.Strings("bin_dirs", &config->network.bin_dirs);
    network.Duration("plugin_timeout", &config->network.plugin_timeout);
    network.Bool("builtin", &config->network.builtin);
    network.String("bridge", &config->network.bridge);
    network.String("subnet", &config->network.subnet);
    network.Bool("remove_on_exit", &config->network.remove_on_exit);
    return absl::OkStatus();
  });
  top.Table("devices", [&](TableReader& devices) {
    devices.Strings("cdi_dirs", &config->cdi_dirs);
    return absl::OkStatus();
  });
  top.Table("registry", [&](TableReader& registry) {
    registry.Strings("config_dirs", &config->registry.config_dirs);
    registry.Int("parallel_layers", 1, 64, &config->registry.parallel_layers);
    registry.Duration("no_progress_timeout", &config->registry.no_progress_timeout);
    registry.Strings("pinned_images", &config->registry.pinned_images);
    return absl::OkStatus();
  });
  top.Table("streaming", [&](TableReader& streaming) {
    streaming.String("address", &config->streaming.address);
    streaming.String("tls_cert_file", &config->streaming.tls_cert_file);
    streaming.String("tls_key_file", &config->streaming.tls_key_file);
    streaming.Duration("idle_timeout", &config->streaming.idle_timeout);
    streaming.Duration("stream_creation_timeout", &config->streaming.creation_timeout);
    return absl::OkStatus();
  });
  top.Table("runtimes", [&](TableReader& runtimes) { return ReadRuntimes(runtimes, config); });
  return top.Done();
}

absl::Status CheckDirectory(const char* key, const std::string& path) {
  if (path.empty() || path.front() != '/' || CleanPath(path) != path || path == "/") {
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": want an absolute, clean path, got \"", path, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> ParseConfig(const std::string& text, const std::string& name) {
  Config config;
  try {
    const toml::table document = toml::parse(text);
    CRISP_RETURN_IF_ERROR(Annotate(ReadAllKeys(document, &config), name));
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", error.source().begin.line, ": ", std::string(error.description())));
  }
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path, bool must_exist) {
  const absl::StatusOr<std::string> text = ReadFileAt(AT_FDCWD, path, kMaxConfigBytes);
  if (!text.ok() && ErrnoOf(text.status()) == ENOENT && !must_exist) return Config();
  CRISP_RETURN_IF_ERROR(Annotate(text.status(), "read the configuration"));
  return ParseConfig(*text, path);
}

absl::Status CheckConfig(const Config& config) {
  CRISP_RETURN_IF_ERROR(CheckDirectory("root", config.root));
  CRISP_RETURN_IF_ERROR(CheckDirectory("state", config.state));
  CRISP_RETURN_IF_ERROR(CheckDirectory("cgroup_parent", config.cgroup_parent));
  CRISP_RETURN_IF_ERROR(CheckDirectory("network.conf_dir", config.network.conf_dir));
  if (config.root == config.state) {
    return absl::InvalidArgumentError("root and state: must be different directories");
  }
  if (!absl::StartsWith(config.listen, "unix:///")) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen: want unix:///PATH, got \"", config.listen, "\""));
  }
  if (const size_t length = config.listen.size() - 7; length > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat("listen: a socket path has at most ",
                                                   kMaxSocketPath, " bytes, this has ", length));
  }
  if (config.streaming.tls_cert_file.empty() != config.streaming.tls_key_file.empty()) {
    return absl::InvalidArgumentError(
        "streaming: tls_cert_file and tls_key_file go together: one is missing");
  }
  int native = 0;
  for (const auto& [name, runtime] : config.runtimes) {
    CRISP_RETURN_IF_ERROR(CheckRuntime(name, runtime));
    if (runtime.driver == kNativeDriver && ++native > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("runtimes.", name, ": another one has the native driver already"));
    }
  }
  if (config.runtimes.count(config.default_runtime) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("default_runtime: \"", config.default_runtime, "\" is not among [runtimes]"));
  }
  return absl::OkStatus();
}

std::string DefaultConfigToml() {
  const Config config;
  const auto list = [](const std::vector<std::string>& values) {
    return absl::StrCat("[\"", absl::StrJoin(values, "\", \""), "\"]");
  };
  return absl::StrCat(
      "# crispd's configuration. Every key is shown with its default; `crispd config\n"
      "# check` tells what is wrong with a file. The command line wins over the file.\n\n"
      "# What must survive a reboot: images, ConfigMaps, Secrets.\n"
      "root = \"",
      config.root, "\"\n",
      "# What must not: pods, sockets, namespaces.\n"
      "state = \"",
      config.state, "\"\n",
      "# Where kubelet, crictl and crisp find crispd.\n"
      "listen = \"",
      config.listen, "\"\n",
      "# The node's name for pods on its network; empty: the host's name.\n"
      "node_name = \"\"\n"
      "# The cgroup of pods for which nobody named one.\n"
      "cgroup_parent = \"",
      config.cgroup_parent, "\"\n",
      "# The binary that holds a pod; empty: crisp-pause beside crispd.\n"
      "pause_binary = \"\"\n"
      "# The binary that runs a pod; empty: containerd-shim-crisp-v1 beside crispd.\n"
      "shim_binary = \"\"\n"
      "# The entry of [runtimes] for pods that name no runtime handler.\n"
      "default_runtime = \"",
      config.default_runtime, "\"\n\n",
      "[log]\n"
      "level = \"",
      config.log_level, "\"    # trace, debug, info, warn, error\n",
      "format = \"text\"   # text, json\n\n"
      "[containerd]\n"
      "# An existing containerd's socket; empty: crispd runs one of its own under root.\n"
      "address = \"\"\n"
      "binary = \"",
      config.containerd.binary, "\"\n",
      "# Empty: overlayfs, or native where overlayfs does not work.\n"
      "snapshotter = \"\"\n"
      "# Empty: k8s.io, or crisp if that containerd runs its own CRI plugin.\n"
      "namespace = \"\"\n"
      "# Stop our own containerd when crispd stops. Pods run on either way.\n"
      "stop_on_exit = false\n\n"
      "[network]\n"
      "conf_dir = \"",
      config.network.conf_dir, "\"\n", "bin_dirs = ", list(config.network.bin_dirs), "\n",
      "plugin_timeout = \"", absl::FormatDuration(config.network.plugin_timeout), "\"\n",
      "# Serve pods from a bridge of our own while conf_dir has no configuration.\n"
      "builtin = true\n"
      "bridge = \"",
      config.network.bridge, "\"\n", "subnet = \"", config.network.subnet, "\"\n",
      "# Take that bridge away when crispd stops and no pod is on it.\n"
      "remove_on_exit = false\n\n"
      "[registry]\n"
      "# Directories with <registry>/hosts.toml, as containerd has them.\n"
      "config_dirs = ",
      list(config.registry.config_dirs), "\n",
      "parallel_layers = ", config.registry.parallel_layers, "\n", "no_progress_timeout = \"",
      absl::FormatDuration(config.registry.no_progress_timeout), "\"\n",
      "# Images that kubelet must not collect.\n"
      "pinned_images = []\n\n"
      "# Where exec, attach and port-forward connect. kubelet proxies for everybody else, so\n"
      "# a loopback address is enough. Clients are told it as it is written here.\n"
      "[streaming]\n"
      "address = \"",
      config.streaming.address, "\"\n",
      "# PEM files; empty: no TLS.\n"
      "tls_cert_file = \"\"\n"
      "tls_key_file = \"\"\n"
      "idle_timeout = \"",
      absl::FormatDuration(config.streaming.idle_timeout), "\"\n", "stream_creation_timeout = \"",
      absl::FormatDuration(config.streaming.creation_timeout), "\"\n\n",
      "[devices]\n"
      "# Where device plugins write CDI spec files; a later directory wins.\n"
      "cdi_dirs = ",
      list(config.cdi_dirs), "\n\n",
      "# One table a runtime handler: the names that a RuntimeClass can ask for.\n"
      "# crisp's own shim, which launches containers itself.\n"
      "[runtimes.crisp]\n"
      "driver = \"native\"\n\n"
      "# Any other shim, through containerd.\n"
      "[runtimes.runc]\n"
      "driver = \"containerd\"\n"
      "type = \"io.containerd.runc.v2\"\n"
      "# Another OCI runtime behind the same shim, such as crun; empty: runc.\n"
      "binary = \"\"\n");
}

}  // namespace crisp::cri
