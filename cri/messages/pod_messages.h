// A pod as CRI's messages show it.
#ifndef CRISP_CRI_MESSAGES_POD_MESSAGES_H_
#define CRISP_CRI_MESSAGES_POD_MESSAGES_H_

#include <string>

#include "api/cri/v1/api.pb.h"
#include "cri/pods/pod.h"
#include "cri/records/kept_encoding.h"

namespace crisp::cri {

void FillPodSandbox(const Pod& pod, runtime::v1::PodSandbox* out);
void FillPodSandboxStatus(const Pod& pod, runtime::v1::PodSandboxStatus* out);
// The same, encoded once for each change of the pod.
Encoded EncodedPodSandboxStatus(const Pod& pod);

// The "info" of a verbose status: JSON for people and for tools such as crictl.
std::string PodInfoJson(const Pod& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MESSAGES_POD_MESSAGES_H_
