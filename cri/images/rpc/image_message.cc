#include "cri/images/rpc/image_message.h"

namespace crisp::cri {

runtime::v1::Image ToMessage(const Image& image) {
  runtime::v1::Image out;
  out.set_id(image.id);
  for (const std::string& tag : image.repo_tags) out.add_repo_tags(tag);
  for (const std::string& digest : image.repo_digests) out.add_repo_digests(digest);
  out.set_size(image.size);
  if (image.uid.has_value()) out.mutable_uid()->set_value(*image.uid);
  out.set_username(image.username);
  out.set_pinned(image.pinned);
  return out;
}

}  // namespace crisp::cri
