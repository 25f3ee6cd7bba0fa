#include "cri/images/unpacker.h"

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "cri/containerd/content_store.h"
#include "cri/containerd/digest.h"
#include "cri/containerd/grpc_status.h"

namespace crisp::cri {
namespace {

namespace diff = containerd::services::diff::v1;

// A layer of gigabytes on a slow disk takes long, but not for ever.
constexpr absl::Duration kApplyTimeout = absl::Hours(1);
constexpr char kSnapshotRef[] = "containerd.io/snapshot.ref";
constexpr char kUncompressed[] = "containerd.io/uncompressed";

// containerd reports a layer that it cannot read under many codes.
absl::Status ApplyError(const absl::Status& status) {
  if (absl::IsUnknown(status) || absl::IsInternal(status)) {
    return absl::Status(absl::StatusCode::kInvalidArgument, status.message());
  }
  return status;
}

}  // namespace

absl::StatusOr<size_t> Unpacker::CountPresent(const std::vector<std::string>& chain_ids,
                                              Lease& lease) {
  const std::string type = absl::StrCat("snapshots/", containerd_->snapshotter());
  for (size_t n = chain_ids.size(); n > 0; --n) {
    const absl::StatusOr<SnapshotInfo> before = snapshots_.Stat(chain_ids[n - 1]);
    if (absl::IsNotFound(before.status())) continue;
    CRISP_RETURN_IF_ERROR(before.status());
    // Only what is still there after the lease took hold will stay.
    CRISP_RETURN_IF_ERROR(lease.Add(type, chain_ids[n - 1]));
    const absl::StatusOr<SnapshotInfo> info = snapshots_.Stat(chain_ids[n - 1]);
    if (info.ok() && info->kind == SnapshotKind::kCommitted) return n;
    if (!info.ok() && !absl::IsNotFound(info.status())) return info.status();
  }
  return 0;
}

absl::Status Unpacker::Unpack(const ImageContent& image, size_t first, Lease& lease,
                              const std::function<absl::Status(size_t)>& ready,
                              const std::function<bool()>& cancelled) {
  const std::vector<std::string> chain = ChainIds(image.config.diff_ids);
  for (size_t i = first; i < chain.size(); ++i) {
    CRISP_RETURN_IF_ERROR(ready(i));
    if (cancelled && cancelled()) return absl::CancelledError("unpack: cancelled");
    CRISP_RETURN_IF_ERROR(Annotate(UnpackLayer(image.manifest.layers[i], image.config.diff_ids[i],
                                               i == 0 ? "" : chain[i - 1], chain[i], lease.id()),
                                   "unpack layer ", i + 1, " of ", chain.size(), ", ",
                                   image.manifest.layers[i].digest));
  }
  return SetLabels(*containerd_, image.config.id,
                   SnapshotLabels(containerd_->snapshotter(), chain.empty() ? "" : chain.back()));
}

absl::Status Unpacker::UnpackStored(const ImageContent& image, Lease& lease,
                                    const std::function<bool()>& cancelled) {
  CRISP_ASSIGN_OR_RETURN(const size_t first, CountPresent(ChainIds(image.config.diff_ids), lease));
  return Unpack(
      image, first, lease, [](size_t) { return absl::OkStatus(); }, cancelled);
}

absl::Status Unpacker::UnpackLayer(const Descriptor& layer, const std::string& diff_id,
                                   const std::string& parent, const std::string& chain_id,
                                   const std::string& lease) {
  const std::string key =
      absl::StrCat("extract-", absl::ToUnixNanos(absl::Now()), "-", RandomHex(4), " ", chain_id);
  const absl::StatusOr<SnapshotStore::Mounts> mounts =
      snapshots_.Prepare(key, parent, {{kSnapshotRef, chain_id}}, lease);
  if (absl::IsAlreadyExists(mounts.status())) {
    // The key is ours alone: a snapshotter that fetches layers itself says so.
    return Annotate(snapshots_.Stat(chain_id).status(), "snapshot ", chain_id);
  }
  CRISP_RETURN_IF_ERROR(mounts.status());
  auto undo = absl::MakeCleanup([&] { (void)snapshots_.Remove(key); });
  diff::ApplyRequest request;
  request.mutable_diff()->set_media_type(layer.media_type);
  request.mutable_diff()->set_digest(layer.digest);
  request.mutable_diff()->set_size(layer.size);
  for (const containerd::types::Mount& mount : *mounts) *request.add_mounts() = mount;
  diff::ApplyResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kApplyTimeout, lease);
  CRISP_RETURN_IF_ERROR(
      ApplyError(FromGrpc(containerd_->diff().Apply(context.get(), request, &response))));
  if (response.applied().digest() != diff_id) {
    return absl::DataLossError(
        absl::StrCat("unpacks to ", response.applied().digest(), ", the config says ", diff_id));
  }
  const absl::Status committed = snapshots_.Commit(chain_id, key, {}, lease);
  if (committed.ok()) {
    std::move(undo).Cancel();
  } else if (!absl::IsAlreadyExists(committed)) {
    return committed;
  }
  return SetLabels(*containerd_, layer.digest, {{kUncompressed, diff_id}});
}

}  // namespace crisp::cri
