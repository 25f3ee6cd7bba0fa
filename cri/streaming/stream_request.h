// What an Exec, Attach or PortForward call asked for, kept until its client connects:
// the URL's query has no say in it.
//
// Ownership: values; the driver outlives the streaming server.
#ifndef CRISP_CRI_STREAMING_STREAM_REQUEST_H_
#define CRISP_CRI_STREAMING_STREAM_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cri/streaming/protocol.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

struct StreamRequest {
  StreamKind kind = StreamKind::kExec;
  std::string id;  // The container's, or of a port forward the pod's.

  // Exec and attach.
  TaskDriver* driver = nullptr;
  std::string process_json;  // Exec.
  SessionStreams streams;

  // Port forward.
  std::string netns_path;       // Empty: the host's.
  std::vector<uint16_t> ports;  // For the protocol whose clients do not name them.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_STREAM_REQUEST_H_
