#include "cri/streaming/web_socket_serve.h"

#include <string>
#include <utility>
#include <vector>

#include "cri/streaming/command_session.h"
#include "cri/streaming/forwarding.h"

namespace crisp::cri {
namespace {

enum : uint8_t { kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4 };

std::function<void()> Aborter(const std::shared_ptr<WebSocketChannels>& channels) {
  return [weak = std::weak_ptr<WebSocketChannels>(channels)] {
    if (const auto open = weak.lock()) open->Abort();
  };
}

}  // namespace

std::function<void()> ServeWebSocketCommand(const StreamContext& context,
                                            std::shared_ptr<WebSocketChannels> channels,
                                            StreamRequest request,
                                            const WebSocketProtocol& protocol,
                                            std::function<void()> on_gone) {
  CommandStreams streams;
  streams.error = channels->AddChannel(kError);
  if (request.streams.stdin) streams.stdin = channels->AddChannel(kStdin);
  if (request.streams.stdout) streams.stdout = channels->AddChannel(kStdout);
  if (request.streams.stderr) streams.stderr = channels->AddChannel(kStderr);
  if (request.streams.terminal) streams.resize = channels->AddChannel(kResize);
  const std::shared_ptr<ClientStream> first =
      streams.stdout != nullptr ? streams.stdout
                                : (streams.stderr != nullptr ? streams.stderr : streams.error);
  const auto session = std::make_shared<CommandSession>(
      context, std::move(request), std::move(streams), protocol.status_json,
      [weak = std::weak_ptr<WebSocketChannels>(channels)] {
        if (const auto open = weak.lock()) open->Finish();
      });
  channels->Start(
      [session, first] {
        first->AsyncWrite("", [session](const absl::Status& status) {
          if (status.ok()) session->Start();
        });
      },
      [session, on_gone = std::move(on_gone)] {
        session->Abort();
        on_gone();
      });
  return Aborter(channels);
}

std::function<void()> ServeWebSocketPortForward(const StreamContext& context,
                                                std::shared_ptr<WebSocketChannels> channels,
                                                StreamRequest request,
                                                std::function<void()> on_gone) {
  struct Port {
    uint16_t number;
    std::shared_ptr<ClientStream> data, error;
    std::shared_ptr<Forwarding> forwarding;
  };
  const auto ports = std::make_shared<std::vector<Port>>();
  const auto left = std::make_shared<size_t>(request.ports.size());
  for (size_t i = 0; i < request.ports.size(); ++i) {
    Port port;
    port.number = request.ports[i];
    port.data = channels->AddChannel(static_cast<uint8_t>(2 * i));
    port.error = channels->AddChannel(static_cast<uint8_t>(2 * i + 1));
    port.forwarding =
        std::make_shared<Forwarding>(context, port.number, port.data, port.error,
                                     [left, weak = std::weak_ptr<WebSocketChannels>(channels)] {
                                       const auto open = weak.lock();
                                       if (--*left == 0 && open != nullptr) open->Finish();
                                     });
    ports->push_back(std::move(port));
  }
  channels->Start(
      [ports, netns_path = request.netns_path] {
        for (const Port& port : *ports) {
          const std::string number = {static_cast<char>(port.number & 0xff),
                                      static_cast<char>(port.number >> 8)};
          port.error->AsyncWrite(number, [](const absl::Status&) {});
          port.data->AsyncWrite(
              number, [forwarding = port.forwarding, netns_path](const absl::Status& status) {
                if (status.ok()) forwarding->Start(netns_path);
              });
        }
      },
      [ports, on_gone = std::move(on_gone)] {
        for (const Port& port : *ports) port.forwarding->Abort();
        on_gone();
      });
  return Aborter(channels);
}

}  // namespace crisp::cri
