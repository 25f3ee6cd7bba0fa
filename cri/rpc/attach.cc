#include <utility>

#include "base/status_macros.h"
#include "cri/rpc/requested_streams.h"
#include "cri/rpc/rpcs.h"
#include "cri/rpc/running_container.h"
#include "cri/streaming/streaming_server.h"

namespace crisp::cri::rpc {

absl::Status Attach(RpcContext& context, const Call& call,
                    const runtime::v1::AttachRequest& request,
                    runtime::v1::AttachResponse* response) {
  StreamRequest stream;
  stream.kind = StreamKind::kAttach;
  CRISP_ASSIGN_OR_RETURN(stream.streams, RequestedStreams(request));
  CRISP_ASSIGN_OR_RETURN(const RunningContainer running,
                         FindRunningContainer(context, request.container_id()));
  stream.id = running.container->id();
  stream.driver = running.driver;
  CRISP_ASSIGN_OR_RETURN(*response->mutable_url(), context.streaming->Admit(std::move(stream)));
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
