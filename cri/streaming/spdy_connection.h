// The server's side of a SPDY/3.1 connection as Kubernetes' clients use it.
//
// The client opens streams; each is answered with SYN_REPLY or refused. There is no flow
// control in this dialect (no WINDOW_UPDATE is sent or obeyed): a stream whose reader is
// behind stops the reading of the whole connection, and a client that does not read
// stops the completion of writes.
//
// Ownership: its own, from Start until it is over, whether or not a call is under way;
//            users hold it weakly or let go of it in on_gone.
// Threads:   the transport's executor only.
// Errors:    bytes that are no SPDY end the connection.
#ifndef CRISP_CRI_STREAMING_SPDY_CONNECTION_H_
#define CRISP_CRI_STREAMING_SPDY_CONNECTION_H_

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "cri/streaming/byte_transport.h"
#include "cri/streaming/client_stream.h"
#include "cri/streaming/idle_timer.h"
#include "cri/streaming/spdy_frame.h"
#include "cri/streaming/spdy_headers.h"

namespace crisp::cri {

class SpdyConnection : public std::enable_shared_from_this<SpdyConnection> {
 public:
  class Stream;

  // More than any client of ours opens at once.
  static constexpr size_t kMaxStreams = 2000;

  struct Handler {
    // The client wants a stream. True: it is answered when this returns, and both may
    // write from then on: the client drops what comes before the answer. False: it is
    // reset.
    std::function<bool(const std::shared_ptr<Stream>& stream, const SpdyHeaders& headers)>
        on_stream;
    // Once, when the connection is over, whoever ended it. All streams have failed.
    std::function<void()> on_gone;
  };

  SpdyConnection(std::shared_ptr<ByteTransport> transport, absl::Duration idle_timeout);

  void Start(Handler handler);

  // Everything has been written: says goodbye, and waits a while for the client to read
  // it and leave.
  void Finish();

  // Ends at once.
  void Abort();

 private:
  struct Frame {
    std::string bytes;
    ClientStream::WriteHandler done;  // Null for control frames.
  };

  void Read();
  absl::Status OnControl(SpdyControl control);
  absl::Status OnSynStream(const SpdyControl& control);
  absl::Status OnData(uint32_t stream_id, absl::string_view data, bool fin);
  void Send(Frame frame);
  void SendControl(std::string bytes);
  void WriteNext();
  void OnWritten(boost::system::error_code error);
  bool ShouldPause() const;
  void ResumeIfRoom();
  // Takes a stream that is done both ways out of the table.
  void Forget(uint32_t stream_id);

  std::shared_ptr<SpdyConnection> self_;  // From Start until gone_.
  const std::shared_ptr<ByteTransport> transport_;
  Handler handler_;
  SpdyParser parser_;
  SpdyHeaderDecoder decoder_;
  SpdyHeaderEncoder encoder_;
  IdleTimer idle_;
  boost::asio::steady_timer linger_;
  std::array<char, 32 << 10> read_buffer_;
  std::map<uint32_t, std::shared_ptr<Stream>> streams_;
  std::deque<Frame> frames_;
  Frame writing_;
  size_t control_bytes_ = 0;  // Of frames_ without `done`.
  uint32_t last_stream_ = 0;
  bool reading_ = false;
  bool write_under_way_ = false;
  bool finishing_ = false;
  bool gone_ = false;
};

class SpdyConnection::Stream : public ClientStream,
                               public std::enable_shared_from_this<SpdyConnection::Stream> {
 public:
  Stream(const std::shared_ptr<SpdyConnection>& connection, uint32_t id);

  uint32_t id() const { return id_; }

  void AsyncWrite(std::string data, WriteHandler handler) override;
  void CloseWrite() override;
  void Reset() override;

 private:
  friend class SpdyConnection;

  const std::weak_ptr<SpdyConnection> connection_;
  const uint32_t id_;
  bool write_closed_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_CONNECTION_H_
