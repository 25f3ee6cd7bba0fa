#include "netns/cni/attachment_cache.h"

#include <dirent.h>
#include <unistd.h>

#include <map>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

constexpr char kKind[] = "cniCacheV1";
// libcni ignores members that it does not know.
constexpr char kOwnerKey[] = "runtime";
constexpr char kOwner[] = "crisp";
constexpr size_t kMaxFile = 8 << 20;

std::string FileName(const CachedAttachment& attachment) {
  return absl::StrCat(attachment.network, "-", attachment.container_id, "-",
                      attachment.interface_name);
}

std::string Serialise(const CachedAttachment& attachment) {
  json args = json::array();
  for (const auto& [key, value] : attachment.cni_args) args.push_back(json::array({key, value}));
  json file = {{"kind", kKind},
               {kOwnerKey, kOwner},
               {"containerId", attachment.container_id},
               {"config", absl::Base64Escape(attachment.config)},
               {"ifName", attachment.interface_name},
               {"networkName", attachment.network},
               {"netns", attachment.netns_path},
               {"cniArgs", args},
               {"capabilityArgs", attachment.capability_args}};
  if (!attachment.result.is_null()) file["result"] = attachment.result;
  return JsonText(file);
}

absl::StatusOr<CachedAttachment> Deserialise(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const json file, ParseJsonObject(text));
  if (StringMember(file, "kind") != kKind) {
    return absl::InvalidArgumentError(absl::StrCat("kind is not ", kKind));
  }
  CachedAttachment attachment;
  attachment.container_id = StringMember(file, "containerId");
  attachment.interface_name = StringMember(file, "ifName");
  attachment.network = StringMember(file, "networkName");
  attachment.netns_path = StringMember(file, "netns");
  attachment.ours = StringMember(file, kOwnerKey) == kOwner;
  if (!absl::Base64Unescape(StringMember(file, "config"), &attachment.config)) {
    return absl::InvalidArgumentError("config is not base64");
  }
  if (const auto args = file.find("cniArgs"); args != file.end() && args->is_array()) {
    for (const json& pair : *args) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
        return absl::InvalidArgumentError("cniArgs holds something that is not a pair");
      }
      attachment.cni_args.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
  }
  if (const auto it = file.find("capabilityArgs"); it != file.end() && it->is_object()) {
    attachment.capability_args = *it;
  }
  if (const auto it = file.find("result"); it != file.end()) attachment.result = *it;
  return attachment;
}

// Names in `dir` that end in `suffix`; none if there is no such directory.
absl::StatusOr<std::vector<std::string>> Names(const std::string& dir, const std::string& suffix) {
  DIR* stream = ::opendir(dir.c_str());
  if (stream == nullptr) {
    const int err = errno;
    if (err == ENOENT) return std::vector<std::string>();
    return ErrnoStatus(err, absl::StrCat("read ", dir));
  }
  auto close = absl::MakeCleanup([stream] { ::closedir(stream); });
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    // Hidden names are files that are still being written.
    const absl::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR && name[0] != '.' && absl::EndsWith(name, suffix)) {
      names.emplace_back(name);
    }
  }
  return names;
}

// What can be told of an attachment whose file is damaged: the parts of its name.
// Container ids of crisp hold no '-', so the split from the right is exact.
CachedAttachment FromName(const std::string& name, absl::Status reason) {
  CachedAttachment attachment;
  attachment.unreadable = std::move(reason);
  const size_t last = name.rfind('-');
  if (last == std::string::npos || last == 0) return attachment;
  const size_t middle = name.rfind('-', last - 1);
  if (middle == std::string::npos) return attachment;
  attachment.network = name.substr(0, middle);
  attachment.container_id = name.substr(middle + 1, last - middle - 1);
  attachment.interface_name = name.substr(last + 1);
  return attachment;
}

absl::Status Unlink(const std::string& path) {
  const absl::Status status =
      Sys(absl::StrCat("delete ", path), [&] { return ::unlink(path.c_str()); });
  return ErrnoOf(status) == ENOENT ? absl::OkStatus() : status;
}

}  // namespace

absl::Status AttachmentCache::WriteAttempt(const CachedAttachment& attachment) const {
  CRISP_RETURN_IF_ERROR(MakeDirs(attempts_dir_, 0700));
  return WriteFileAtomic(JoinPath(attempts_dir_, FileName(attachment)), Serialise(attachment),
                         0600);
}

absl::Status AttachmentCache::WriteResult(const CachedAttachment& attachment) const {
  CRISP_RETURN_IF_ERROR(MakeDirs(dir_, 0700));
  const std::string name = FileName(attachment);
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(JoinPath(dir_, name), Serialise(attachment), 0600));
  return Unlink(JoinPath(attempts_dir_, name));
}

absl::Status AttachmentCache::Remove(const CachedAttachment& attachment) const {
  const std::string name = FileName(attachment);
  CRISP_RETURN_IF_ERROR(Unlink(JoinPath(dir_, name)));
  return Unlink(JoinPath(attempts_dir_, name));
}

absl::StatusOr<std::vector<CachedAttachment>> AttachmentCache::Find(
    const std::string& container_id) const {
  CRISP_ASSIGN_OR_RETURN(std::vector<CachedAttachment> found,
                         Read(absl::StrCat("-", container_id, "-", kPodInterface)));
  std::vector<CachedAttachment> exact;
  for (CachedAttachment& attachment : found) {
    // "a-b" ends like "b" does.
    if (attachment.container_id == container_id) exact.push_back(std::move(attachment));
  }
  return exact;
}

absl::StatusOr<std::vector<CachedAttachment>> AttachmentCache::List() const { return Read(""); }

absl::StatusOr<std::vector<CachedAttachment>> AttachmentCache::Read(
    const std::string& name_suffix) const {
  std::map<std::string, CachedAttachment> by_name;
  for (const std::string& dir : {dir_, attempts_dir_}) {
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(dir, name_suffix));
    for (const std::string& name : names) {
      const auto known = by_name.find(name);
      if (known != by_name.end() && known->second.unreadable.ok()) continue;
      const std::string path = JoinPath(dir, name);
      const auto text = ReadFile(path, kMaxFile);
      // Released by somebody else between the listing and now.
      if (ErrnoOf(text.status()) == ENOENT) continue;
      auto attachment =
          text.ok() ? Deserialise(*text) : absl::StatusOr<CachedAttachment>(text.status());
      if (attachment.ok()) {
        by_name[name] = *std::move(attachment);
      } else if (known == by_name.end()) {
        by_name[name] = FromName(name, Annotate(attachment.status(), path));
      }
    }
  }
  std::vector<CachedAttachment> out;
  for (auto& [name, attachment] : by_name) out.push_back(std::move(attachment));
  return out;
}

}  // namespace crisp::netns
