#include "cri/images/registry/hosts.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/images/reference.h"
#include "cri/images/registry/hosts_toml.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxTomlBytes = 1 << 20;

bool IsDirectory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

// The directory for `domain` under `root`; "" if there is none.
std::string DirectoryFor(const std::string& root, const std::string& domain) {
  std::vector<std::string> names;
  // Not every filesystem takes a colon.
  if (const size_t colon = domain.rfind(':'); colon != std::string::npos) {
    names.push_back(absl::StrCat(domain.substr(0, colon), "_", domain.substr(colon + 1), "_"));
  }
  names.push_back(domain);
  names.push_back("_default");
  for (const std::string& name : names) {
    const std::string path = JoinPath(root, name);
    if (IsDirectory(path)) return path;
  }
  return "";
}

// Docker's layout: *.crt are CAs, x.cert with x.key is the client's.
void AddDockerCertificates(const std::string& dir, TlsOptions* tls) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(dir.c_str()), &::closedir);
  if (open == nullptr) return;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(open.get())) names.push_back(entry->d_name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string path = JoinPath(dir, name);
    if (absl::EndsWith(name, ".crt")) tls->ca_files.push_back(path);
    if (absl::EndsWith(name, ".cert") && tls->client_cert_file.empty()) {
      const std::string key = absl::StrCat(absl::StripSuffix(path, ".cert"), ".key");
      if (!Exists(key)) continue;
      tls->client_cert_file = path;
      tls->client_key_file = key;
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<RegistryEndpoint>> EndpointsFor(
    const std::string& domain, const std::vector<std::string>& certs_dirs) {
  RegistryEndpoint itself = RegistryItself(domain);
  for (const std::string& root : certs_dirs) {
    const std::string dir = DirectoryFor(root, domain);
    if (dir.empty()) continue;
    const std::string file = JoinPath(dir, "hosts.toml");
    if (Exists(file)) {
      CRISP_ASSIGN_OR_RETURN(const std::string text, Annotate(ReadFile(file, kMaxTomlBytes), file));
      return Annotate(ParseHostsToml(text, dir, domain), file);
    }
    AddDockerCertificates(dir, &itself.tls);
    break;
  }
  return std::vector<RegistryEndpoint>{std::move(itself)};
}

}  // namespace crisp::cri
