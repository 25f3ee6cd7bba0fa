// A client's socket with its session: moves the bytes between them.
//
// Ownership: keeps itself alive while the socket is open; the server knows it weakly.
// Threads:   the loop's only.
// Errors:    none: a connection that fails is closed, and its calls are cancelled.
#ifndef CRISP_GRPC_SERVER_CONNECTION_H_
#define CRISP_GRPC_SERVER_CONNECTION_H_

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "grpc_server/session.h"

namespace crisp::grpcserver {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  Connection(Socket socket, const SessionOptions& options)
      : socket_(std::move(socket)), options_(options) {}

  void Start();
  void Drain();
  void CancelCalls() { session_->CancelCalls(); }
  void Close();
  // Neither a call nor a byte of an answer is under way.
  bool idle() const { return session_->calls() == 0 && out_.empty(); }

 private:
  void Read();
  void Flush();

  Socket socket_;
  const SessionOptions& options_;
  std::unique_ptr<Session> session_;  // From Start on.
  std::array<char, 16 << 10> in_;
  std::string out_;  // Handed to the socket and not yet taken.
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_CONNECTION_H_
