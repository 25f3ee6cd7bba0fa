#include <string>
#include <utility>

#include "base/log.h"
#include "cri/containerd/grpc_status.h"
#include "cri/images/import_service.h"

namespace crisp::cri {
namespace {

// The archive as the client streams it.
class StreamedArchive : public ArchiveReader {
 public:
  StreamedArchive(grpc::ServerContext* context,
                  grpc::ServerReader<images::v1::ImportImageRequest>* reader, std::string first)
      : context_(context), reader_(reader), first_(std::move(first)) {}

  absl::StatusOr<std::string> Next() override {
    if (!first_.empty()) return std::exchange(first_, std::string());
    images::v1::ImportImageRequest request;
    while (reader_->Read(&request)) {
      if (!request.name().empty()) {
        return absl::InvalidArgumentError("field \"name\" belongs into the first message only");
      }
      if (!request.data().empty()) return std::move(*request.mutable_data());
    }
    // A client that breaks off looks like the archive's end.
    if (context_->IsCancelled()) return absl::CancelledError("the client went away");
    return std::string();
  }

 private:
  grpc::ServerContext* const context_;
  grpc::ServerReader<images::v1::ImportImageRequest>* const reader_;
  std::string first_;
};

}  // namespace

grpc::Status ImportService::ImportImage(grpc::ServerContext* context,
                                        grpc::ServerReader<images::v1::ImportImageRequest>* reader,
                                        images::v1::ImportImageResponse* response) {
  images::v1::ImportImageRequest first;
  if (!reader->Read(&first)) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the stream has no message");
  }
  StreamedArchive archive(context, reader, std::move(*first.mutable_data()));
  const absl::StatusOr<std::vector<Image>> images = store_->Import(archive, first.name());
  if (!images.ok()) return ToGrpc(images.status());
  for (const Image& image : *images) {
    const std::vector<std::string> nameless = {image.id};
    for (const std::string& name : image.repo_tags.empty() ? nameless : image.repo_tags) {
      images::v1::ImportedImage* out = response->add_images();
      out->set_name(name);
      out->set_id(image.id);
      LogInfo("image is imported", {{"image", name}, {"id", image.id}});
    }
  }
  return grpc::Status::OK;
}

}  // namespace crisp::cri
