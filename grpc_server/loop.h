// A thread and the connections that it moves bytes for.
//
// Ownership: owns the thread; each connection keeps itself alive while its socket is open.
//            Borrows the options of the sessions.
// Threads:   safe, but for Start and Stop, which are one thread's. Run and ForEach wait for
//            the loop: between Start and Stop only, and on another thread.
// Errors:    Start: what keeps a thread from starting.
#ifndef CRISP_GRPC_SERVER_LOOP_H_
#define CRISP_GRPC_SERVER_LOOP_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "grpc_server/connection.h"
#include "grpc_server/session.h"

namespace crisp::grpcserver {

class Loop {
 public:
  explicit Loop(const SessionOptions* options) : options_(*options) {}
  ~Loop() { Stop(); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  absl::Status Start();
  // Closes every connection, those that are still to be added too, and ends the thread.
  void Stop();

  // What a socket of this loop is made on.
  boost::asio::io_context& io() { return io_; }
  // The connection begins soon.
  void Add(Connection::Socket socket);
  // Runs `function` on the loop, to its end.
  void Run(const std::function<void()>& function);
  // Runs it for each connection, likewise.
  void ForEach(const std::function<void(Connection&)>& function);

 private:
  const SessionOptions& options_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::list<std::weak_ptr<Connection>> connections_;  // The thread's.
  bool stopping_ = false;                             // The thread's.
  std::thread thread_;
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_LOOP_H_
