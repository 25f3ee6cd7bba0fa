#include "cri/images/registry/hosts_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <string_view>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/images/reference.h"

namespace crisp::cri {
namespace {

absl::Status Wrong(const std::string& where, const std::string& field, absl::string_view wanted) {
  return absl::FailedPreconditionError(
      absl::StrCat(where, "field \"", field, "\" is not ", wanted));
}

std::string InDir(const std::string& dir, const std::string& path) {
  return absl::StartsWith(path, "/") ? path : JoinPath(dir, path);
}

// "text" or ["text", …].
absl::StatusOr<std::vector<std::string>> Texts(const toml::table& table, const std::string& field,
                                               const std::string& where) {
  std::vector<std::string> out;
  const toml::node* node = table.get(field);
  if (node == nullptr) return out;
  if (const auto one = node->value<std::string>()) return std::vector<std::string>{*one};
  const toml::array* array = node->as_array();
  if (array == nullptr) return Wrong(where, field, "text or a list of texts");
  for (const toml::node& item : *array) {
    const auto text = item.value<std::string>();
    if (!text) return Wrong(where, field, "text or a list of texts");
    out.push_back(*text);
  }
  return out;
}

absl::StatusOr<bool> Flag(const toml::table& table, const std::string& field,
                          const std::string& where) {
  const toml::node* node = table.get(field);
  if (node == nullptr) return false;
  if (!node->is_boolean()) return Wrong(where, field, "true or false");
  return *node->value<bool>();
}

// "both.pem", ["both.pem"], or [["cert.pem", "key.pem"]]: the first counts.
absl::Status ReadClient(const toml::table& table, const std::string& dir, const std::string& where,
                        TlsOptions* tls) {
  const toml::node* node = table.get("client");
  if (node == nullptr) return absl::OkStatus();
  constexpr char kWanted[] = "a file or a list of certificate and key pairs";
  if (const toml::array* array = node->as_array()) {
    if (array->empty()) return absl::OkStatus();
    node = array->get(0);
    if (const toml::array* pair = node->as_array()) {
      if (pair->empty() || pair->size() > 2) return Wrong(where, "client", kWanted);
      const auto cert = pair->get(0)->value<std::string>();
      const auto key = pair->size() == 2 ? pair->get(1)->value<std::string>() : cert;
      if (!cert || !key) return Wrong(where, "client", kWanted);
      tls->client_cert_file = InDir(dir, *cert);
      if (!key->empty() && *key != *cert) tls->client_key_file = InDir(dir, *key);
      return absl::OkStatus();
    }
  }
  const auto file = node->value<std::string>();
  if (!file) return Wrong(where, "client", kWanted);
  tls->client_cert_file = InDir(dir, *file);
  return absl::OkStatus();
}

absl::Status ReadHeaders(const toml::table& table, const std::string& where,
                         RegistryEndpoint* out) {
  const toml::node* node = table.get("header");
  if (node == nullptr) return absl::OkStatus();
  const toml::table* headers = node->as_table();
  if (headers == nullptr) return Wrong(where, "header", "a table");
  for (const auto& [name, value] : *headers) {
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> values,
                           Texts(*headers, std::string(name.str()), where));
    for (const std::string& one : values) out->headers.emplace_back(std::string(name.str()), one);
  }
  return absl::OkStatus();
}

// What a server's or a mirror's table says beside its address.
absl::Status ReadSettings(const toml::table& table, const std::string& dir,
                          const std::string& where, RegistryEndpoint* out) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> capabilities,
                         Texts(table, "capabilities", where));
  if (!capabilities.empty()) {
    out->can_pull = out->can_resolve = false;
    for (const std::string& capability : capabilities) {
      if (capability == "pull") {
        out->can_pull = true;
      } else if (capability == "resolve") {
        out->can_resolve = true;
      } else if (capability != "push" && capability != "referrers") {
        return Wrong(where, "capabilities", "made of pull, resolve, push and referrers");
      }
    }
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> cas, Texts(table, "ca", where));
  for (const std::string& ca : cas) out->tls.ca_files.push_back(InDir(dir, ca));
  CRISP_RETURN_IF_ERROR(ReadClient(table, dir, where, &out->tls));
  CRISP_ASSIGN_OR_RETURN(const bool skip_verify, Flag(table, "skip_verify", where));
  out->tls.skip_verify = out->tls.skip_verify || skip_verify;
  CRISP_RETURN_IF_ERROR(ReadHeaders(table, where, out));
  if (const toml::node* node = table.get("dial_timeout")) {
    const auto text = node->value<std::string>();
    if (!text || !absl::ParseDuration(*text, &out->connect_timeout) ||
        out->connect_timeout <= absl::ZeroDuration()) {
      return Wrong(where, "dial_timeout", "a duration such as \"5s\"");
    }
  }
  return absl::OkStatus();
}

// Completes `address` to the URL of an API: scheme and "/v2".
absl::Status SetAddress(std::string address, bool override_path, const std::string& where,
                        const std::string& domain, RegistryEndpoint* out) {
  if (!absl::StrContains(address, "://")) address = absl::StrCat("https://", address);
  absl::StatusOr<UrlOrigin> origin = OriginOf(address);
  if (!origin.ok()) return Wrong(where, address, "an http or https URL");
  address = std::string(absl::StripSuffix(address, "/"));
  if (!override_path && !absl::EndsWith(address, "/v2")) address += "/v2";
  out->url = std::move(address);
  const absl::StatusOr<UrlOrigin> registry =
      OriginOf(absl::StrCat(origin->scheme, "://", RegistryHost(domain)));
  const bool itself =
      registry.ok() && registry->host == origin->host && registry->port == origin->port;
  if (!itself) out->namespace_query = domain;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RegistryEndpoint>> ReadDocument(const toml::table& document,
                                                           const std::string& dir,
                                                           const std::string& domain) {
  // The tables' order in the file is the order to try them; the parser sorts by name.
  std::vector<std::tuple<toml::source_position, std::string, const toml::table*>> mirrors;
  if (const toml::node* node = document.get("host")) {
    const toml::table* hosts = node->as_table();
    if (hosts == nullptr) return Wrong("", "host", "a table");
    for (const auto& [name, value] : *hosts) {
      const toml::table* table = value.as_table();
      if (table == nullptr)
        return Wrong("", absl::StrCat("host.", std::string(name.str())), "a table");
      mirrors.emplace_back(name.source().begin, std::string(name.str()), table);
    }
  }
  std::sort(mirrors.begin(), mirrors.end(),
            [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  std::vector<RegistryEndpoint> out;
  for (const auto& [position, address, table] : mirrors) {
    const std::string where = absl::StrCat("host \"", address, "\": ");
    RegistryEndpoint endpoint;
    CRISP_RETURN_IF_ERROR(ReadSettings(*table, dir, where, &endpoint));
    CRISP_ASSIGN_OR_RETURN(const bool override_path, Flag(*table, "override_path", where));
    CRISP_RETURN_IF_ERROR(SetAddress(address, override_path, where, domain, &endpoint));
    out.push_back(std::move(endpoint));
  }
  RegistryEndpoint server = RegistryItself(domain);
  CRISP_RETURN_IF_ERROR(ReadSettings(document, dir, "", &server));
  if (const toml::node* node = document.get("server")) {
    const auto address = node->value<std::string>();
    if (!address || address->empty()) return Wrong("", "server", "a URL");
    CRISP_ASSIGN_OR_RETURN(const bool override_path, Flag(document, "override_path", ""));
    server.plain_http_fallback = false;
    CRISP_RETURN_IF_ERROR(SetAddress(*address, override_path, "", domain, &server));
  }
  out.push_back(std::move(server));
  return out;
}

}  // namespace

RegistryEndpoint RegistryItself(const std::string& domain) {
  RegistryEndpoint out;
  const std::string host = RegistryHost(domain);
  out.url = absl::StrCat("https://", host, "/v2");
  const absl::StatusOr<UrlOrigin> origin = OriginOf(out.url);
  if (!origin.ok()) return out;  // Asking it will say why.
  const bool local = origin->host == "localhost" || origin->host == "[::1]" ||
                     absl::StartsWith(origin->host, "127.");
  if (local && absl::EndsWith(host, ":80")) {
    out.url = absl::StrCat("http://", host, "/v2");
  } else if (local && origin->port != "443") {
    out.plain_http_fallback = true;
    out.tls.skip_verify = true;
  }
  return out;
}

absl::StatusOr<std::vector<RegistryEndpoint>> ParseHostsToml(absl::string_view text,
                                                             const std::string& dir,
                                                             const std::string& domain) {
  try {
    const toml::table document = toml::parse(std::string_view(text.data(), text.size()));
    return ReadDocument(document, dir, domain);
  } catch (const toml::parse_error& error) {
    return absl::FailedPreconditionError(
        absl::StrCat("line ", error.source().begin.line, ": ", std::string(error.description())));
  }
}

}  // namespace crisp::cri
