#include "volumes/pod_record.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::volumes {
namespace {

using nlohmann::json;

constexpr char kFile[] = "volumes.json";
constexpr int kFormat = 1;

struct ResourceField {
  const char* name;
  absl::optional<int64_t> ContainerResourceValues::*member;
};

constexpr ResourceField kResourceFields[] = {
    {"cpuLimitMilli", &ContainerResourceValues::cpu_limit_milli},
    {"cpuRequestMilli", &ContainerResourceValues::cpu_request_milli},
    {"memoryLimitBytes", &ContainerResourceValues::memory_limit_bytes},
    {"memoryRequestBytes", &ContainerResourceValues::memory_request_bytes},
    {"storageLimitBytes", &ContainerResourceValues::storage_limit_bytes},
    {"storageRequestBytes", &ContainerResourceValues::storage_request_bytes},
};

PodRecord FromJson(const json& value) {
  PodRecord record;
  const json& pod = value.at("pod");
  PodIdentity& out = record.identity;
  out.sandbox_id = pod.at("sandboxId").get<std::string>();
  out.name = pod.at("name").get<std::string>();
  out.ns = pod.at("namespace").get<std::string>();
  out.uid = pod.at("uid").get<std::string>();
  out.ips = pod.at("ips").get<std::vector<std::string>>();
  out.node_name = pod.at("nodeName").get<std::string>();
  out.host_ip = pod.at("hostIp").get<std::string>();
  out.service_account = pod.at("serviceAccount").get<std::string>();
  out.labels = pod.at("labels").get<std::map<std::string, std::string>>();
  out.annotations = pod.at("annotations").get<std::map<std::string, std::string>>();
  if (pod.contains("fsGroup")) out.fs_group = pod.at("fsGroup").get<gid_t>();
  record.volumes_json = value.at("volumes").get<std::string>();
  record.in_pod = value.value("inPod", false);
  for (const auto& [container, values] : value.at("resources").items()) {
    for (const ResourceField& field : kResourceFields) {
      if (values.contains(field.name)) {
        record.resources[container].*field.member = values.at(field.name).get<int64_t>();
      }
    }
  }
  return record;
}

}  // namespace

absl::Status WriteRecord(int pod_fd, const PodRecord& record) {
  const PodIdentity& pod = record.identity;
  json value = {
      {"format", kFormat},
      {"pod",
       {{"sandboxId", pod.sandbox_id},
        {"name", pod.name},
        {"namespace", pod.ns},
        {"uid", pod.uid},
        {"ips", pod.ips},
        {"nodeName", pod.node_name},
        {"hostIp", pod.host_ip},
        {"serviceAccount", pod.service_account},
        {"labels", pod.labels},
        {"annotations", pod.annotations}}},
      {"volumes", record.volumes_json},
      {"inPod", record.in_pod},
      {"resources", json::object()},
  };
  if (pod.fs_group.has_value()) value["pod"]["fsGroup"] = *pod.fs_group;
  for (const auto& [container, values] : record.resources) {
    json& out = value["resources"][container] = json::object();
    for (const ResourceField& field : kResourceFields) {
      if ((values.*field.member).has_value()) out[field.name] = *(values.*field.member);
    }
  }
  // Labels come from the network: a byte that is not UTF-8 must not throw here.
  return WriteFileAtomicAt(pod_fd, kFile,
                           value.dump(-1, ' ', false, json::error_handler_t::replace), 0600);
}

absl::StatusOr<PodRecord> ReadRecord(int pod_fd) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFileAt(pod_fd, kFile, 4 << 20));
  try {
    const json value = json::parse(text);
    if (value.at("format").get<int>() != kFormat) {
      return absl::DataLossError("volumes.json: written by another version of crisp");
    }
    return FromJson(value);
  } catch (const json::exception& e) {
    return absl::DataLossError(std::string("volumes.json: ") + e.what());
  }
}

absl::Status RemoveRecord(int pod_fd) {
  if (::unlinkat(pod_fd, kFile, 0) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, "remove volumes.json");
}

}  // namespace crisp::volumes
