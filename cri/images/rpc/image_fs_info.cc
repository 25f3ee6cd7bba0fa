#include "cri/containerd/grpc_status.h"
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

grpc::Status ImageService::ImageFsInfo(grpc::ServerContext*, const runtime::v1::ImageFsInfoRequest*,
                                       runtime::v1::ImageFsInfoResponse* response) {
  const absl::StatusOr<FsUsage> usage = store_->FsInfo();
  if (!usage.ok()) return ToGrpc(usage.status());
  Fill(*usage, response->add_image_filesystems());
  for (const FsUsage& layers : writable_layers_()) {
    Fill(layers, response->add_container_filesystems());
  }
  return grpc::Status::OK;
}

}  // namespace crisp::cri
