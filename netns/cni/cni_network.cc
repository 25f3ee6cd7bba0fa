#include "netns/cni/cni_network.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "netns/cni/bounded_json.h"
#include "netns/cni/result.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

bool SameFile(const std::string& a, const std::string& b) {
  if (a == b) return true;
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool Exists(const std::string& path) {
  struct stat st;
  return !path.empty() && ::stat(path.c_str(), &st) == 0;
}

// What `plugin` reads on stdin.
json PluginConfig(const NetworkConfig& network, const json& plugin, const json& capability_args,
                  const json& previous_result) {
  json config = plugin;
  config["name"] = network.name;
  config["cniVersion"] = network.version.ToString();
  json runtime = RuntimeConfigFor(plugin, capability_args);
  if (!runtime.empty()) config["runtimeConfig"] = std::move(runtime);
  config.erase("prevResult");
  if (!previous_result.is_null()) config["prevResult"] = previous_result;
  return config;
}

PluginCall CallFor(const char* command, const CachedAttachment& attachment) {
  return {.command = command,
          .container_id = attachment.container_id,
          .netns_path = attachment.netns_path,
          .interface_name = attachment.interface_name,
          .args = CniArgsText(attachment.cni_args)};
}

// The first error stays; later ones only lengthen its message.
void Combine(absl::Status* into, const absl::Status& status) {
  if (status.ok()) return;
  *into = into->ok()
              ? status
              : absl::Status(into->code(), absl::StrCat(into->message(), "; ", status.message()));
}

absl::StatusOr<std::vector<std::string>> CheckedIps(const json& result,
                                                    const std::string& netns_path) {
  return PodIps(result, kPodInterface,
                [&](const std::string& path) { return SameFile(path, netns_path); });
}

}  // namespace

CniNetwork::CniNetwork(CniOptions options)
    : cache_(std::move(options.cache_dir)),
      plugins_(std::move(options.bin_dirs), options.plugin_timeout) {}

absl::StatusOr<bool> CniNetwork::Knows(const std::string& sandbox_id) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<CachedAttachment> found, cache_.Find(sandbox_id));
  return !found.empty();
}

absl::StatusOr<NetworkConfig> CniNetwork::Settle(const NetworkConfig& network) {
  std::vector<std::string> common = network.offered_versions;
  for (const json& plugin : network.plugins) {
    const std::string type = StringMember(plugin, "type");
    if (const auto path = plugins_.Find(type); !path.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat("network ", network.name, ": ", path.status().message()));
    }
    const auto versions = plugins_.Versions(type);
    // A plugin that cannot answer is not excluded: ADD will tell what is wrong.
    if (!versions.ok()) continue;
    const std::vector<std::string> before = common;
    common.erase(std::remove_if(common.begin(), common.end(),
                                [&](const std::string& version) {
                                  return std::find(versions->begin(), versions->end(), version) ==
                                         versions->end();
                                }),
                 common.end());
    if (common.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("network ", network.name, " wants cniVersion ",
                       Excerpt(absl::StrJoin(before, " or "), 100), "; CNI plugin ", type,
                       " supports ", Excerpt(absl::StrJoin(*versions, ", "), 200)));
    }
  }
  NetworkConfig settled = network;
  CRISP_ASSIGN_OR_RETURN(settled.version, HighestCommonCniVersion(common));
  // The cache gets the version that was used, not the choice.
  CRISP_ASSIGN_OR_RETURN(json list, ParseJsonObject(network.bytes));
  list.erase("cniVersions");
  list["cniVersion"] = settled.version.ToString();
  settled.bytes = JsonText(list);
  settled.offered_versions = {settled.version.ToString()};
  return settled;
}

absl::StatusOr<json> CniNetwork::Add(const NetworkConfig& network,
                                     const CachedAttachment& attachment) {
  json result;
  for (const json& plugin : network.plugins) {
    CRISP_ASSIGN_OR_RETURN(
        const std::string output,
        plugins_.Run(PluginConfig(network, plugin, attachment.capability_args, result),
                     CallFor("ADD", attachment)));
    CRISP_ASSIGN_OR_RETURN(result, Annotate(ParseResult(output, network.version.ToString()),
                                            "CNI plugin ", StringMember(plugin, "type"), " ADD"));
  }
  return result;
}

absl::StatusOr<PodNetworkResult> CniNetwork::Attach(const NetworkConfig& network,
                                                    const PodAttachment& pod) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("sandbox id", pod.sandbox_id));
  CRISP_ASSIGN_OR_RETURN(const NetworkConfig settled, Settle(network));
  CachedAttachment attachment{.container_id = pod.sandbox_id,
                              .interface_name = kPodInterface,
                              .network = settled.name,
                              .netns_path = pod.netns_path,
                              .config = settled.bytes};
  CRISP_ASSIGN_OR_RETURN(attachment.cni_args, MakeCniArgs(pod));
  CRISP_ASSIGN_OR_RETURN(attachment.capability_args, MakeCapabilityArgs(pod));
  CRISP_RETURN_IF_ERROR(cache_.WriteAttempt(attachment));

  PodNetworkResult out;
  const absl::Status status = [&]() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(attachment.result, Add(settled, attachment));
    CRISP_ASSIGN_OR_RETURN(out.ips, CheckedIps(attachment.result, pod.netns_path));
    CRISP_RETURN_IF_ERROR(ClaimIps(pod.sandbox_id, out.ips));
    return cache_.WriteResult(attachment);
  }();
  if (status.ok()) {
    out.result_json = JsonText(attachment.result);
    return out;
  }
  absl::Status failure = Annotate(status, "network ", settled.name);
  const absl::Status undone = Delete(nullptr, attachment);
  if (!undone.ok()) {
    failure = absl::Status(
        failure.code(),
        absl::StrCat(failure.message(), "; undoing it failed too: ", undone.message()));
  }
  return failure;
}

absl::Status CniNetwork::Delete(const NetworkConfig* fallback, const CachedAttachment& attachment) {
  auto network = attachment.unreadable.ok() ? ParseNetworkList(attachment.config)
                                            : absl::StatusOr<NetworkConfig>(attachment.unreadable);
  if (!network.ok()) {
    if (fallback == nullptr || fallback->name != attachment.network) {
      return Annotate(network.status(), "configuration that network ", attachment.network,
                      " was attached with");
    }
    network = Settle(*fallback);
    CRISP_RETURN_IF_ERROR(network.status());
  }
  CachedAttachment target = attachment;
  // A namespace that is gone is named by nothing: plugins then free what they
  // hold outside of it, and do not fail on the path.
  if (!Exists(target.netns_path)) target.netns_path.clear();
  const json previous = network->version >= kCniCheck ? attachment.result : json();
  absl::Status status;
  for (auto plugin = network->plugins.rbegin(); plugin != network->plugins.rend(); ++plugin) {
    // One plugin's failure must not keep the others from freeing what they hold.
    Combine(&status, plugins_
                         .Run(PluginConfig(*network, *plugin, attachment.capability_args, previous),
                              CallFor("DEL", target))
                         .status());
  }
  CRISP_RETURN_IF_ERROR(Annotate(status, "network ", network->name));
  ForgetIps(attachment.container_id);
  return cache_.Remove(attachment);
}

absl::Status CniNetwork::Release(const NetworkConfig* fallback, const PodAttachment& pod) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("sandbox id", pod.sandbox_id));
  CRISP_ASSIGN_OR_RETURN(const std::vector<CachedAttachment> found, cache_.Find(pod.sandbox_id));
  absl::Status status;
  for (const CachedAttachment& attachment : found) Combine(&status, Delete(fallback, attachment));
  return status;
}

absl::Status CniNetwork::Check(const PodAttachment& pod) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<CachedAttachment> found, cache_.Find(pod.sandbox_id));
  if (found.empty() || found.front().result.is_null()) {
    return absl::NotFoundError(absl::StrCat("sandbox ", pod.sandbox_id, " is not attached"));
  }
  const CachedAttachment& attachment = found.front();
  CRISP_RETURN_IF_ERROR(attachment.unreadable);
  CRISP_ASSIGN_OR_RETURN(const NetworkConfig network, ParseNetworkList(attachment.config));
  if (network.disable_check) return absl::OkStatus();
  if (!(network.version >= kCniCheck)) {
    return absl::UnimplementedError(absl::StrCat("network ", network.name, " has cniVersion ",
                                                 network.version.ToString(), "; CHECK came with ",
                                                 kCniCheck.ToString()));
  }
  for (const json& plugin : network.plugins) {
    CRISP_RETURN_IF_ERROR(Annotate(
        plugins_
            .Run(PluginConfig(network, plugin, attachment.capability_args, attachment.result),
                 CallFor("CHECK", attachment))
            .status(),
        "network ", network.name));
  }
  return absl::OkStatus();
}

absl::Status CniNetwork::Ready(const NetworkConfig& network) {
  CRISP_ASSIGN_OR_RETURN(const NetworkConfig settled, Settle(network));
  if (!(settled.version >= kCniStatus)) return absl::OkStatus();
  for (const json& plugin : settled.plugins) {
    CRISP_RETURN_IF_ERROR(
        plugins_.Run(PluginConfig(settled, plugin, json::object(), json()), {.command = "STATUS"})
            .status());
  }
  return absl::OkStatus();
}

absl::Status CniNetwork::CollectGarbage(const NetworkConfig* network,
                                        const std::vector<std::string>& live_sandbox_ids) {
  const absl::flat_hash_set<std::string> live(live_sandbox_ids.begin(), live_sandbox_ids.end());
  CRISP_ASSIGN_OR_RETURN(const std::vector<CachedAttachment> all, cache_.List());
  absl::Status status;
  for (const CachedAttachment& attachment : all) {
    if (live.contains(attachment.container_id)) continue;
    // Only what crisp wrote is known to be dead when crisp does not know it. A
    // damaged file tells neither; it is left alone unless its network is ours.
    if (!attachment.ours) continue;
    if (!attachment.unreadable.ok() &&
        (network == nullptr || attachment.network != network->name)) {
      continue;
    }
    Combine(&status, Annotate(Delete(network, attachment), "sandbox ", attachment.container_id));
  }
  if (network != nullptr) Combine(&status, RunGc(*network));
  return status;
}

absl::Status CniNetwork::RunGc(const NetworkConfig& network) {
  CRISP_ASSIGN_OR_RETURN(const NetworkConfig settled, Settle(network));
  if (settled.disable_gc || !(settled.version >= kCniStatus)) return absl::OkStatus();
  json valid = json::array();
  CRISP_ASSIGN_OR_RETURN(const std::vector<CachedAttachment> all, cache_.List());
  for (const CachedAttachment& attachment : all) {
    if (attachment.network != settled.name) continue;
    valid.push_back(
        {{"containerID", attachment.container_id}, {"ifname", attachment.interface_name}});
  }
  absl::Status status;
  for (const json& plugin : settled.plugins) {
    json config = PluginConfig(settled, plugin, json::object(), json());
    // The specification and the library that most plugins use spell it differently.
    config["cni.dev/valid-attachments"] = valid;
    config["cni.dev/attachments"] = valid;
    Combine(&status, plugins_.Run(config, {.command = "GC"}).status());
  }
  return Annotate(status, "network ", settled.name);
}

void CniNetwork::LoadIps() {
  if (ips_loaded_) return;
  ips_loaded_ = true;
  const auto all = cache_.List();
  if (!all.ok()) return;
  for (const CachedAttachment& attachment : *all) {
    if (attachment.result.is_null()) continue;
    const auto ips = CheckedIps(attachment.result, attachment.netns_path);
    if (!ips.ok()) continue;
    for (const std::string& ip : *ips) sandbox_of_ip_.emplace(ip, attachment.container_id);
  }
}

absl::Status CniNetwork::ClaimIps(const std::string& sandbox_id,
                                  const std::vector<std::string>& ips) {
  absl::MutexLock lock(&mu_);
  LoadIps();
  for (const std::string& ip : ips) {
    const auto it = sandbox_of_ip_.find(ip);
    if (it != sandbox_of_ip_.end() && it->second != sandbox_id) {
      return absl::InternalError(
          absl::StrCat("the plugins gave ", ip, ", which sandbox ", it->second, " has"));
    }
  }
  for (const std::string& ip : ips) sandbox_of_ip_[ip] = sandbox_id;
  return absl::OkStatus();
}

void CniNetwork::ForgetIps(const std::string& sandbox_id) {
  absl::MutexLock lock(&mu_);
  // Before they are loaded there is nothing to forget: the file is about to go.
  for (auto it = sandbox_of_ip_.begin(); it != sandbox_of_ip_.end();) {
    const auto entry = it++;
    if (entry->second == sandbox_id) sandbox_of_ip_.erase(entry);
  }
}

}  // namespace crisp::netns
