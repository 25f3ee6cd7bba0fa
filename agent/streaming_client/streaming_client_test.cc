#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/streaming_client/command_stream.h"
#include "agent/streaming_client/port_forward.h"
#include "agent/streaming_client/stream_url.h"
#include "base/status_matchers.h"

namespace crisp::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using ::testing::HasSubstr;
using Stream = beast::websocket::stream<tcp::socket>;

// Serves one WebSocket connection after another with `serve`, blocking.
class Server {
 public:
  Server(const std::string& protocol, std::function<void(Stream&)> serve)
      : protocol_(protocol), serve_(std::move(serve)), acceptor_(io_, {tcp::v4(), 0}) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Server() {
    ended_ = true;
    // Wakes the accept.
    tcp::socket wake(io_);
    boost::system::error_code ignored;
    wake.connect({asio::ip::address_v4::loopback(), port()}, ignored);
    thread_.join();
  }
  uint16_t port() { return acceptor_.local_endpoint().port(); }
  std::string url() { return absl::StrCat("http://127.0.0.1:", port(), "/exec/token"); }
  std::string asked;  // Sec-WebSocket-Protocol, after the connection.

 private:
  void Run() {
    while (true) {
      boost::system::error_code error;
      tcp::socket socket = acceptor_.accept(error);
      if (error || ended_) return;
      beast::flat_buffer buffer;
      http::request<http::string_body> request;
      http::read(socket, buffer, request, error);
      if (error) continue;
      asked = std::string(request[http::field::sec_websocket_protocol]);
      if (protocol_.empty()) {
        http::response<http::string_body> response(http::status::not_found, 11);
        response.body() = "no such token";
        response.prepare_payload();
        http::write(socket, response, error);
        continue;
      }
      Stream stream(std::move(socket));
      stream.set_option(
          beast::websocket::stream_base::decorator([this](beast::websocket::response_type& answer) {
            answer.set(http::field::sec_websocket_protocol, protocol_);
          }));
      stream.accept(request, error);
      stream.binary(true);
      if (!error) serve_(stream);
    }
  }

  const std::string protocol_;
  const std::function<void(Stream&)> serve_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

void Send(Stream& stream, const std::string& message) {
  boost::system::error_code ignored;
  stream.write(asio::buffer(message), ignored);
}
std::string Receive(Stream& stream) {
  beast::flat_buffer buffer;
  boost::system::error_code error;
  stream.read(buffer, error);
  return error ? "<end>" : beast::buffers_to_string(buffer.data());
}
void Close(Stream& stream) {
  boost::system::error_code ignored;
  stream.close(beast::websocket::close_code::normal, ignored);
}

constexpr char kV4[] = "v4.channel.k8s.io";
constexpr char kV5[] = "v5.channel.k8s.io";
const std::string kSuccess = "\x03{\"metadata\":{},\"status\":\"Success\"}";

TEST(CommandStreamTest, OutputAndExitCode) {
  Server server(kV5, [](Stream& stream) {
    Send(stream, "\x01");  // "I am ready."
    Send(stream, "\x01out");
    Send(stream,
         "\x02"
         "err");
    Send(stream, "\x07unknown");
    Send(stream,
         "\x03{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"
         "[{\"reason\":\"ExitCode\",\"message\":\"42\"}]}}");
    Close(stream);
  });
  std::string out, err;
  CommandStreamOptions options;
  options.out = [&](absl::string_view bytes) { absl::StrAppend(&out, bytes); };
  options.err = [&](absl::string_view bytes) { absl::StrAppend(&err, bytes); };
  ASSERT_OK_AND_ASSIGN(const CommandEnd end, StreamCommand(server.url(), options));
  EXPECT_EQ(end.exit_code, 42);
  EXPECT_EQ(out, "out");
  EXPECT_EQ(err, "err");
  EXPECT_EQ(server.asked, "v5.channel.k8s.io, v4.channel.k8s.io");
}

// Serves `cat`: stdin back as stdout, until the half close.
void Cat(Stream& stream) {
  while (true) {
    const std::string message = Receive(stream);
    if (message == "<end>") return;
    if (message == std::string("\xff\x00", 2)) break;
    if (message[0] == 0) Send(stream, "\x01" + message.substr(1));
  }
  Send(stream, kSuccess);
  Close(stream);
}

TEST(CommandStreamTest, StdinToItsEnd) {
  Server server(kV5, Cat);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  std::string sent;
  for (int i = 0; i < 50'000; ++i) absl::StrAppend(&sent, i, "\n");
  std::thread writer([&] {
    for (size_t at = 0; at < sent.size();) {
      const ssize_t wrote = ::write(pipe[1], sent.data() + at, sent.size() - at);
      ASSERT_GT(wrote, 0);
      at += static_cast<size_t>(wrote);
    }
    ::close(pipe[1]);
  });
  std::string out;
  CommandStreamOptions options;
  options.in_fd = pipe[0];
  options.out = [&](absl::string_view bytes) { absl::StrAppend(&out, bytes); };
  ASSERT_OK_AND_ASSIGN(const CommandEnd end, StreamCommand(server.url(), options));
  writer.join();
  ::close(pipe[0]);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(out, sent);
}

TEST(CommandStreamTest, ACommandThatEndsDoesNotWaitForStdin) {
  Server server(kV4, [](Stream& stream) {
    Send(stream, kSuccess);
    Close(stream);
  });
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);  // Nobody ever writes.
  CommandStreamOptions options;
  options.in_fd = pipe[0];
  ASSERT_OK_AND_ASSIGN(const CommandEnd end, StreamCommand(server.url(), options));
  EXPECT_EQ(end.exit_code, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST(CommandStreamTest, DetachKeysLeaveTheCommand) {
  std::string got;
  Server server(kV5, [&](Stream& stream) {
    for (std::string message; (message = Receive(stream)) != "<end>";) {
      if (message[0] == 0) got += message.substr(1);
    }
  });
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ASSERT_EQ(::write(pipe[1],
                    "a\x10"
                    "b\x10",
                    4),
            4);
  std::thread later([&] {
    absl::SleepFor(absl::Milliseconds(100));
    ASSERT_EQ(::write(pipe[1],
                      "\x11"
                      "c",
                      2),
              2);
  });
  CommandStreamOptions options;
  options.in_fd = pipe[0];
  options.detach_keys = true;
  ASSERT_OK_AND_ASSIGN(const CommandEnd end, StreamCommand(server.url(), options));
  later.join();
  EXPECT_TRUE(end.detached);
  ::close(pipe[0]);
  ::close(pipe[1]);
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(got,
            "a\x10"
            "b");  // Ctrl-P alone is the command's.
}

TEST(CommandStreamTest, BrokenStreamsAreErrors) {
  Server cut(kV5, [](Stream& stream) {
    Send(stream, "\x01partial");
    stream.next_layer().close();
  });
  EXPECT_THAT(StreamCommand(cut.url(), {}).status().message(),
              HasSubstr("the stream ended before the command did"));
  Server refuses("", nullptr);
  EXPECT_THAT(StreamCommand(refuses.url(), {}).status().message(),
              HasSubstr("the runtime refused the stream: 404 no such token"));
  EXPECT_THAT(StreamCommand("http://127.0.0.1:1/x", {}).status().message(),
              HasSubstr("connect to the runtime's streaming server"));
}

TEST(StreamStatusTest, Statuses) {
  EXPECT_EQ(*ParseStreamStatus("{\"status\":\"Success\"}"), 0);
  EXPECT_EQ(
      ParseStreamStatus("{\"status\":\"Failure\",\"message\":\"no such file\"}").status().message(),
      "no such file");
  EXPECT_THAT(ParseStreamStatus("plain text").status().message(), HasSubstr("plain text"));
  EXPECT_FALSE(
      ParseStreamStatus("{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                        "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"x\"}]}}")
          .ok());
}

TEST(StreamUrlTest, Urls) {
  ASSERT_OK_AND_ASSIGN(StreamUrl url, StreamUrl::Parse("http://[::1]:8080/exec/x?y"));
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, "8080");
  EXPECT_EQ(url.path, "/exec/x?y");
  EXPECT_EQ(StreamUrl::Parse("http://host")->port, "80");
  EXPECT_EQ(StreamUrl::Parse("https://h/x").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(StreamUrl::Parse("ftp://h/x").ok());
  EXPECT_FALSE(StreamUrl::Parse("http:///x").ok());
}

// Connects to `port` of this machine, sends `text`, and reads to the end.
std::string Ask(uint16_t port, const std::string& text) {
  asio::io_context io;
  tcp::socket socket(io);
  boost::system::error_code error;
  socket.connect({asio::ip::address_v4::loopback(), port}, error);
  if (error) return error.message();
  asio::write(socket, asio::buffer(text), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  return answer;
}

TEST(PortForwardTest, CarriesConnections) {
  Server server(kV4, [](Stream& stream) {
    Send(stream, std::string("\x00\x50\x00", 3));  // Channel 0: port 80.
    Send(stream, std::string("\x01\x50\x00", 3));
    const std::string message = Receive(stream);
    Send(stream, std::string(1, '\0') + "answer to " + message.substr(1));
    Close(stream);
  });
  int connections = 0;
  PortForwarder forwarder(
      {.url =
           [&](uint16_t remote) {
             EXPECT_EQ(remote, 80);
             return server.url();
           },
       .on_connection = [&](uint16_t) { ++connections; },
       .on_error = [](uint16_t, const absl::Status& status) { ADD_FAILURE() << status; }});
  ASSERT_OK_AND_ASSIGN(const uint16_t port, forwarder.Listen("127.0.0.1", 0, 80));
  std::thread runner([&] { forwarder.Run(false); });
  EXPECT_EQ(Ask(port, "one"), "answer to one");
  EXPECT_EQ(Ask(port, "two"), "answer to two");
  forwarder.Stop();
  runner.join();
  EXPECT_EQ(connections, 2);
}

TEST(PortForwardTest, EitherSideEndsItsSendingByItself) {
  Server server("v5.channel.k8s.io", [](Stream& stream) {
    Send(stream, std::string("\x00\x50\x00", 3));
    Send(stream, std::string("\x01\x50\x00", 3));
    std::string all;
    for (std::string message = Receive(stream); message[0] == 0; message = Receive(stream)) {
      all += message.substr(1);
    }
    // The local side has ended, and waits for an answer to all of it.
    Send(stream, std::string(1, '\0') + "answer to " + all);
    Send(stream, std::string("\xff\x01", 2));
    Send(stream, std::string("\xff\x00", 2));
    (void)Receive(stream);
  });
  PortForwarder forwarder(
      {.url = [&](uint16_t) { return server.url(); },
       .on_connection = [](uint16_t) {},
       .on_error = [](uint16_t, const absl::Status& status) { ADD_FAILURE() << status; }});
  ASSERT_OK_AND_ASSIGN(const uint16_t port, forwarder.Listen("127.0.0.1", 0, 80));
  std::thread runner([&] { forwarder.Run(false); });
  for (int i = 0; i < 2; ++i) {
    asio::io_context io;
    tcp::socket socket(io);
    boost::system::error_code error;
    socket.connect({asio::ip::address_v4::loopback(), port}, error);
    ASSERT_FALSE(error) << error.message();
    asio::write(socket, asio::buffer(std::string("all of it")), error);
    socket.shutdown(tcp::socket::shutdown_send, error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    EXPECT_EQ(answer, "answer to all of it");
  }
  EXPECT_EQ(server.asked, "v5.channel.k8s.io, v4.channel.k8s.io");
  forwarder.Stop();
  runner.join();
}

TEST(PortForwardTest, ErrorsAreSaidAndTheNextConnectionServed) {
  Server server(kV4, [](Stream& stream) {
    Send(stream, std::string("\x00\x50\x00", 3));
    Send(stream, std::string("\x01\x50\x00", 3));
    Send(stream,
         "\x01"
         "connection refused");
    Close(stream);
  });
  std::vector<std::string> errors;
  bool have_url = false;
  PortForwarder forwarder(
      {.url = [&](uint16_t) -> absl::StatusOr<std::string> {
         if (!have_url) return absl::NotFoundError("the sandbox is gone");
         return server.url();
       },
       .on_connection = [](uint16_t) {},
       .on_error = [&](uint16_t,
                       const absl::Status& status) { errors.emplace_back(status.message()); }});
  ASSERT_OK_AND_ASSIGN(const uint16_t port, forwarder.Listen("127.0.0.1", 0, 80));
  std::thread runner([&] { forwarder.Run(false); });
  EXPECT_EQ(Ask(port, ""), "");
  have_url = true;
  EXPECT_EQ(Ask(port, ""), "");
  forwarder.Stop();
  runner.join();
  EXPECT_THAT(errors, ::testing::ElementsAre("the sandbox is gone", "connection refused"));
}

TEST(PortForwardTest, APortInUseIsAnError) {
  PortForwarder forwarder({});
  ASSERT_OK_AND_ASSIGN(const uint16_t port, forwarder.Listen("127.0.0.1", 0, 80));
  EXPECT_THAT(forwarder.Listen("127.0.0.1", port, 80).status().message(),
              HasSubstr(absl::StrCat("unable to listen on 127.0.0.1:", port)));
  EXPECT_FALSE(forwarder.Listen("no-address", 0, 80).ok());
}

}  // namespace
}  // namespace crisp::cli
