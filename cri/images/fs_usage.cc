#include "cri/images/fs_usage.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cri/containerd/grpc_status.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::content::v1;

}  // namespace

absl::StatusOr<FsUsage> FsUsageMeter::Measure() {
  FsUsage out;
  CRISP_ASSIGN_OR_RETURN(out.mountpoint, containerd_->SnapshotterRoot());
  CRISP_RETURN_IF_ERROR(AddSnapshots(&out));
  CRISP_RETURN_IF_ERROR(AddContent(&out));
  out.at = clock_->Now();
  return out;
}

absl::Status FsUsageMeter::AddSnapshots(FsUsage* out) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> all, snapshots_.List());
  std::map<std::string, SnapshotUsage> usages;
  {
    absl::MutexLock lock(&mu_);
    usages.swap(known_);
  }
  std::map<std::string, SnapshotUsage> current;
  for (const SnapshotInfo& snapshot : all) {
    if (snapshot.kind != SnapshotKind::kCommitted) continue;
    const auto found = usages.find(snapshot.name);
    if (found != usages.end()) {
      current.insert(*found);
      continue;
    }
    const absl::StatusOr<SnapshotUsage> usage = snapshots_.Usage(snapshot.name);
    if (absl::IsNotFound(usage.status())) continue;
    CRISP_RETURN_IF_ERROR(usage.status());
    current[snapshot.name] = *usage;
  }
  for (const auto& [name, usage] : current) {
    out->used_bytes += static_cast<uint64_t>(usage.bytes);
    out->inodes_used += static_cast<uint64_t>(usage.inodes);
  }
  absl::MutexLock lock(&mu_);
  known_ = std::move(current);
  return absl::OkStatus();
}

absl::Status FsUsageMeter::AddContent(FsUsage* out) {
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context();
  const auto stream = containerd_->content().List(context.get(), api::ListContentRequest());
  api::ListContentResponse response;
  while (stream->Read(&response)) {
    for (const api::Info& info : response.info()) {
      out->used_bytes += static_cast<uint64_t>(info.size());
      out->inodes_used += 1;
    }
  }
  return Annotate(FromGrpc(stream->Finish()), "list content");
}

}  // namespace crisp::cri
