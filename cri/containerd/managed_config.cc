#include "cri/containerd/managed_config.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/substitute.h"
#include "base/status_macros.h"
#include "base/unix_socket.h"

namespace crisp::cri {
namespace {

// A name that a containerd does not know is ignored there, so the list covers all
// versions. What is not obvious:
constexpr absl::string_view kDisabledPlugins[] = {
    "io.containerd.grpc.v1.cri",  // crisp is the CRI server. 2.x has it in parts:
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    "io.containerd.nri.v1.nri",           // Opens a socket outside our directories.
    "io.containerd.internal.v1.opt",      // Makes /opt/containerd.
    "io.containerd.internal.v1.restart",  // Polls for containers to restart.
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.image-verifier.v1.bindir",
    "io.containerd.snapshotter.v1.aufs",  // Each of these probes the system.
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
};

// A TOML basic string.
absl::StatusOr<std::string> Quoted(absl::string_view field, absl::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(absl::StrCat(field, " holds a control character"));
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

absl::StatusOr<std::string> QuotedPath(absl::string_view field, absl::string_view path) {
  if (!absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " \"", path, "\" is not an absolute path"));
  }
  return Quoted(field, path);
}

absl::StatusOr<std::string> QuotedSocket(absl::string_view field, absl::string_view path) {
  if (path.size() > kUnixPathBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " \"", path, "\" is longer than ", kUnixPathBytes, " bytes"));
  }
  return QuotedPath(field, path);
}

}  // namespace

absl::StatusOr<std::string> RenderManagedConfig(const ManagedConfig& config) {
  CRISP_ASSIGN_OR_RETURN(const std::string root, QuotedPath("containerd root", config.root_dir));
  CRISP_ASSIGN_OR_RETURN(const std::string state, QuotedPath("containerd state", config.state_dir));
  CRISP_ASSIGN_OR_RETURN(const std::string grpc,
                         QuotedSocket("containerd socket", config.grpc_socket));
  CRISP_ASSIGN_OR_RETURN(const std::string ttrpc,
                         QuotedSocket("containerd ttrpc socket", config.ttrpc_socket));
  CRISP_ASSIGN_OR_RETURN(const std::string level, Quoted("containerd log level", config.log_level));
  std::string disabled;
  for (const absl::string_view plugin : kDisabledPlugins) {
    absl::StrAppend(&disabled, "  \"", plugin, "\",\n");
  }
  return absl::Substitute(R"(# Written by crispd at each start; changes are lost.
version = 2
root = $0
state = $1
disabled_plugins = [
$2]

[grpc]
  address = $3
  max_recv_message_size = 16777216
  max_send_message_size = 16777216

[ttrpc]
  address = $4

[debug]
  level = $5
)",
                          root, state, disabled, grpc, ttrpc, level);
}

}  // namespace crisp::cri
