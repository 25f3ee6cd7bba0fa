// What an HTTP status from a registry means as a Status.
#ifndef CRISP_CRI_IMAGES_REGISTRY_HTTP_STATUS_H_
#define CRISP_CRI_IMAGES_REGISTRY_HTTP_STATUS_H_

#include "absl/status/status.h"
#include "cri/images/registry/http_client.h"

namespace crisp::cri {

// 401, 403: PermissionDenied; 404: NotFound; 429 and 5xx: Unreachable; any other
// failure: FailedPrecondition. The message has the registry's own words, cut short.
// `response.status` must not be 2xx.
absl::Status StatusOfResponse(const HttpResponse& response);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_HTTP_STATUS_H_
