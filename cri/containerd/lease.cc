#include "cri/containerd/lease.h"

#include <google/protobuf/empty.pb.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace crisp::cri {

using containerd::services::leases::v1::AddResourceRequest;
using containerd::services::leases::v1::CreateRequest;
using containerd::services::leases::v1::CreateResponse;
using containerd::services::leases::v1::DeleteRequest;
using containerd::services::leases::v1::ListRequest;
using containerd::services::leases::v1::ListResponse;

namespace {

constexpr char kIdPrefix[] = "crisp-";

}  // namespace

absl::StatusOr<Lease> Lease::Create(Containerd* containerd, absl::Duration lifetime) {
  CreateRequest request;
  request.set_id(absl::StrCat(kIdPrefix, RandomHex(24)));
  (*request.mutable_labels())["containerd.io/gc.expire"] =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + lifetime, absl::UTCTimeZone());
  CreateResponse response;
  const std::unique_ptr<grpc::ClientContext> context = containerd->Context();
  const absl::Status created =
      FromGrpc(containerd->leases().Create(context.get(), request, &response));
  CRISP_RETURN_IF_ERROR(Annotate(created, "create lease"));
  return Lease(containerd, response.lease().id());
}

absl::Status Lease::ReleaseLeftovers(Containerd* containerd) {
  ListResponse listed;
  const std::unique_ptr<grpc::ClientContext> context = containerd->Context();
  CRISP_RETURN_IF_ERROR(Annotate(
      FromGrpc(containerd->leases().List(context.get(), ListRequest(), &listed)), "list leases"));
  for (const ::containerd::services::leases::v1::Lease& lease : listed.leases()) {
    if (!absl::StartsWith(lease.id(), kIdPrefix)) continue;
    CRISP_RETURN_IF_ERROR(Lease(containerd, lease.id()).Release());
  }
  return absl::OkStatus();
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  (void)Release();  // Left to the expiry if it fails.
  containerd_ = other.containerd_;
  id_ = std::exchange(other.id_, "");
  return *this;
}

Lease::~Lease() { (void)Release(); }

absl::Status Lease::Add(const std::string& type, const std::string& resource_id) {
  AddResourceRequest request;
  request.set_id(id_);
  request.mutable_resource()->set_type(type);
  request.mutable_resource()->set_id(resource_id);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context = containerd_->Context();
  const absl::Status added =
      FromGrpc(containerd_->leases().AddResource(context.get(), request, &response));
  return Annotate(added, "add ", type, " ", resource_id, " to lease ", id_);
}

absl::Status Lease::Release(bool collect) {
  if (id_.empty()) return absl::OkStatus();
  const std::string id = std::exchange(id_, "");
  DeleteRequest request;
  request.set_id(id);
  request.set_sync(collect);
  google::protobuf::Empty response;
  const std::unique_ptr<grpc::ClientContext> context =
      containerd_->Context(collect ? absl::Minutes(1) : Containerd::kDefaultTimeout);
  const absl::Status deleted =
      FromGrpc(containerd_->leases().Delete(context.get(), request, &response));
  if (absl::IsNotFound(deleted)) return absl::OkStatus();
  return Annotate(deleted, "delete lease ", id);
}

}  // namespace crisp::cri
