#include "grpc_server/loop.h"

#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/from_exception.h"

namespace crisp::grpcserver {

namespace asio = boost::asio;

absl::Status Loop::Start() try {
  thread_ = std::thread([this] { io_.run(); });
  return absl::OkStatus();
} catch (const std::exception& error) {
  return FromException(error);
}

void Loop::Stop() {
  if (!thread_.joinable()) return;
  Run([this] { stopping_ = true; });
  ForEach([](Connection& connection) { connection.Close(); });
  work_.reset();
  thread_.join();
}

void Loop::Add(Connection::Socket socket) {
  asio::post(io_, [this, socket = std::move(socket)]() mutable {
    if (stopping_) return;
    connections_.remove_if([](const std::weak_ptr<Connection>& gone) { return gone.expired(); });
    const auto connection = std::make_shared<Connection>(std::move(socket), options_);
    connections_.push_back(connection);
    connection->Start();
  });
}

void Loop::Run(const std::function<void()>& function) {
  absl::Notification done;
  asio::post(io_, [&] {
    function();
    done.Notify();
  });
  done.WaitForNotification();
}

void Loop::ForEach(const std::function<void(Connection&)>& function) {
  Run([&] {
    for (const std::weak_ptr<Connection>& weak : connections_) {
      if (const auto connection = weak.lock()) function(*connection);
    }
  });
}

}  // namespace crisp::grpcserver
