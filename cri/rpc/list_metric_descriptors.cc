#include "cri/rpc/rpcs.h"
#include "cri/stats/metrics.h"

namespace crisp::cri::rpc {

absl::Status ListMetricDescriptors(RpcContext& context, const Call& call,
                                   const runtime::v1::ListMetricDescriptorsRequest& request,
                                   runtime::v1::ListMetricDescriptorsResponse* response) {
  for (runtime::v1::MetricDescriptor& descriptor : MetricDescriptors()) {
    *response->add_descriptors() = std::move(descriptor);
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
