#include "cri/containers/remove_container.h"

#include "base/failpoint.h"
#include "base/status_macros.h"
#include "cri/containers/container_rootfs.h"
#include "cri/containers/image_volumes.h"
#include "cri/containers/stop_container.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(60);

}  // namespace

absl::Status RemoveContainer(const ContainerContext& context, Container& container) {
  CRISP_RETURN_IF_ERROR(StopContainer(context, container, absl::ZeroDuration()));
  CRISP_ASSIGN_OR_RETURN(const Claim claim, container.claim().ClaimFor("remove it", kClaimTimeout));
  const bool task_attempted =
      container.facts().Read([](const ContainerRecord& facts) { return facts.task_attempted(); });
  if (task_attempted) {
    CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                           context.node->handlers->Find(container.pod()->runtime_handler()));
    CRISP_RETURN_IF_ERROR(Annotate(driver->Delete(container.id()), "delete the task"));
    CRISP_FAILPOINT("remove_container/task deleted");
  }
  CRISP_RETURN_IF_ERROR(Annotate(RemoveRootfs(context, container), "remove the root filesystem"));
  CRISP_FAILPOINT("remove_container/root removed");
  CRISP_RETURN_IF_ERROR(
      Annotate(context.node->volumes->ReleaseContainer(container.pod()->id(), container.id()),
               "release the container's volumes"));
  CRISP_RETURN_IF_ERROR(
      Annotate(ReleaseImageVolumes(context, container.pod()->directory(), container.id()),
               "release the container's image volumes"));
  const ImagePins pins = container.facts().Read([](const ContainerRecord& facts) {
    return ImagePins(facts.image_pins().begin(), facts.image_pins().end());
  });
  CRISP_RETURN_IF_ERROR(Annotate(UnpinImages(context, pins), "let go of the image volumes"));
  CRISP_FAILPOINT("remove_container/volumes released");
  CRISP_RETURN_IF_ERROR(container.facts().Erase());
  CRISP_FAILPOINT("remove_container/record erased");
  context.containers->Remove(container.id());
  if (container.listed()) context.Tell(runtime::v1::CONTAINER_DELETED_EVENT, container);
  return absl::OkStatus();
}

}  // namespace crisp::cri
