// What the RPCs work with, made once by main.
//
// Ownership: borrows the parts; owns the tables of calls under way.
// Threads:   safe.
#ifndef CRISP_CRI_RPC_RPC_CONTEXT_H_
#define CRISP_CRI_RPC_RPC_CONTEXT_H_

#include <string>

#include "absl/time/time.h"
#include "base/joined_calls.h"
#include "cri/config/config.h"
#include "cri/containers/container_context.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/pod_messages.h"
#include "cri/pods/pod_context.h"
#include "cri/rpc/encoded_list.h"
#include "cri/rpc/kept_status.h"
#include "grpc_server/call.h"

namespace crisp::cri {

class StreamingServer;
class Containerd;  // Its header brings all of gRPC; few RPCs need it.
class EventHub;
class NodeStats;

// The result of a call that has none.
struct Done {};

struct RpcContext {
  RpcContext(const Config& config_in, const PodContext& node_in,
             const ContainerContext& containers_in, Containerd* containerd_in,
             StreamingServer* streaming_in, EventHub* events_in, NodeStats* stats_in)
      : config(config_in),
        node(node_in),
        containers(containers_in),
        containerd(containerd_in),
        streaming(streaming_in),
        events(events_in),
        stats(stats_in),
        pod_list(node_in.pods, &FillPodSandbox),
        container_list(containers_in.containers, &FillContainer),
        kept_status(node_in.clock),
        run_calls(node_in.clock),
        create_calls(node_in.clock),
        stop_calls(node_in.clock),
        remove_calls(node_in.clock) {}

  const Config& config;
  const PodContext& node;
  const ContainerContext& containers;
  Containerd* const containerd;
  StreamingServer* const streaming;
  EventHub* const events;
  NodeStats* const stats;

  EncodedList<PodStore, Pod, runtime::v1::PodSandbox> pod_list;
  EncodedList<ContainerStore, Container, runtime::v1::Container> container_list;
  KeptStatus kept_status;

  JoinedCalls<std::string> run_calls;     // By PodNameKey; the result is the sandbox id.
  JoinedCalls<std::string> create_calls;  // By ContainerNameKey; the result is the container id.
  JoinedCalls<Done> stop_calls;           // By sandbox id.
  JoinedCalls<Done> remove_calls;         // By sandbox id.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RPC_RPC_CONTEXT_H_
