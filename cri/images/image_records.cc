#include "cri/images/image_records.h"

#include <google/protobuf/empty.pb.h>

#include "base/status_macros.h"
#include "cri/containerd/grpc_status.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::images::v1;

// What containerd's own CRI plugin writes, so that tools which know it know ours.
constexpr char kManagedLabel[] = "io.cri-containerd.image";
constexpr char kPinnedLabel[] = "io.cri-containerd.pinned";
constexpr int kMaxRaces = 3;
// Collection walks all content.
constexpr absl::Duration kDeleteTimeout = absl::Minutes(2);

}  // namespace

absl::Status ImageRecords::Put(const ImageRecord& record) {
  api::CreateImageRequest create;
  api::Image* image = create.mutable_image();
  image->set_name(record.name);
  image->mutable_target()->set_media_type(record.target.media_type);
  image->mutable_target()->set_digest(record.target.digest);
  image->mutable_target()->set_size(record.target.size);
  (*image->mutable_labels())[kManagedLabel] = "managed";
  if (record.pinned) (*image->mutable_labels())[kPinnedLabel] = "pinned";
  api::UpdateImageRequest update;
  *update.mutable_image() = *image;
  update.mutable_update_mask()->add_paths("target");
  for (const auto& [key, value] : image->labels()) {
    update.mutable_update_mask()->add_paths(absl::StrCat("labels.", key));
  }
  absl::Status status;
  for (int race = 0; race < kMaxRaces; ++race) {
    api::CreateImageResponse created;
    status = FromGrpc(containerd_->images().Create(containerd_->Context().get(), create, &created));
    if (!absl::IsAlreadyExists(status)) break;
    api::UpdateImageResponse updated;
    status = FromGrpc(containerd_->images().Update(containerd_->Context().get(), update, &updated));
    if (!absl::IsNotFound(status)) break;
  }
  return Annotate(status, "name image ", record.name);
}

absl::Status ImageRecords::Delete(const std::string& name, bool collect) {
  api::DeleteImageRequest request;
  request.set_name(name);
  request.set_sync(collect);
  google::protobuf::Empty response;
  const absl::Status status = FromGrpc(
      containerd_->images().Delete(containerd_->Context(kDeleteTimeout).get(), request, &response));
  if (absl::IsNotFound(status)) return absl::OkStatus();
  return Annotate(status, "delete image name ", name);
}

absl::StatusOr<std::vector<ImageRecord>> ImageRecords::List() {
  api::ListImagesResponse response;
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->images().List(containerd_->Context().get(),
                                                   api::ListImagesRequest(), &response)),
               "list images"));
  std::vector<ImageRecord> out;
  for (const api::Image& image : response.images()) {
    ImageRecord record;
    record.name = image.name();
    record.target.media_type = image.target().media_type();
    record.target.digest = image.target().digest();
    record.target.size = image.target().size();
    const auto pinned = image.labels().find(kPinnedLabel);
    record.pinned = pinned != image.labels().end() && pinned->second == "pinned";
    out.push_back(std::move(record));
  }
  return out;
}

}  // namespace crisp::cri
