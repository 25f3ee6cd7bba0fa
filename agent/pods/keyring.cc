#include "agent/pods/keyring.h"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace crisp::agent {
namespace {

constexpr char kDockerHub[] = "index.docker.io";

// host[:port][/path], of a key or an image.
struct Location {
  std::vector<std::string> host;  // Between its dots.
  std::string port, path;
};

Location Split(absl::string_view text) {
  Location out;
  const size_t slash = text.find('/');
  absl::string_view host = text.substr(0, slash);
  if (slash != absl::string_view::npos) out.path = std::string(text.substr(slash));
  // The colons of an IPv6 address stand in brackets.
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && host.find(']', colon) == absl::string_view::npos) {
    out.port = std::string(host.substr(colon + 1));
    host = host.substr(0, colon);
  }
  out.host = absl::StrSplit(host, '.');
  return out;
}

bool Matches(const Location& key, const Location& image) {
  if (key.port != image.port || key.host.size() != image.host.size()) return false;
  if (!absl::StartsWith(image.path, key.path)) return false;
  for (size_t i = 0; i < key.host.size(); ++i) {
    if (::fnmatch(key.host[i].c_str(), image.host[i].c_str(), FNM_PATHNAME) != 0) return false;
  }
  return true;
}

// The key as it is compared: without what says nothing.
std::string Normal(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, "https://")) absl::ConsumePrefix(&key, "http://");
  const size_t slash = key.find('/');
  const absl::string_view host = key.substr(0, slash);
  absl::string_view path = slash == absl::string_view::npos ? "" : key.substr(slash);
  if (absl::StartsWith(path, "/v1/") || absl::StartsWith(path, "/v2/")) path.remove_prefix(3);
  if (path == "/") path = "";
  return absl::StrCat(host, path);
}

// The repository with its host, as container runtimes complete it: busybox is
// docker.io/library/busybox. Neither tag nor digest is part of it.
std::string RepositoryOf(absl::string_view image) {
  image = image.substr(0, image.find('@'));
  const size_t last = image.rfind('/');
  const size_t colon = image.find(':', last == absl::string_view::npos ? 0 : last);
  image = image.substr(0, colon);
  const absl::string_view first = image.substr(0, image.find('/'));
  const bool hosted = first.size() < image.size() &&
                      (first.find_first_of(".:") != absl::string_view::npos ||
                       first == "localhost" || absl::AsciiStrToLower(first) != first);
  if (!hosted)
    return absl::StrCat("docker.io/", absl::StrContains(image, '/') ? "" : "library/", image);
  if (first != kDockerHub) return std::string(image);
  const absl::string_view rest = image.substr(first.size() + 1);
  return absl::StrCat("docker.io/", absl::StrContains(rest, '/') ? "" : "library/", rest);
}

bool IsDockerHub(absl::string_view repository) {
  return absl::StartsWith(repository, "docker.io/");
}

// "user:password" in base64, with its padding or without.
bool ReadAuth(const std::string& text, RegistryCredentials* out) {
  std::string plain;
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (!absl::Base64Unescape(trimmed, &plain)) return false;
  const size_t colon = plain.find(':');
  if (colon == std::string::npos) return false;
  out->username = plain.substr(0, colon);
  out->password = plain.substr(colon + 1);
  return true;
}

// The JSON of the key `key` of a Secret, or null if it does not have the key.
absl::StatusOr<Json> ReadConfig(const Json& secret, const char* key) {
  const Json& data = At(secret, "data");
  const auto found = data.is_object() ? data.find(key) : data.end();
  if (!data.is_object() || found == data.end() || !found->is_string()) return Json();
  std::string text;
  Json config;
  if (absl::Base64Unescape(found->get<std::string>(), &text)) {
    config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
  if (!config.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("the imagePullSecret \"",
                                                   TextAt(secret, "metadata.name"),
                                                   "\" holds no JSON map in ", key));
  }
  return config;
}

}  // namespace

void Keyring::Add(const Json& config) {
  if (!config.is_object()) return;
  for (const auto& [key, entry] : config.items()) {
    const std::string location = Normal(key);
    if (location.empty() || !entry.is_object()) continue;
    RegistryCredentials credentials = {TextAt(entry, "username"), TextAt(entry, "password")};
    const std::string auth = TextAt(entry, "auth");
    if (!auth.empty() && !ReadAuth(auth, &credentials)) continue;
    by_location_[location].push_back(std::move(credentials));
  }
}

std::vector<RegistryCredentials> Keyring::Lookup(absl::string_view image) const {
  const std::string repository = RepositoryOf(image);
  const Location wanted = Split(repository);
  std::vector<RegistryCredentials> out;
  for (const auto& [location, credentials] : by_location_) {
    if (!Matches(Split(location), wanted)) continue;
    out.insert(out.end(), credentials.begin(), credentials.end());
  }
  if (!out.empty() || !IsDockerHub(repository)) return out;
  const auto hub = by_location_.find(kDockerHub);
  return hub == by_location_.end() ? out : hub->second;
}

absl::StatusOr<Keyring> ReadPullSecrets(const ObjectStore& store, const std::string& ns,
                                        const std::vector<std::string>& names,
                                        std::vector<std::string>* missing) {
  Keyring keyring;
  for (const std::string& name : names) {
    const absl::StatusOr<ObjectPtr> secret = store.Get({"Secret", ns, name});
    if (!secret.ok()) {
      missing->push_back(name);
      continue;
    }
    const std::string type = TextAt(**secret, "type");
    if (type == "kubernetes.io/dockerconfigjson") {
      const absl::StatusOr<Json> config = ReadConfig(**secret, ".dockerconfigjson");
      if (!config.ok()) return config.status();
      keyring.Add(At(*config, "auths"));
    } else if (type == "kubernetes.io/dockercfg") {
      const absl::StatusOr<Json> config = ReadConfig(**secret, ".dockercfg");
      if (!config.ok()) return config.status();
      keyring.Add(*config);
    }
  }
  return keyring;
}

}  // namespace crisp::agent
