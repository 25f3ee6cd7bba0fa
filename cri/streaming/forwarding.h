// One forwarded connection: a client's stream joined to a port of the pod.
//
// Each direction has one chunk under way, and ends on its own: an end of input is passed
// on as one. When one direction has ended, the other may go on for as long as it says
// something at least every kHalfClosed: a client that has left altogether looks the same
// from here as one that waits for an answer.
//
// Ownership: kept alive by its operations under way.
// Threads:   the executor only.
// Errors:    as text on the error stream; then both streams are reset.
#ifndef CRISP_CRI_STREAMING_FORWARDING_H_
#define CRISP_CRI_STREAMING_FORWARDING_H_

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cri/streaming/client_stream.h"
#include "cri/streaming/stream_context.h"

namespace crisp::cri {

class Forwarding : public std::enable_shared_from_this<Forwarding> {
 public:
  static constexpr auto kHalfClosed = std::chrono::seconds(10);

  // `on_end` is called once, when both streams are done with; it may be null.
  Forwarding(const StreamContext& context, uint16_t port, std::shared_ptr<ClientStream> data,
             std::shared_ptr<ClientStream> error, std::function<void()> on_end);

  void Start(const std::string& netns_path);

  // The client has gone.
  void Abort();

 private:
  void OnDialed(std::shared_ptr<boost::asio::ip::tcp::socket> socket);
  void Fail(const absl::Status& status);
  void FromClient();
  void FromPod();
  // One direction has ended, or after that moved a byte.
  void ArmHalfClosed();
  void EndDirection(bool* open);
  void End();

  const StreamContext context_;
  const uint16_t port_;
  std::shared_ptr<ClientStream> data_, error_;
  std::function<void()> on_end_;
  std::shared_ptr<boost::asio::ip::tcp::socket> socket_;
  boost::asio::steady_timer half_closed_;
  std::string from_client_;
  std::array<char, ClientStream::kMaxWrite> from_pod_;
  bool client_open_ = true;
  bool pod_open_ = true;
  bool done_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_FORWARDING_H_
