#include "netns/cni/arguments.h"

#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

constexpr char kIngressAnnotation[] = "kubernetes.io/ingress-bandwidth";
constexpr char kEgressAnnotation[] = "kubernetes.io/egress-bandwidth";
constexpr double kMinBandwidth = 1e3;
constexpr double kMaxBandwidth = 1e15;

struct Suffix {
  const char* text;
  double factor;
};
constexpr Suffix kSuffixes[] = {
    {"", 1},
    {"n", 1e-9},
    {"u", 1e-6},
    {"m", 1e-3},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"E", 1e18},
    {"Ki", 1024.},
    {"Mi", 1048576.},
    {"Gi", 1073741824.},
    {"Ti", 1099511627776.},
    {"Pi", 1125899906842624.},
    {"Ei", 1152921504606846976.},
};

// Adds the rate in annotation `key` as `<direction>Rate`, with the burst that
// Kubernetes runtimes have always passed: unlimited, in 32 bits.
absl::Status AddRate(const PodAttachment& pod, const char* key, const char* direction,
                     json* bandwidth) {
  const auto it = pod.annotations.find(key);
  if (it == pod.annotations.end()) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const uint64_t rate,
                         Annotate(ParseBandwidth(it->second), "annotation ", key));
  (*bandwidth)[absl::StrCat(direction, "Rate")] = rate;
  (*bandwidth)[absl::StrCat(direction, "Burst")] = std::numeric_limits<uint32_t>::max();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CniArgs> MakeCniArgs(const PodAttachment& pod) {
  CniArgs args = {{"IgnoreUnknown", "1"},
                  {"K8S_POD_NAMESPACE", pod.pod_namespace},
                  {"K8S_POD_NAME", pod.pod_name},
                  {"K8S_POD_INFRA_CONTAINER_ID", pod.sandbox_id},
                  {"K8S_POD_UID", pod.pod_uid}};
  for (const auto& [key, value] : args) {
    if (value.find_first_of(std::string(";=\n\0", 4)) != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(
          key, " '", Excerpt(value, 80), "' contains a character that CNI_ARGS cannot carry"));
    }
  }
  return args;
}

std::string CniArgsText(const CniArgs& args) {
  std::string text;
  for (const auto& [key, value] : args) {
    absl::StrAppend(&text, text.empty() ? "" : ";", key, "=", value);
  }
  return text;
}

absl::StatusOr<uint64_t> ParseBandwidth(absl::string_view text) {
  const size_t digits = text.find_first_not_of("0123456789.");
  const absl::string_view number = text.substr(0, digits);
  absl::string_view suffix = digits == absl::string_view::npos ? "" : text.substr(digits);
  double value = 0;
  double factor = 0;
  int exponent = 0;
  bool ok = !number.empty() && absl::SimpleAtod(number, &value);
  if (suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E') && suffix != "Ei") {
    ok = ok && absl::SimpleAtoi(suffix.substr(1), &exponent);
    factor = std::pow(10, exponent);
  } else {
    for (const Suffix& known : kSuffixes) {
      if (suffix == known.text) factor = known.factor;
    }
  }
  if (!ok || factor == 0 || !std::isfinite(factor)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Excerpt(text, 40), "' is not a quantity such as 10M"));
  }
  const double rate = std::ceil(value * factor);
  if (rate < kMinBandwidth || rate > kMaxBandwidth) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Excerpt(text, 40), "' is not between 1k and 1P bits a second"));
  }
  return static_cast<uint64_t>(rate);
}

absl::StatusOr<json> MakeCapabilityArgs(const PodAttachment& pod) {
  json args = json::object();
  std::vector<PortMapping> ports;
  CRISP_RETURN_IF_ERROR(PublishedPorts(pod.ports, &ports));
  for (const PortMapping& port : ports) {
    args["portMappings"].push_back({{"hostPort", port.host_port},
                                    {"containerPort", port.container_port},
                                    {"protocol", port.protocol},
                                    {"hostIP", port.host_ip}});
  }
  json bandwidth = json::object();
  CRISP_RETURN_IF_ERROR(AddRate(pod, kIngressAnnotation, "ingress", &bandwidth));
  CRISP_RETURN_IF_ERROR(AddRate(pod, kEgressAnnotation, "egress", &bandwidth));
  if (!bandwidth.empty()) args["bandwidth"] = bandwidth;
  if (!pod.dns.servers.empty() || !pod.dns.searches.empty() || !pod.dns.options.empty()) {
    args["dns"] = {
        {"servers", pod.dns.servers}, {"searches", pod.dns.searches}, {"options", pod.dns.options}};
  }
  if (!pod.cgroup_parent.empty()) args["cgroupPath"] = pod.cgroup_parent;
  if (!pod.annotations.empty()) args["io.kubernetes.cri.pod-annotations"] = pod.annotations;
  return args;
}

json RuntimeConfigFor(const json& plugin, const json& capability_args) {
  json config = json::object();
  const auto capabilities = plugin.find("capabilities");
  if (capabilities == plugin.end() || !capabilities->is_object()) return config;
  for (const auto& [name, declared] : capabilities->items()) {
    if (declared == true && capability_args.contains(name)) config[name] = capability_args[name];
  }
  return config;
}

}  // namespace crisp::netns
