#include "volumes/downward_item.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "volumes/payload.h"
#include "volumes/quantity.h"

namespace crisp::volumes {
namespace {

using nlohmann::json;

constexpr const char* kFields[] = {"metadata.name",
                                   "metadata.namespace",
                                   "metadata.uid",
                                   "metadata.labels",
                                   "metadata.annotations",
                                   "spec.nodeName",
                                   "spec.serviceAccountName",
                                   "status.podIP",
                                   "status.podIPs",
                                   "status.hostIP"};

constexpr const char* kResources[] = {
    "limits.cpu",   "limits.memory",   "limits.ephemeral-storage",
    "requests.cpu", "requests.memory", "requests.ephemeral-storage"};

template <size_t N>
bool IsOneOf(const std::string& word, const char* const (&words)[N]) {
  for (const char* each : words) {
    if (word == each) return true;
  }
  return false;
}

// A string as Go's %q writes it, which is how Kubernetes writes labels.
std::string Quote(const std::string& text) {
  constexpr char kNames[] = "abtnvfr";  // For 0x07 to 0x0d.
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (byte >= 0x07 && byte <= 0x0d) {
      absl::StrAppend(&out, "\\", std::string(1, kNames[byte - 0x07]));
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string MapText(const std::map<std::string, std::string>& map) {
  return absl::StrJoin(map, "\n", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, "=", Quote(entry.second));
  });
}

absl::Status ParseFieldRef(const json& value, const std::string& path, DownwardItem& item) {
  CRISP_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Of(value, path));
  CRISP_ASSIGN_OR_RETURN(const std::string version, fields.String("apiVersion", "v1"));
  if (version != "v1") return fields.Error("apiVersion", "must be \"v1\"");
  CRISP_ASSIGN_OR_RETURN(item.field, fields.RequiredString("fieldPath"));
  CRISP_RETURN_IF_ERROR(fields.NoOthers());
  const std::string written = item.field;
  const size_t bracket = item.field.find('[');
  if (bracket != std::string::npos) {
    const std::string rest = item.field.substr(bracket);
    item.field.resize(bracket);
    const bool subscript = rest.size() > 4 && rest.compare(0, 2, "['") == 0 &&
                           rest.compare(rest.size() - 2, 2, "']") == 0;
    if (!subscript || (item.field != "metadata.labels" && item.field != "metadata.annotations")) {
      return fields.Error("fieldPath", absl::StrCat("'", absl::CEscape(written.substr(0, 100)),
                                                    "' is not metadata.labels['KEY'] or "
                                                    "metadata.annotations['KEY']"));
    }
    item.field_key = rest.substr(2, rest.size() - 4);
  }
  if (!IsOneOf(item.field, kFields)) {
    return fields.Error(
        "fieldPath", absl::StrCat("'", absl::CEscape(written.substr(0, 100)),
                                  "' is not supported; use one of ", absl::StrJoin(kFields, ", ")));
  }
  return absl::OkStatus();
}

bool IsCpu(const std::string& resource) {
  return resource.size() >= 4 && resource.compare(resource.size() - 4, 4, ".cpu") == 0;
}

absl::Status ParseResourceRef(const json& value, const std::string& path, DownwardItem& item) {
  CRISP_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Of(value, path));
  ResourceRef ref;
  CRISP_ASSIGN_OR_RETURN(ref.container, fields.RequiredString("containerName"));
  CRISP_ASSIGN_OR_RETURN(ref.resource, fields.RequiredString("resource"));
  if (!IsOneOf(ref.resource, kResources)) {
    return fields.Error("resource", absl::StrCat("'", absl::CEscape(ref.resource.substr(0, 100)),
                                                 "' is not supported; use one of ",
                                                 absl::StrJoin(kResources, ", ")));
  }
  const bool cpu = IsCpu(ref.resource);
  ref.divisor = cpu ? 1000 : 1;
  if (const json* divisor = fields.Get("divisor"); divisor != nullptr) {
    if (!divisor->is_string() && !divisor->is_number()) {
      return fields.Error("divisor", "must be a quantity such as \"1Mi\"");
    }
    auto parsed = ParseQuantity(
        divisor->is_string() ? divisor->get<std::string>() : divisor->dump(), cpu ? 1000 : 1);
    if (!parsed.ok()) return fields.Error("divisor", parsed.status().message());
    // Kubernetes writes "0" for a divisor that was not given.
    if (*parsed != 0) ref.divisor = *parsed;
  }
  item.resource = std::move(ref);
  return fields.NoOthers();
}

int64_t ValueOf(const std::string& resource, const ContainerResourceValues& values) {
  if (resource == "limits.cpu") {
    return values.cpu_limit_milli.value_or(::sysconf(_SC_NPROCESSORS_ONLN) * int64_t{1000});
  }
  if (resource == "limits.memory") {
    if (values.memory_limit_bytes.has_value()) return *values.memory_limit_bytes;
    struct sysinfo info;
    return ::sysinfo(&info) == 0 ? static_cast<int64_t>(info.totalram) * info.mem_unit : 0;
  }
  if (resource == "limits.ephemeral-storage") return values.storage_limit_bytes.value_or(0);
  if (resource == "requests.cpu") return values.cpu_request_milli.value_or(0);
  if (resource == "requests.memory") return values.memory_request_bytes.value_or(0);
  return values.storage_request_bytes.value_or(0);
}

std::string ValueIn(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

}  // namespace

absl::StatusOr<std::string> ParsePayloadPath(JsonFields& item) {
  CRISP_ASSIGN_OR_RETURN(const std::string path, item.RequiredString("path"));
  auto clean = CleanPayloadPath(path);
  if (!clean.ok()) return item.Error("path", clean.status().message());
  return clean;
}

absl::StatusOr<absl::optional<mode_t>> ParseMode(JsonFields& fields, const std::string& field) {
  CRISP_ASSIGN_OR_RETURN(const absl::optional<int64_t> mode, fields.Int(field));
  if (!mode.has_value()) return absl::optional<mode_t>();
  if (*mode < 0 || *mode > 0777) {
    return fields.Error(field, absl::StrCat(*mode, " is not in the range 0 to 511 (0777 octal)"));
  }
  return absl::optional<mode_t>(static_cast<mode_t>(*mode));
}

absl::StatusOr<DownwardProjection> ParseDownwardItems(JsonFields& fields) {
  DownwardProjection out;
  std::set<std::string> paths;
  CRISP_ASSIGN_OR_RETURN(const std::vector<json> values, fields.Array("items"));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string path = absl::StrCat(fields.PathOf("items"), "[", i, "]");
    CRISP_ASSIGN_OR_RETURN(JsonFields item, JsonFields::Of(values[i], path));
    DownwardItem& parsed = out.items.emplace_back();
    CRISP_ASSIGN_OR_RETURN(parsed.path, ParsePayloadPath(item));
    CRISP_ASSIGN_OR_RETURN(parsed.mode, ParseMode(item, "mode"));
    const json* field_ref = item.Get("fieldRef");
    const json* resource_ref = item.Get("resourceFieldRef");
    if ((field_ref == nullptr) == (resource_ref == nullptr)) {
      return FieldError(path, "must have either fieldRef or resourceFieldRef");
    }
    CRISP_RETURN_IF_ERROR(
        field_ref != nullptr
            ? ParseFieldRef(*field_ref, item.PathOf("fieldRef"), parsed)
            : ParseResourceRef(*resource_ref, item.PathOf("resourceFieldRef"), parsed));
    CRISP_RETURN_IF_ERROR(item.NoOthers());
    if (!paths.insert(parsed.path).second) {
      return item.Error("path", absl::StrCat("'", parsed.path, "' is used twice"));
    }
  }
  return out;
}

std::string DownwardValue(const DownwardItem& item, const PodIdentity& pod,
                          const std::map<std::string, ContainerResourceValues>& resources) {
  if (item.resource.has_value()) {
    const auto found = resources.find(item.resource->container);
    if (found == resources.end()) return "";
    const int64_t value = ValueOf(item.resource->resource, found->second);
    const int64_t divisor = item.resource->divisor;
    return absl::StrCat(value / divisor + (value % divisor != 0 ? 1 : 0));
  }
  const bool one = !item.field_key.empty();
  if (item.field == "metadata.name") return pod.name;
  if (item.field == "metadata.namespace") return pod.ns;
  if (item.field == "metadata.uid") return pod.uid;
  if (item.field == "metadata.labels") {
    return one ? ValueIn(pod.labels, item.field_key) : MapText(pod.labels);
  }
  if (item.field == "metadata.annotations") {
    return one ? ValueIn(pod.annotations, item.field_key) : MapText(pod.annotations);
  }
  if (item.field == "spec.nodeName") return pod.node_name;
  if (item.field == "spec.serviceAccountName") return pod.service_account;
  if (item.field == "status.hostIP") return pod.host_ip;
  if (item.field == "status.podIPs") return absl::StrJoin(pod.ips, ",");
  return pod.ips.empty() ? "" : pod.ips.front();
}

}  // namespace crisp::volumes
