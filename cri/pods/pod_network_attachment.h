// A pod as the network sees it.
#ifndef CRISP_CRI_PODS_POD_NETWORK_ATTACHMENT_H_
#define CRISP_CRI_PODS_POD_NETWORK_ATTACHMENT_H_

#include "cri/pods/pod.h"
#include "netns/pod_network.h"

namespace crisp::cri {

netns::PodAttachment AttachmentOf(const Pod& pod, const std::string& netns_path);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_NETWORK_ATTACHMENT_H_
