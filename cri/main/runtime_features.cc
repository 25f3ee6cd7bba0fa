#include "cri/main/runtime_features.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/sys.h"
#include "netns/user_ns.h"

namespace crisp::cri {
namespace {

constexpr uint32_t kProbeIds = 65536;
constexpr absl::Duration kRuntimeTimeout = absl::Seconds(5);
constexpr char kRuncShims[] = "io.containerd.runc.";
constexpr char kCrispShim[] = "io.containerd.crisp.v1";

absl::StatusOr<UniqueFd> CloneOf(const std::string& path) {
  return SysFd(absl::StrCat("open_tree ", path), [&] {
    return ::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  });
}

absl::Status SetAttributes(absl::string_view what, int mount, unsigned int flags,
                           mount_attr attributes) {
  return Sys(what, [&] {
    return ::mount_setattr(mount, "", AT_EMPTY_PATH | flags, &attributes, sizeof(attributes));
  });
}

absl::Status ShowWithIds(absl::string_view what, int mount, int users) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(users);
  return SetAttributes(absl::StrCat("idmapped mount of ", what), mount, 0, attributes);
}

absl::Status TryRecursiveReadOnly(const std::string& root) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd mount, CloneOf(root));
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return SetAttributes("mount_setattr", mount.get(), AT_RECURSIVE, attributes);
}

absl::StatusOr<UniqueFd> NewFilesystem(
    const char* type, const std::vector<std::pair<const char*, std::string>>& options) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fs, SysFd(absl::StrCat("fsopen ", type),
                                                  [&] { return ::fsopen(type, FSOPEN_CLOEXEC); }));
  for (const auto& [key, value] : options) {
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat(type, " ", key), [&, name = key, text = &value] {
      return ::fsconfig(fs.get(), FSCONFIG_SET_STRING, name, text->c_str(), 0);
    }));
  }
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("make ", type), [&] {
    return ::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  }));
  return SysFd(absl::StrCat("fsmount ", type),
               [&] { return ::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0); });
}

// Everything that a pod with a user namespace needs: the namespace, volumes in memory and
// on disk seen with its ids, and layers seen so below an overlay.
absl::Status TryUserNamespace(const std::string& root) {
  const netns::IdRange range = {0, kProbeIds, kProbeIds};
  CRISP_ASSIGN_OR_RETURN(const netns::UserNs made, netns::UserNs::Create({{range}, {range}}));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd users, made.OpenUser());
  CRISP_ASSIGN_OR_RETURN(const UniqueFd memory, NewFilesystem("tmpfs", {}));
  CRISP_RETURN_IF_ERROR(ShowWithIds("tmpfs", memory.get(), users.get()));

  const std::string top = JoinPath(root, ".probe");
  const absl::Cleanup remove = [&top] { (void)RemoveTree(top); };
  const std::string layer = JoinPath(top, "layer"), upper = JoinPath(top, "upper"),
                    work = JoinPath(top, "work");
  for (const std::string& directory : {layer, upper, work}) {
    CRISP_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd lower, CloneOf(layer));
  CRISP_RETURN_IF_ERROR(ShowWithIds(root, lower.get(), users.get()));
  return NewFilesystem("overlay", {{"lowerdir", absl::StrCat("/proc/self/fd/", lower.get())},
                                   {"upperdir", upper},
                                   {"workdir", work}})
      .status();
}

bool Can(absl::string_view what, const absl::Status& tried) {
  if (!tried.ok()) LogInfo("not on this host", {{"feature", what}, {"reason", tried}});
  return tried.ok();
}

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (absl::StrContains(name, '/')) return name;
  for (const char* directory :
       {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
    const std::string path = JoinPath(directory, name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return absl::NotFoundError(absl::StrCat("no ", name));
}

absl::StatusOr<bool> MountsRecursivelyReadOnly(const std::string& binary) {
  CRISP_ASSIGN_OR_RETURN(const std::string path, FindProgram(binary));
  ProcessSpec process;
  process.argv = {path, "features"};
  process.timeout = kRuntimeTimeout;
  CRISP_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(process));
  if (result.exit_code != 0) {
    return absl::UnimplementedError(absl::StrCat(path, " features: ", result.err));
  }
  const auto json = nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("mountOptions") || !json["mountOptions"].is_array()) {
    return absl::DataLossError(absl::StrCat(path, " features: no list of mount options"));
  }
  const auto& options = json["mountOptions"];
  return std::find(options.begin(), options.end(), "rro") != options.end();
}

}  // namespace

TaskDriver::Features NativeFeatures(const std::string& root) {
  return {.recursive_read_only = Can("recursive read-only mounts", TryRecursiveReadOnly(root)),
          .user_namespaces = Can("user namespaces", TryUserNamespace(root))};
}

TaskDriver::Features OciRuntimeFeatures(const RuntimeHandlerConfig& runtime) {
  // crisp's shim under containerd knows the option; of others nothing is known.
  if (runtime.type == kCrispShim) return {.recursive_read_only = true};
  if (!absl::StartsWith(runtime.type, kRuncShims)) return {};
  const absl::StatusOr<bool> can =
      MountsRecursivelyReadOnly(runtime.binary.empty() ? "runc" : runtime.binary);
  return {.recursive_read_only =
              Can("recursive read-only mounts by an OCI runtime", can.status()) && *can};
}

}  // namespace crisp::cri
