#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "cri/containerd/content_store.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::content::v1;

constexpr size_t kMaxPiece = 1 << 20;
constexpr absl::Duration kMinBackoff = absl::Milliseconds(20);
constexpr absl::Duration kAbortTimeout = absl::Seconds(5);
constexpr absl::Duration kMaxBackoff = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<std::unique_ptr<BlobWriter>> BlobWriter::Open(Containerd* containerd,
                                                             BlobTarget target) {
  return Open(containerd, std::move(target), Options{});
}

absl::StatusOr<std::unique_ptr<BlobWriter>> BlobWriter::Open(Containerd* containerd,
                                                             BlobTarget target, Options options) {
  const absl::Time deadline = absl::Now() + options.lock_timeout;
  absl::Duration backoff = kMinBackoff;
  while (true) {
    if (options.cancelled && options.cancelled()) {
      return absl::CancelledError(absl::StrCat("write of ", target.ref, " was cancelled"));
    }
    std::unique_ptr<BlobWriter> writer(new BlobWriter(containerd, target, options.timeout));
    api::WriteContentRequest stat;
    stat.set_action(api::STAT);
    stat.set_ref(target.ref);
    stat.set_total(target.size);
    stat.set_expected(target.digest);
    const absl::StatusOr<api::WriteContentResponse> reply = writer->Exchange(stat);
    if (reply.ok()) {
      writer->offset_ = reply->offset();
      return writer;
    }
    if (absl::IsAlreadyExists(reply.status())) {
      writer->exists_ = true;
      writer->offset_ = target.size;
      return writer;
    }
    // Another writer has the ref, or containerd is away: both pass.
    if (!absl::IsUnavailable(reply.status()) || absl::Now() + backoff > deadline) {
      return Annotate(reply.status(), "open write of ", target.ref);
    }
    absl::SleepFor(backoff);
    backoff = std::min(backoff * 2, kMaxBackoff);
  }
}

BlobWriter::BlobWriter(Containerd* containerd, BlobTarget target, absl::Duration timeout)
    : containerd_(containerd),
      target_(std::move(target)),
      context_(containerd->Context(timeout, target_.lease)),
      stream_(containerd->content().Write(context_.get())) {}

BlobWriter::~BlobWriter() {
  if (stream_ == nullptr) return;
  context_->TryCancel();
  (void)Finish();
}

absl::Status BlobWriter::Finish() {
  const absl::Status status = FromGrpc(stream_->Finish());
  stream_.reset();
  return status;
}

absl::StatusOr<api::WriteContentResponse> BlobWriter::Exchange(
    const api::WriteContentRequest& request) {
  if (stream_ == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("write of ", target_.ref, " has ended"));
  }
  api::WriteContentResponse response;
  if (stream_->Write(request) && stream_->Read(&response)) return response;
  const absl::Status status = Finish();
  if (!status.ok()) return status;
  return absl::InternalError(
      absl::StrCat("containerd ended the write of ", target_.ref, " without an answer"));
}

absl::Status BlobWriter::Write(absl::string_view data) {
  while (!exists_ && !data.empty()) {
    const absl::string_view piece = data.substr(0, kMaxPiece);
    api::WriteContentRequest request;
    request.set_action(api::WRITE);
    request.set_offset(offset_);
    request.set_data(piece.data(), piece.size());
    const absl::StatusOr<api::WriteContentResponse> reply = Exchange(request);
    if (absl::IsAlreadyExists(reply.status())) {
      exists_ = true;
      break;
    }
    CRISP_RETURN_IF_ERROR(Annotate(reply.status(), "write ", target_.ref));
    const int64_t expected = offset_ + static_cast<int64_t>(piece.size());
    if (reply->offset() != expected) {
      return absl::DataLossError(absl::StrCat("containerd is at offset ", reply->offset(), " of ",
                                              target_.ref, ", not at ", expected));
    }
    offset_ = expected;
    data.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

// A message at offset 0 makes containerd truncate what it has.
void BlobWriter::Restart() { offset_ = 0; }

absl::Status BlobWriter::Commit(const Labels& labels) {
  if (!exists_) {
    api::WriteContentRequest request;
    request.set_action(api::COMMIT);
    request.set_offset(offset_);
    request.set_total(target_.size > 0 ? target_.size : offset_);
    request.set_expected(target_.digest);
    request.mutable_labels()->insert(labels.begin(), labels.end());
    const absl::StatusOr<api::WriteContentResponse> reply = Exchange(request);
    if (reply.ok()) {
      // The commit has been acknowledged: how the stream ends changes nothing.
      (void)stream_->WritesDone();
      api::WriteContentResponse last;
      while (stream_->Read(&last)) {
      }
      (void)Finish();
      return absl::OkStatus();
    }
    if (!absl::IsAlreadyExists(reply.status())) {
      return Annotate(reply.status(), "commit ", target_.ref);
    }
    exists_ = true;
  }
  return SetLabels(*containerd_, target_.digest, labels);
}

absl::Status BlobWriter::Abort() {
  if (stream_ != nullptr) {
    context_->TryCancel();
    (void)Finish();
  }
  // containerd's side of the stream ends a moment later than ours. Until then it may
  // still be writing what is to be removed, which fails in more ways than one.
  const absl::Time deadline = absl::Now() + kAbortTimeout;
  absl::Duration backoff = kMinBackoff;
  while (true) {
    const absl::Status aborted = AbortWrite(*containerd_, target_.ref);
    if (aborted.ok() || absl::Now() > deadline) return aborted;
    absl::SleepFor(backoff);
    backoff = std::min(backoff * 2, kMaxBackoff);
  }
}

}  // namespace crisp::cri
