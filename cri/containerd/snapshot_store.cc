#include "cri/containerd/snapshot_store.h"

#include <google/protobuf/empty.pb.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

namespace api = containerd::services::snapshots::v1;

// Preparing and removing may copy or delete a tree (native snapshotter).
constexpr absl::Duration kSlowTimeout = absl::Minutes(2);

SnapshotKind KindOf(api::Kind kind) {
  switch (kind) {
    case api::VIEW:
      return SnapshotKind::kView;
    case api::ACTIVE:
      return SnapshotKind::kActive;
    case api::COMMITTED:
      return SnapshotKind::kCommitted;
    default:
      return SnapshotKind::kUnknown;
  }
}

SnapshotInfo FromProto(const api::Info& info) {
  return SnapshotInfo{info.name(),
                      info.parent(),
                      KindOf(info.kind()),
                      {info.labels().begin(), info.labels().end()}};
}

template <typename Response>
SnapshotStore::Mounts MountsIn(const Response& response) {
  return SnapshotStore::Mounts(response.mounts().begin(), response.mounts().end());
}

}  // namespace

absl::StatusOr<SnapshotStore::Mounts> SnapshotStore::Prepare(const std::string& key,
                                                             const std::string& parent,
                                                             const Labels& labels,
                                                             const std::string& lease) {
  api::PrepareSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  request.set_parent(parent);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  api::PrepareSnapshotResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout, lease);
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->snapshots().Prepare(context.get(), request, &response)),
               "prepare snapshot ", key));
  return MountsIn(response);
}

absl::StatusOr<SnapshotStore::Mounts> SnapshotStore::View(const std::string& key,
                                                          const std::string& parent,
                                                          const Labels& labels,
                                                          const std::string& lease) {
  api::ViewSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  request.set_parent(parent);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  api::ViewSnapshotResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout, lease);
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->snapshots().View(context.get(), request, &response)),
               "view snapshot ", parent, " as ", key));
  return MountsIn(response);
}

absl::StatusOr<SnapshotStore::Mounts> SnapshotStore::MountsOf(const std::string& key) {
  api::MountsRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  api::MountsResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context();
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->snapshots().Mounts(context.get(), request, &response)),
               "mounts of snapshot ", key));
  return MountsIn(response);
}

absl::Status SnapshotStore::Commit(const std::string& name, const std::string& key,
                                   const Labels& labels, const std::string& lease) {
  api::CommitSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_name(name);
  request.set_key(key);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout, lease);
  return Annotate(FromGrpc(containerd_->snapshots().Commit(context.get(), request, &response)),
                  "commit snapshot ", key, " as ", name);
}

absl::Status SnapshotStore::Remove(const std::string& key) {
  api::RemoveSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout);
  const absl::Status removed =
      FromGrpc(containerd_->snapshots().Remove(context.get(), request, &response));
  if (absl::IsNotFound(removed)) return absl::OkStatus();
  return Annotate(removed, "remove snapshot ", key);
}

absl::StatusOr<SnapshotInfo> SnapshotStore::Stat(const std::string& key) {
  api::StatSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  api::StatSnapshotResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context();
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->snapshots().Stat(context.get(), request, &response)),
               "stat snapshot ", key));
  return FromProto(response.info());
}

absl::StatusOr<SnapshotUsage> SnapshotStore::Usage(const std::string& key) {
  api::UsageRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.set_key(key);
  api::UsageResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout);
  CRISP_RETURN_IF_ERROR(
      Annotate(FromGrpc(containerd_->snapshots().Usage(context.get(), request, &response)),
               "usage of snapshot ", key));
  return SnapshotUsage{response.size(), response.inodes()};
}

absl::StatusOr<std::vector<SnapshotInfo>> SnapshotStore::List(
    const std::vector<std::string>& filters) {
  api::ListSnapshotsRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  for (const std::string& filter : filters) request.add_filters(filter);
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context(kSlowTimeout);
  auto stream = containerd_->snapshots().List(context.get(), request);
  std::vector<SnapshotInfo> out;
  api::ListSnapshotsResponse response;
  while (stream->Read(&response)) {
    for (const api::Info& info : response.info()) out.push_back(FromProto(info));
  }
  CRISP_RETURN_IF_ERROR(Annotate(FromGrpc(stream->Finish()), "list snapshots"));
  return out;
}

absl::Status SnapshotStore::SetLabels(const std::string& key, const Labels& labels) {
  api::UpdateSnapshotRequest request;
  request.set_snapshotter(containerd_->snapshotter());
  request.mutable_info()->set_name(key);
  for (const auto& [name, value] : labels) {
    (*request.mutable_info()->mutable_labels())[name] = value;
    request.mutable_update_mask()->add_paths(absl::StrCat("labels.", name));
  }
  if (labels.empty()) return absl::OkStatus();
  api::UpdateSnapshotResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context();
  return Annotate(FromGrpc(containerd_->snapshots().Update(context.get(), request, &response)),
                  "label snapshot ", key);
}

}  // namespace crisp::cri
