#include "base/status_macros.h"
#include "cri/images/image_service.h"

namespace crisp::cri {
namespace {

void Fill(const FsUsage& usage, runtime::v1::FilesystemUsage* out) {
  out->set_timestamp(absl::ToUnixNanos(usage.at));
  out->mutable_fs_id()->set_mountpoint(usage.mountpoint);
  out->mutable_used_bytes()->set_value(usage.used_bytes);
  out->mutable_inodes_used()->set_value(usage.inodes_used);
}

}  // namespace

absl::Status ImageService::ImageFsInfo(const Call&, const runtime::v1::ImageFsInfoRequest&,
                                       runtime::v1::ImageFsInfoResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const FsUsage usage, store_->FsInfo());
  Fill(usage, response->add_image_filesystems());
  for (const FsUsage& layers : writable_layers_()) {
    Fill(layers, response->add_container_filesystems());
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri
