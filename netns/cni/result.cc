#include "netns/cni/result.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "netns/cni/bounded_json.h"
#include "netns/cni/version.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

constexpr size_t kMaxIps = 32;

// Codes of the specification that say more than "it failed".
absl::StatusCode CodeOfPluginError(int64_t code) {
  switch (code) {
    case 11:  // Try again later.
    case 50:  // STATUS: not available.
    case 51:  // STATUS: not available, and existing pods have limited connectivity.
      return absl::StatusCode::kUnavailable;
    case 1:  // Incompatible version.
    case 2:  // Unsupported field.
    case 7:  // Invalid network configuration.
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

bool IsErrorObject(const json& object) {
  const auto code = object.find("code");
  return code != object.end() && code->is_number_integer() && *code != 0 && object.contains("msg");
}

absl::Status FromErrorObject(const json& object) {
  const int64_t code = object["code"].get<int64_t>();
  const std::string details = StringMember(object, "details");
  return absl::Status(
      CodeOfPluginError(code),
      absl::StrCat(Excerpt(StringMember(object, "msg")), details.empty() ? "" : "; ",
                   Excerpt(details), " (CNI code ", code, ")"));
}

// "10.1.2.3/24" to "10.1.2.3", in canonical form.
absl::StatusOr<std::string> AddressOf(const std::string& cidr) {
  const size_t slash = cidr.find('/');
  const std::string text = cidr.substr(0, slash);
  char canonical[INET6_ADDRSTRLEN];
  in_addr v4;
  in6_addr v6;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const uint32_t value = ntohl(v4.s_addr);
    const bool usable = value != 0 && (value >> 24) != 127 && (value >> 28) < 14;
    if (usable) return std::string(::inet_ntop(AF_INET, &v4, canonical, sizeof(canonical)));
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    const bool usable =
        !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_MULTICAST(&v6);
    if (usable) return std::string(::inet_ntop(AF_INET6, &v6, canonical, sizeof(canonical)));
  }
  return absl::InternalError(
      absl::StrCat("the result's address '", Excerpt(cidr, 60), "' cannot be a pod's"));
}

// Whether `ip`, an element of "ips", is on the pod's interface. Internal if it
// points at an interface that is not there or not in the pod.
absl::StatusOr<bool> IsOnPodInterface(const json& ip, const json& interfaces,
                                      absl::string_view interface_name,
                                      const std::function<bool(const std::string&)>& is_pod_netns) {
  const auto index = ip.find("interface");
  // Versions before 1.0.0 allow plugins not to say; it can only be the pod's then.
  if (index == ip.end() || index->is_null()) return true;
  if (!index->is_number_unsigned() || index->get<uint64_t>() >= interfaces.size()) {
    return absl::InternalError("the result's address points at an interface that is not there");
  }
  const json& interface = interfaces[index->get<size_t>()];
  if (!interface.is_object()) {
    return absl::InternalError("the result holds an interface that is not an object");
  }
  const std::string sandbox = StringMember(interface, "sandbox");
  // Without a sandbox it is an interface of the host, such as the bridge.
  if (sandbox.empty() || StringMember(interface, "name") != interface_name) return false;
  if (is_pod_netns(sandbox)) return true;
  return absl::InternalError(absl::StrCat("the result's ", interface_name,
                                          " is not in the pod's namespace but in '",
                                          Excerpt(sandbox, 100), "'"));
}

// Versions 0.1.0 and 0.2.0: one address a family and no interfaces.
absl::Status CollectOldForm(const json& result, std::vector<std::string>* ips) {
  for (const char* family : {"ip4", "ip6"}) {
    const auto it = result.find(family);
    if (it == result.end() || it->is_null()) continue;
    if (!it->is_object()) {
      return absl::InternalError(absl::StrCat("the result's ", family, " is not an object"));
    }
    CRISP_ASSIGN_OR_RETURN(std::string ip, AddressOf(StringMember(*it, "ip")));
    ips->push_back(std::move(ip));
  }
  return absl::OkStatus();
}

absl::Status CollectNewForm(const json& result, absl::string_view interface_name,
                            const std::function<bool(const std::string&)>& is_pod_netns,
                            std::vector<std::string>* ips) {
  const auto list = result.find("ips");
  if (list == result.end() || list->is_null()) return absl::OkStatus();
  if (!list->is_array()) return absl::InternalError("the result's ips is not an array");
  if (list->size() > kMaxIps) {
    return absl::InternalError(
        absl::StrCat("the result holds ", list->size(), " addresses; the most is ", kMaxIps));
  }
  const auto it = result.find("interfaces");
  const json interfaces = it != result.end() && it->is_array() ? *it : json::array();
  for (const json& ip : *list) {
    if (!ip.is_object()) {
      return absl::InternalError("the result holds an address that is not an object");
    }
    CRISP_ASSIGN_OR_RETURN(const bool ours,
                           IsOnPodInterface(ip, interfaces, interface_name, is_pod_netns));
    if (!ours) continue;
    CRISP_ASSIGN_OR_RETURN(std::string address, AddressOf(StringMember(ip, "address")));
    ips->push_back(std::move(address));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<json> ParseResult(absl::string_view output, absl::string_view version) {
  auto result = ParseJsonObject(output);
  if (!result.ok()) {
    return absl::InternalError(
        absl::StrCat("its result cannot be read: ", result.status().message(),
                     "; it begins: ", Excerpt(output, 120)));
  }
  if (IsErrorObject(*result)) return FromErrorObject(*result);
  const auto own = result->find("cniVersion");
  if (own == result->end() || *own == "") {
    (*result)["cniVersion"] = std::string(version);
  } else {
    const auto parsed = CniVersion::Parse(StringMember(*result, "cniVersion"));
    if (!parsed.ok() || !IsSupportedCniVersion(*parsed)) {
      return absl::InternalError("its result has an unknown cniVersion");
    }
  }
  return result;
}

absl::Status ParseError(absl::string_view output, absl::string_view stderr_text, int exit_code) {
  const auto object = ParseJsonObject(output);
  if (object.ok() && IsErrorObject(*object)) return FromErrorObject(*object);
  // The end of a panic or a script's complaint says more than its beginning.
  constexpr size_t kTail = 300;
  absl::string_view words = stderr_text.empty() ? output : stderr_text;
  if (words.size() > kTail) words.remove_prefix(words.size() - kTail);
  return absl::InternalError(absl::StrCat("exit code ", exit_code, ": ", Excerpt(words)));
}

absl::StatusOr<std::vector<std::string>> ParseVersions(absl::string_view output) {
  CRISP_ASSIGN_OR_RETURN(const json object, ParseJsonObject(output));
  std::vector<std::string> versions;
  const auto list = object.find("supportedVersions");
  if (list != object.end() && list->is_array()) {
    for (const json& version : *list) {
      if (version.is_string()) versions.push_back(version.get<std::string>());
    }
  }
  if (versions.empty()) return absl::InternalError("it names no supported versions");
  return versions;
}

absl::StatusOr<std::vector<std::string>> PodIps(
    const json& result, absl::string_view interface_name,
    const std::function<bool(const std::string&)>& is_pod_netns) {
  std::vector<std::string> ips;
  if (!result.contains("ips")) CRISP_RETURN_IF_ERROR(CollectOldForm(result, &ips));
  CRISP_RETURN_IF_ERROR(CollectNewForm(result, interface_name, is_pod_netns, &ips));
  if (ips.empty()) {
    return absl::InternalError(absl::StrCat("the result holds no address for ", interface_name));
  }
  const auto first_v4 = std::find_if(ips.begin(), ips.end(), [](const std::string& ip) {
    return ip.find(':') == std::string::npos;
  });
  if (first_v4 != ips.end()) std::rotate(ips.begin(), first_v4, first_v4 + 1);
  return ips;
}

}  // namespace crisp::netns
