#include "cgroup/resources.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace crisp::cgroup {
namespace {

using Json = nlohmann::json;

absl::Status Bad(absl::string_view field, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

// One JSON object of the resources. The first thing that is wrong with it stays;
// Finish gives it, or names a field that nobody took.
class Object {
 public:
  Object(const Json& json, std::string field) : json_(json), field_(std::move(field)) {
    if (!json_.is_object()) status_ = Bad(field_, "is not an object");
  }

  const Json* Take(const char* key) {
    taken_.emplace_back(key);
    if (!status_.ok()) return nullptr;
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }

  template <typename T>
  void Integer(const char* key, std::optional<T>* out, bool zero_counts = false) {
    const Json* value = Take(key);
    if (value == nullptr) return;
    const auto fits = [&] {
      if (value->is_number_unsigned()) {
        return value->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max());
      }
      if (!value->is_number_integer()) return false;
      const int64_t number = value->get<int64_t>();
      return std::numeric_limits<T>::min() < 0 ? number >= static_cast<int64_t>(-1) : number >= 0;
    };
    if (!fits()) return Fail(key, "is not a number in range");
    const T number = value->get<T>();
    if (number != 0 || zero_counts) *out = number;
  }

  void Bool(const char* key, std::optional<bool>* out) {
    const Json* value = Take(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return Fail(key, "is not true or false");
    *out = value->get<bool>();
  }

  void Text(const char* key, std::string* out) {
    const Json* value = Take(key);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(key, "is not a string");
    *out = value->get<std::string>();
    // What goes into a kernel file must be one word of one line.
    if (out->find_first_of("\n\0 ", 0, 3) != out->npos) {
      Fail(key, "holds a space, a newline or a NUL");
    }
  }

  template <typename F>  // absl::Status F(const Json&, const std::string& field)
  void Each(const char* key, F f) {
    const Json* list = Take(key);
    if (list == nullptr) return;
    if (!list->is_array()) return Fail(key, "is not a list");
    for (size_t i = 0; i < list->size() && status_.ok(); ++i) {
      status_ = f((*list)[i], absl::StrCat(field_, ".", key, "[", i, "]"));
    }
  }

  template <typename F>  // absl::Status F(const Json&, const std::string& field)
  void Part(const char* key, F f) {
    if (const Json* part = Take(key)) status_ = f(*part, absl::StrCat(field_, ".", key));
  }

  // A field that the kernel has given up: accepted while it asks for nothing.
  void Obsolete(const char* key) {
    const Json* value = Take(key);
    if (value == nullptr) return;
    const bool nothing = value->is_number_integer() && value->get<int64_t>() <= 0;
    if (!nothing) Fail(key, "is not supported by kernels any more");
  }

  void Fail(absl::string_view key, absl::string_view why) {
    if (status_.ok()) status_ = Bad(absl::StrCat(field_, ".", key), why);
  }

  absl::Status Finish() {
    if (!status_.ok()) return status_;
    for (const auto& [key, value] : json_.items()) {
      if (std::find(taken_.begin(), taken_.end(), key) == taken_.end()) {
        return Bad(absl::StrCat(field_, ".", key), "is not known");
      }
    }
    return absl::OkStatus();
  }

 private:
  const Json& json_;
  const std::string field_;
  std::vector<absl::string_view> taken_;
  absl::Status status_;
};

absl::StatusOr<DeviceRule> ParseDevice(const Json& json, const std::string& field) {
  DeviceRule rule;
  Object object(json, field);
  std::optional<bool> allow;
  object.Bool("allow", &allow);
  rule.allow = allow.value_or(false);
  std::string type;
  object.Text("type", &type);
  if (type == "u") type = "c";  // Unbuffered: Linux has no such thing apart.
  if (!type.empty() && type != "a" && type != "b" && type != "c") {
    object.Fail("type", "is none of a, b, c, u");
  }
  if (!type.empty()) rule.type = type[0];
  object.Integer("major", &rule.major, /*zero_counts=*/true);
  object.Integer("minor", &rule.minor, /*zero_counts=*/true);
  if (rule.major == -1) rule.major.reset();
  if (rule.minor == -1) rule.minor.reset();
  object.Text("access", &rule.access);
  if (rule.access.find_first_not_of("rwm") != std::string::npos) {
    object.Fail("access", "has a letter other than r, w, m");
  }
  if (rule.access.empty()) rule.access = "rwm";
  CRISP_RETURN_IF_ERROR(object.Finish());
  // "a" stands for everything: it sets what holds where no other rule does.
  const bool whole = rule.access.find('r') != std::string::npos &&
                     rule.access.find('w') != std::string::npos &&
                     rule.access.find('m') != std::string::npos;
  if (rule.type == 'a' && (rule.major || rule.minor || !whole)) {
    return Bad(field, "names all types of devices, but not all devices or not all access");
  }
  return rule;
}

absl::Status ParseMemory(const Json& json, const std::string& field, Resources* out) {
  Object object(json, field);
  object.Integer("limit", &out->memory_limit);
  object.Integer("reservation", &out->memory_reservation);
  object.Integer("swap", &out->memory_swap);
  object.Integer("swappiness", &out->memory_swappiness, /*zero_counts=*/true);
  if (out->memory_swappiness.value_or(0) > 100) object.Fail("swappiness", "is over 100");
  object.Bool("disableOOMKiller", &out->disable_oom_killer);
  object.Bool("checkBeforeUpdate", &out->check_before_update);
  object.Obsolete("kernel");
  object.Obsolete("kernelTCP");
  std::optional<bool> hierarchy;
  object.Bool("useHierarchy", &hierarchy);
  if (hierarchy == false) object.Fail("useHierarchy", "cannot be turned off on this kernel");
  return object.Finish();
}

absl::Status ParseCpu(const Json& json, const std::string& field, Resources* out) {
  Object object(json, field);
  object.Integer("shares", &out->cpu_shares);
  object.Integer("quota", &out->cpu_quota);
  object.Integer("period", &out->cpu_period);
  object.Integer("burst", &out->cpu_burst, /*zero_counts=*/true);
  object.Integer("idle", &out->cpu_idle, /*zero_counts=*/true);
  object.Integer("realtimeRuntime", &out->cpu_realtime_runtime);
  object.Integer("realtimePeriod", &out->cpu_realtime_period);
  object.Text("cpus", &out->cpuset_cpus);
  object.Text("mems", &out->cpuset_mems);
  return object.Finish();
}

absl::Status ParseBlockIoDevice(const Json& json, const std::string& field, const char* value,
                                std::vector<BlockIoDevice>* out) {
  Object object(json, field);
  std::optional<int64_t> major, minor;
  std::optional<uint64_t> rate;
  object.Integer("major", &major, /*zero_counts=*/true);
  object.Integer("minor", &minor, /*zero_counts=*/true);
  object.Integer(value, &rate, /*zero_counts=*/true);
  if (value == absl::string_view("weight")) object.Obsolete("leafWeight");
  CRISP_RETURN_IF_ERROR(object.Finish());
  if (major.value_or(-1) < 0 || minor.value_or(-1) < 0) {
    return Bad(field, "does not say which device");
  }
  if (rate) out->push_back({*major, *minor, *rate});
  return absl::OkStatus();
}

absl::Status ParseBlockIo(const Json& json, const std::string& field, Resources* out) {
  Object object(json, field);
  object.Integer("weight", &out->blkio_weight);
  if (out->blkio_weight && (*out->blkio_weight < 10 || *out->blkio_weight > 1000)) {
    object.Fail("weight", "is not between 10 and 1000");
  }
  object.Obsolete("leafWeight");
  const auto devices = [&](const char* key, const char* value, std::vector<BlockIoDevice>* list) {
    object.Each(key, [&](const Json& entry, const std::string& name) {
      return ParseBlockIoDevice(entry, name, value, list);
    });
  };
  devices("weightDevice", "weight", &out->weight_devices);
  devices("throttleReadBpsDevice", "rate", &out->read_bps);
  devices("throttleWriteBpsDevice", "rate", &out->write_bps);
  devices("throttleReadIOPSDevice", "rate", &out->read_iops);
  devices("throttleWriteIOPSDevice", "rate", &out->write_iops);
  return object.Finish();
}

// "2MB", "1GB", "64KB": a part of a file's name.
bool IsPageSize(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  return digits != 0 && digits != text.npos &&
         (text.substr(digits) == "KB" || text.substr(digits) == "MB" ||
          text.substr(digits) == "GB");
}

absl::Status ParseHugepageLimit(const Json& json, const std::string& field, Resources* out) {
  Object object(json, field);
  std::string size;
  std::optional<uint64_t> limit;
  object.Text("pageSize", &size);
  object.Integer("limit", &limit, /*zero_counts=*/true);
  CRISP_RETURN_IF_ERROR(object.Finish());
  if (!IsPageSize(size)) return Bad(absl::StrCat(field, ".pageSize"), "is not like \"2MB\"");
  if (limit) out->hugepage_limits[size] = *limit;
  return absl::OkStatus();
}

absl::Status ParseNetwork(const Json& json, const std::string& field, Resources* out) {
  Object object(json, field);
  object.Integer("classID", &out->network_class_id, /*zero_counts=*/true);
  object.Each("priorities", [&](const Json& entry, const std::string& name) {
    Object priority(entry, name);
    std::string interface;
    std::optional<uint32_t> value;
    priority.Text("name", &interface);
    priority.Integer("priority", &value, /*zero_counts=*/true);
    CRISP_RETURN_IF_ERROR(priority.Finish());
    if (interface.empty()) return Bad(absl::StrCat(name, ".name"), "is empty");
    out->network_priorities[interface] = value.value_or(0);
    return absl::OkStatus();
  });
  return object.Finish();
}

absl::Status ParseRdma(const Json& json, const std::string& field, Resources* out) {
  if (!json.is_object()) return Bad(field, "is not an object");
  for (const auto& [name, entry] : json.items()) {
    Object object(entry, absl::StrCat(field, ".", name));
    RdmaLimit limit;
    object.Integer("hcaHandles", &limit.handles, /*zero_counts=*/true);
    object.Integer("hcaObjects", &limit.objects, /*zero_counts=*/true);
    CRISP_RETURN_IF_ERROR(object.Finish());
    if (name.empty() || name.find_first_of("\n ") != name.npos)
      return Bad(field, "names no device");
    out->rdma[name] = limit;
  }
  return absl::OkStatus();
}

absl::Status ParseUnified(const Json& json, const std::string& field, Resources* out) {
  if (!json.is_object()) return Bad(field, "is not an object");
  for (const auto& [file, value] : json.items()) {
    const std::string name = absl::StrCat(field, "[\"", file, "\"]");
    // The name of a file in the cgroup's directory, of a controller, never a path.
    const size_t dot = file.find('.');
    if (dot == 0 || dot == file.npos || file.find('/') != file.npos ||
        file.find('\0') != file.npos || file.substr(0, dot) == "cgroup") {
      return Bad(name, "is not the name of a controller's file");
    }
    if (!value.is_string()) return Bad(name, "is not a string");
    out->unified[file] = value.get<std::string>();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Resources> ParseResources(const Json& json, const std::string& field) {
  Resources out;
  if (json.is_null()) return out;
  Object object(json, field);
  object.Each("devices", [&](const Json& entry, const std::string& name) -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(DeviceRule rule, ParseDevice(entry, name));
    out.devices.push_back(std::move(rule));
    return absl::OkStatus();
  });
  const auto part = [&](const char* key,
                        absl::Status (*parse)(const Json&, const std::string&, Resources*)) {
    object.Part(
        key, [&](const Json& entry, const std::string& name) { return parse(entry, name, &out); });
  };
  part("memory", ParseMemory);
  part("cpu", ParseCpu);
  part("blockIO", ParseBlockIo);
  part("network", ParseNetwork);
  part("rdma", ParseRdma);
  part("unified", ParseUnified);
  object.Part("pids", [&](const Json& entry, const std::string& name) {
    Object pids(entry, name);
    pids.Integer("limit", &out.pids_limit);
    return pids.Finish();
  });
  object.Each("hugepageLimits", [&](const Json& entry, const std::string& name) {
    return ParseHugepageLimit(entry, name, &out);
  });
  CRISP_RETURN_IF_ERROR(object.Finish());
  return out;
}

}  // namespace crisp::cgroup
