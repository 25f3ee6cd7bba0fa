#include "cri/images/image_catalog.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cri/containerd/digest.h"
#include "cri/images/reference.h"

namespace crisp::cri {

void ImageCatalog::Rebuild(Entry& entry) {
  const ImageConfig& config = entry.content.config;
  ImageUser user = UserOf(config.user);
  Image& image = entry.image;
  image = Image();
  image.id = config.id;
  image.size = entry.content.Size();
  image.uid = user.uid;
  image.username = std::move(user.username);
  image.chain_id = ChainId(config.diff_ids);
  image.config = config;
  for (const auto& [name, pinned] : entry.names) {
    image.pinned = image.pinned || pinned;
    if (IsImageId(name)) continue;
    (absl::StrContains(name, "@") ? image.repo_digests : image.repo_tags).push_back(name);
  }
}

void ImageCatalog::Put(const ImageContent& content, const std::string& name, bool pinned) {
  const std::string& id = content.config.id;
  absl::MutexLock lock(&mu_);
  if (const auto before = names_.find(name); before != names_.end() && before->second != id) {
    if (const auto loser = images_.find(before->second); loser != images_.end()) {
      loser->second.names.erase(name);
      if (loser->second.names.empty()) {
        images_.erase(loser);
      } else {
        Rebuild(loser->second);
      }
    }
  }
  names_[name] = id;
  Entry& entry = images_[id];
  entry.content = content;
  entry.names[name] = pinned;
  Rebuild(entry);
}

void ImageCatalog::Remove(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = images_.find(id);
  if (found == images_.end()) return;
  for (const auto& [name, pinned] : found->second.names) names_.erase(name);
  images_.erase(found);
}

void ImageCatalog::Swap(ImageCatalog& other) {
  // `other` is the caller's own; nobody else locks both.
  absl::MutexLock lock(&mu_);
  absl::MutexLock other_lock(&other.mu_);
  std::swap(images_, other.images_);
  std::swap(names_, other.names_);
}

absl::StatusOr<std::string> ImageCatalog::Find(const std::string& ref) const {
  if (ref.empty()) return absl::InvalidArgumentError("image reference is empty");
  const absl::Status missing = absl::NotFoundError(absl::StrCat("image ", ref, " is not here"));
  if (IsImageId(ref)) {
    const std::string id = absl::StartsWith(ref, "sha256:") ? ref : absl::StrCat("sha256:", ref);
    return images_.count(id) != 0 ? absl::StatusOr<std::string>(id) : missing;
  }
  const absl::StatusOr<Reference> name = ParseReference(ref);
  if (name.ok()) {
    const auto found = names_.find(name->ToString());
    if (found != names_.end()) return found->second;
  }
  if (!IsImageIdPrefix(ref)) return name.ok() ? missing : name.status();
  const std::string prefix = absl::StartsWith(ref, "sha256:") ? ref : absl::StrCat("sha256:", ref);
  auto first = images_.lower_bound(prefix);
  if (first == images_.end() || !absl::StartsWith(first->first, prefix)) return missing;
  const auto second = std::next(first);
  if (second != images_.end() && absl::StartsWith(second->first, prefix)) {
    return absl::InvalidArgumentError(absl::StrCat("image id ", ref, " is ambiguous"));
  }
  return first->first;
}

absl::StatusOr<Image> ImageCatalog::Resolve(const std::string& ref) const {
  absl::MutexLock lock(&mu_);
  const absl::StatusOr<std::string> id = Find(ref);
  if (!id.ok()) return id.status();
  return images_.at(*id).image;
}

std::vector<Image> ImageCatalog::List() const {
  absl::MutexLock lock(&mu_);
  std::vector<Image> out;
  out.reserve(images_.size());
  for (const auto& [id, entry] : images_) out.push_back(entry.image);
  return out;
}

std::vector<std::string> ImageCatalog::Names(const std::string& id) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> out;
  const auto found = images_.find(id);
  if (found == images_.end()) return out;
  for (const auto& [name, pinned] : found->second.names) out.push_back(name);
  return out;
}

absl::StatusOr<ImageContent> ImageCatalog::Content(const std::string& id) const {
  absl::MutexLock lock(&mu_);
  const auto found = images_.find(id);
  if (found == images_.end())
    return absl::NotFoundError(absl::StrCat("image ", id, " is not here"));
  return found->second.content;
}

}  // namespace crisp::cri
