#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"
#include "cri/spec/resources.h"

namespace crisp::cri::rpc {
namespace {

using state::v1::ContainerRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(30);

}  // namespace

// A running container gets the new limits in the kernel first and in its record
// after; one that has not started yet, in its spec. Either way all or nothing.
absl::Status UpdateContainerResources(RpcContext& context, const Call& call,
                                      const runtime::v1::UpdateContainerResourcesRequest& request,
                                      runtime::v1::UpdateContainerResourcesResponse* response) {
  if (!request.has_linux()) return BadField("linux", "missing");
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  CRISP_ASSIGN_OR_RETURN(const Claim claim,
                         container->claim().ClaimFor("update it", kClaimTimeout));
  const ContainerRecord facts = container->facts().Get();
  if (facts.finished_at() != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id(), " has ended; it has no resources to update"));
  }
  CRISP_ASSIGN_OR_RETURN(
      const runtime::v1::LinuxContainerResources merged,
      MergeResources(facts.resources().linux(), request.linux(), context.node.host));
  CRISP_ASSIGN_OR_RETURN(nlohmann::json resources, BuildResources(merged, context.node.host));
  if (facts.started_at() != 0) {
    CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                           context.node.handlers->Find(container->pod()->runtime_handler()));
    CRISP_RETURN_IF_ERROR(Annotate(driver->Update(container->id(), resources.dump()),
                                   "update container ", container->id()));
  }
  nlohmann::json spec = nlohmann::json::parse(facts.spec_json(), nullptr, false);
  if (spec.is_object()) {
    // The device rules are not CRI's to update.
    if (spec["linux"]["resources"].contains("devices")) {
      resources["devices"] = spec["linux"]["resources"]["devices"];
    }
    spec["linux"]["resources"] = std::move(resources);
  }
  return container->facts().Update([&](ContainerRecord& record) {
    *record.mutable_resources()->mutable_linux() = merged;
    if (spec.is_object()) record.set_spec_json(spec.dump());
  });
}

}  // namespace crisp::cri::rpc
