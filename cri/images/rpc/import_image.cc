#include <string>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "cri/images/import_service.h"

namespace crisp::cri {
namespace {

// The archive as the client streams it.
class StreamedArchive : public ArchiveReader {
 public:
  StreamedArchive(const Call& call,
                  const grpcserver::Receive<images::v1::ImportImageRequest>& receive,
                  std::string first)
      : call_(call), receive_(receive), first_(std::move(first)) {}

  absl::StatusOr<std::string> Next() override {
    if (!first_.empty()) return std::exchange(first_, std::string());
    images::v1::ImportImageRequest request;
    while (receive_(&request)) {
      if (!request.name().empty()) {
        return absl::InvalidArgumentError("field \"name\" belongs into the first message only");
      }
      if (!request.data().empty()) return std::move(*request.mutable_data());
    }
    // A client that breaks off looks like the archive's end.
    if (call_.abandoned()) return absl::CancelledError("the client went away");
    return std::string();
  }

 private:
  const Call& call_;
  const grpcserver::Receive<images::v1::ImportImageRequest>& receive_;
  std::string first_;
};

}  // namespace

void ImportService::AddTo(grpcserver::Methods* methods) {
  (*methods)["/crisp.images.v1.Images/ImportImage"] =
      grpcserver::ClientStream<images::v1::ImportImageRequest, images::v1::ImportImageResponse>(
          [this](const Call& call,
                 const grpcserver::Receive<images::v1::ImportImageRequest>& receive,
                 images::v1::ImportImageResponse* response) {
            return ImportImage(call, receive, response);
          });
}

absl::Status ImportService::ImportImage(
    const Call& call, const grpcserver::Receive<images::v1::ImportImageRequest>& receive,
    images::v1::ImportImageResponse* response) {
  images::v1::ImportImageRequest first;
  if (!receive(&first)) return absl::InvalidArgumentError("the stream has no message");
  StreamedArchive archive(call, receive, std::move(*first.mutable_data()));
  CRISP_ASSIGN_OR_RETURN(const std::vector<Image> images, store_->Import(archive, first.name()));
  for (const Image& image : images) {
    const std::vector<std::string> nameless = {image.id};
    for (const std::string& name : image.repo_tags.empty() ? nameless : image.repo_tags) {
      images::v1::ImportedImage* out = response->add_images();
      out->set_name(name);
      out->set_id(image.id);
      LogInfo("image is imported", {{"image", name}, {"id", image.id}});
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri
