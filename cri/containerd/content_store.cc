#include "cri/containerd/content_store.h"

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::content::v1;

}  // namespace

absl::StatusOr<BlobInfo> StatBlob(Containerd& containerd, const std::string& digest) {
  api::InfoRequest request;
  request.set_digest(digest);
  api::InfoResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd.Context();
  CRISP_RETURN_IF_ERROR(Annotate(
      FromGrpc(containerd.content().Info(context.get(), request, &response)), "blob ", digest));
  const api::Info& info = response.info();
  return BlobInfo{info.digest(), info.size(), {info.labels().begin(), info.labels().end()}};
}

absl::Status StreamBlob(Containerd& containerd, const std::string& digest, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        absl::Duration timeout) {
  api::ReadContentRequest request;
  request.set_digest(digest);
  request.set_offset(offset);
  const std::unique_ptr<grpc::ClientContext> context = containerd.Context(timeout);
  auto stream = containerd.content().Read(context.get(), request);
  absl::Status taken;
  api::ReadContentResponse response;
  while (taken.ok() && stream->Read(&response)) taken = sink(response.data());
  if (!taken.ok()) context->TryCancel();
  const absl::Status finished = FromGrpc(stream->Finish());
  return taken.ok() ? Annotate(finished, "read blob ", digest) : taken;
}

absl::StatusOr<std::string> ReadBlob(Containerd& containerd, const std::string& digest,
                                     size_t max_bytes) {
  std::string data;
  CRISP_RETURN_IF_ERROR(StreamBlob(
      containerd, digest, 0,
      [&](absl::string_view piece) {
        if (piece.size() > max_bytes - data.size()) {
          return absl::OutOfRangeError(
              absl::StrCat("blob ", digest, " is larger than ", max_bytes, " bytes"));
        }
        data.append(piece.data(), piece.size());
        return absl::OkStatus();
      },
      absl::Minutes(1)));
  if (ValidateDigest(digest).ok() && Sha256Digest(data) != digest) {
    return absl::DataLossError(
        absl::StrCat("blob ", digest, " is damaged: its bytes hash to ", Sha256Digest(data)));
  }
  return data;
}

absl::Status SetLabels(Containerd& containerd, const std::string& digest, const Labels& labels) {
  if (labels.empty()) return absl::OkStatus();
  api::UpdateRequest request;
  request.mutable_info()->set_digest(digest);
  for (const auto& [name, value] : labels) {
    (*request.mutable_info()->mutable_labels())[name] = value;
    request.mutable_update_mask()->add_paths(absl::StrCat("labels.", name));
  }
  api::UpdateResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd.Context();
  return Annotate(FromGrpc(containerd.content().Update(context.get(), request, &response)),
                  "label blob ", digest);
}

absl::Status DeleteBlob(Containerd& containerd, const std::string& digest) {
  api::DeleteContentRequest request;
  request.set_digest(digest);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd.Context();
  const absl::Status deleted =
      FromGrpc(containerd.content().Delete(context.get(), request, &response));
  if (absl::IsNotFound(deleted)) return absl::OkStatus();
  return Annotate(deleted, "delete blob ", digest);
}

absl::Status AbortWrite(Containerd& containerd, const std::string& ref) {
  api::AbortRequest request;
  request.set_ref(ref);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd.Context();
  const absl::Status aborted =
      FromGrpc(containerd.content().Abort(context.get(), request, &response));
  if (absl::IsNotFound(aborted)) return absl::OkStatus();
  return Annotate(aborted, "abort write ", ref);
}

absl::Status WriteBlob(Containerd& containerd, const BlobTarget& target, absl::string_view data,
                       const Labels& labels) {
  CRISP_ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, BlobWriter::Open(&containerd, target));
  if (!writer->complete()) {
    const auto done = static_cast<size_t>(writer->offset());
    if (done > data.size()) writer->Restart();
    CRISP_RETURN_IF_ERROR(writer->Write(data.substr(static_cast<size_t>(writer->offset()))));
  }
  return writer->Commit(labels);
}

}  // namespace crisp::cri
