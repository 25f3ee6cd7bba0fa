#include "cri/streaming/streaming_server.h"

#include <fcntl.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "cri/streaming/streaming_test_client.h"
#include "cri/task/fake_task_driver.h"

namespace crisp::cri {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kV4[] = "v4.channel.k8s.io";
constexpr SessionStreams kAll = {.stdin = true, .stdout = true, .stderr = true};
constexpr SessionStreams kTerminal = {.stdin = true, .stdout = true, .terminal = true};

std::string ReadAll(int fd) {
  std::string all;
  char buffer[64 << 10];
  ssize_t n;
  while ((n = ::read(fd, buffer, sizeof(buffer))) > 0) all.append(buffer, static_cast<size_t>(n));
  return all;
}

void WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

bool Destroyed(const FakeProcess& process) {
  const std::vector<std::string> calls = process.calls();
  return !calls.empty() && calls.back() == "destroyed";
}

class StreamingServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }

  void SetUp() override {
    TaskSpec spec;
    spec.id = "c1";
    ASSERT_OK(driver_.Create(spec));
    ASSERT_OK(driver_.Start("c1"));
    StreamingServer::Options options;
    options.creation_timeout = absl::Milliseconds(300);
    ASSERT_OK_AND_ASSIGN(server_, StreamingServer::Start(options, Clock::Real()));
  }

  std::string Url(StreamKind kind, const SessionStreams& streams,
                  const std::vector<uint16_t>& ports = {}) {
    StreamRequest request;
    request.kind = kind;
    request.id = "c1";
    request.driver = &driver_;
    request.streams = streams;
    request.ports = ports;
    return server_->Admit(request).value_or("");
  }

  // The streams of an exec over SPDY, opened as clients do.
  struct Ids {
    uint32_t error = 0, in = 0, out = 0, err = 0, resize = 0;
  };
  static Ids OpenAll(TestSpdy* spdy, const SessionStreams& streams) {
    Ids ids;
    ids.error = spdy->Open({{"streamtype", "error"}});
    if (streams.stdin) ids.in = spdy->Open({{"streamtype", "stdin"}});
    if (streams.stdout) ids.out = spdy->Open({{"streamtype", "stdout"}});
    if (streams.stderr) ids.err = spdy->Open({{"streamtype", "stderr"}});
    if (streams.terminal) ids.resize = spdy->Open({{"streamtype", "resize"}});
    return ids;
  }

  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }

  FakeTaskDriver driver_;
  std::unique_ptr<StreamingServer> server_;
};

TEST_F(StreamingServerTest, RefusesWhatItDoesNotServe) {
  EXPECT_THAT(TestSocket(server_->base_url() + "/").Upgrade(SpdyUpgrade(kV4)),
              StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(TestSocket(server_->base_url() + "/exec/nonsense").Upgrade(SpdyUpgrade(kV4)),
              StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(TestSocket(Url(StreamKind::kExec, kAll)).Upgrade(SpdyUpgrade(kV4), "PUT"),
              StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(TestSocket(Url(StreamKind::kExec, kAll)).Upgrade(""), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(TestSocket(Url(StreamKind::kExec, kAll))
                  .Upgrade("Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"),
              StartsWith("HTTP/1.1 400"));
  const std::string none =
      TestSocket(Url(StreamKind::kExec, kAll)).Upgrade(SpdyUpgrade("v9.channel.k8s.io"));
  EXPECT_THAT(none, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(none, HasSubstr("X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io"));
  const std::string once = Url(StreamKind::kExec, kAll);
  EXPECT_THAT(TestSocket(once).Upgrade(SpdyUpgrade(kV4)), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(TestSocket(once).Upgrade(SpdyUpgrade(kV4)), StartsWith("HTTP/1.1 404"));
}

TEST_F(StreamingServerTest, AnExecOverSpdy) {
  TestSocket socket(Url(StreamKind::kExec, kAll));
  EXPECT_THAT(socket.Upgrade(SpdyUpgrade("v5.channel.k8s.io, v4.channel.k8s.io")),
              HasSubstr("X-Stream-Protocol-Version: v5.channel.k8s.io"));
  TestSpdy spdy(&socket);
  const Ids ids = OpenAll(&spdy, kAll);
  socket.Send(SpdyPing(1));
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  spdy.Data(ids.in, "typed");
  spdy.Data(ids.in, "", /*fin=*/true);
  EXPECT_EQ(ReadAll(process->stdin.get()), "typed");
  WriteAll(process->stdout.get(), "out");
  WriteAll(process->stderr.get(), "err");
  process->Exit(3);
  EXPECT_TRUE(spdy.Until([&] { return spdy.gone_away; }));
  EXPECT_EQ(spdy.text[ids.out], "out<fin>");
  EXPECT_EQ(spdy.text[ids.err], "err<fin>");
  EXPECT_THAT(spdy.text[ids.error], HasSubstr(R"("reason":"NonZeroExitCode")"));
  EXPECT_THAT(spdy.text[ids.error], HasSubstr("<fin>"));
  EXPECT_EQ(spdy.pings, 1);
  EXPECT_TRUE(Eventually([&] { return Destroyed(*process); }));
  EXPECT_THAT(process->calls(), Contains("close stdin"));
}

TEST_F(StreamingServerTest, OldProtocolsGetText) {
  TestSocket socket(Url(StreamKind::kExec, {.stdout = true}));
  socket.Upgrade(SpdyUpgrade("channel.k8s.io"));
  TestSpdy spdy(&socket);
  driver_.FailNext("Exec", absl::InternalError("no such program"));
  const Ids ids = OpenAll(&spdy, {.stdout = true});
  EXPECT_TRUE(spdy.Until([&] { return spdy.gone_away; }));
  EXPECT_EQ(spdy.text[ids.error], "no such program<fin>");
}

TEST_F(StreamingServerTest, ATerminalIsResizedAndHungUp) {
  TestSocket socket(Url(StreamKind::kExec, kTerminal));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  const Ids ids = OpenAll(&spdy, kTerminal);
  spdy.Data(ids.resize, R"({"Width":80,"Height":24}{"Width":132,)");
  spdy.Data(ids.resize, R"("Height":43})");
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  EXPECT_TRUE(Eventually([&] { return process->calls().size() == 2; }));
  EXPECT_THAT(process->calls(), Contains("resize 132x43"));
  socket.Close();
  EXPECT_TRUE(Eventually([&] { return Destroyed(*process); }));
  EXPECT_THAT(process->calls(), Contains("signal 1"));
}

TEST_F(StreamingServerTest, AClientThatLeavesKillsNothing) {
  for (const StreamKind kind : {StreamKind::kExec, StreamKind::kAttach}) {
    TestSocket socket(Url(kind, kAll));
    socket.Upgrade(SpdyUpgrade(kV4));
    TestSpdy spdy(&socket);
    OpenAll(&spdy, kAll);
    const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
    ASSERT_NE(process, nullptr);
    socket.Close();
    EXPECT_TRUE(Eventually([&] { return Destroyed(*process); }));
    EXPECT_THAT(process->calls(), Not(Contains(StartsWith("signal"))));
  }
}

TEST_F(StreamingServerTest, StreamsThatWereNotAskedForAreReset) {
  TestSocket socket(Url(StreamKind::kExec, {.stdout = true}));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  const uint32_t in = spdy.Open({{"streamtype", "stdin"}});
  const uint32_t odd = spdy.Open({});
  EXPECT_TRUE(spdy.Until([&] { return spdy.text.count(odd) > 0; }));
  EXPECT_EQ(spdy.text[in], "<reset>");
  // And the rest never comes.
  EXPECT_FALSE(spdy.Until([&] { return false; }));
  EXPECT_TRUE(spdy.ended);
}

TEST_F(StreamingServerTest, BigTransfersArriveWholeBothWays) {
  TestSocket socket(Url(StreamKind::kExec, kAll));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  const Ids ids = OpenAll(&spdy, kAll);
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  std::string big;
  while (big.size() < 8u << 20) absl::StrAppend(&big, big.size(), " ");
  std::thread player([&] {
    const std::string got = ReadAll(process->stdin.get());
    WriteAll(process->stdout.get(), got);
    process->Exit(got == big ? 0 : 1);
  });
  for (size_t i = 0; i < big.size(); i += 30000) spdy.Data(ids.in, big.substr(i, 30000));
  spdy.Data(ids.in, "", true);
  EXPECT_TRUE(spdy.Until([&] { return spdy.gone_away; }));
  player.join();
  EXPECT_TRUE(spdy.text[ids.out] == big + "<fin>");
  EXPECT_THAT(spdy.text[ids.error], HasSubstr("Success"));
}

// Neither direction is read ahead without bound.
TEST_F(StreamingServerTest, WhoeverStallsHoldsUpTheOther) {
  TestSocket socket(Url(StreamKind::kExec, kAll));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  const Ids ids = OpenAll(&spdy, kAll);
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  const std::string chunk(32 << 10, 'x');
  // The client does not read: the process's writes stop.
  ASSERT_EQ(::fcntl(process->stdout.get(), F_SETFL, O_NONBLOCK), 0);
  size_t written = 0;
  for (int idle = 0; idle < 100 && written < 64u << 20;) {
    const ssize_t n = ::write(process->stdout.get(), chunk.data(), chunk.size());
    idle = n > 0 ? 0 : idle + 1;
    if (n > 0) written += static_cast<size_t>(n);
    if (n <= 0) absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_LT(written, 32u << 20);
  // The process does not read: the client's sends stop.
  ASSERT_EQ(::fcntl(socket.fd(), F_SETFL, O_NONBLOCK), 0);
  size_t sent = 0;
  const std::string frame = SpdyDataHeader(ids.in, chunk.size(), false) + chunk;
  for (int idle = 0; idle < 100 && sent < 64u << 20;) {
    const size_t at = sent % frame.size();
    const ssize_t n = ::send(socket.fd(), frame.data() + at, frame.size() - at, MSG_NOSIGNAL);
    idle = n > 0 ? 0 : idle + 1;
    if (n > 0) sent += static_cast<size_t>(n);
    if (n <= 0) absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_LT(sent, 32u << 20);
}

TEST_F(StreamingServerTest, AnAttachThatFellBehindIsToldSo) {
  TestSocket socket(Url(StreamKind::kAttach, {.stdout = true}));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  const Ids ids = OpenAll(&spdy, {.stdout = true});
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  process->set_fell_behind();
  process->stdout.reset();
  EXPECT_TRUE(spdy.Until([&] { return spdy.gone_away; }));
  EXPECT_THAT(spdy.text[ids.error], HasSubstr("did not keep up"));
}

TEST_F(StreamingServerTest, AnExecOverWebSocketChannels) {
  TestSocket socket(Url(StreamKind::kExec, kTerminal));
  EXPECT_THAT(socket.Upgrade(WebSocketUpgrade("v5.channel.k8s.io"), "GET"),
              HasSubstr("Sec-WebSocket-Protocol: v5.channel.k8s.io"));
  TestWebSocket ws(&socket);
  EXPECT_EQ(ws.Next(), "2\x01");
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  ws.Message(absl::string_view("\x00typed", 6));
  ws.Message("\x04{\"Width\":80,\"Height\":24}");
  ws.Message(absl::string_view("\xff\x00", 2));
  EXPECT_EQ(ReadAll(process->stdin.get()), "typed");
  ws.Message("ping", 9);
  EXPECT_EQ(ws.Next(), "10ping");
  EXPECT_TRUE(Eventually([&] { return process->calls().size() == 2; }));
  EXPECT_THAT(process->calls(), Contains("resize 80x24"));
  WriteAll(process->stdout.get(), "out");
  process->Exit(0);
  EXPECT_EQ(ws.Next(), "2\x01out");
  EXPECT_EQ(ws.Next(), "2\x03{\"metadata\":{},\"status\":\"Success\"}");
  EXPECT_EQ(ws.Next(), std::string("8\x03\xe8"));  // Close, 1000.
}

TEST_F(StreamingServerTest, Base64ChannelsAreText) {
  TestSocket socket(Url(StreamKind::kExec, kAll));
  socket.Upgrade(WebSocketUpgrade("v4.base64.channel.k8s.io"), "GET");
  TestWebSocket ws(&socket);
  EXPECT_EQ(ws.Next(), "11");
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  ws.Message("0aGk=", 1);
  char buffer[2];
  EXPECT_EQ(::read(process->stdin.get(), buffer, 2), 2);
  EXPECT_EQ(std::string(buffer, 2), "hi");
  WriteAll(process->stderr.get(), "err");
  EXPECT_EQ(ws.Next(), "12ZXJy");
  ws.Message("what is this", 1);
  EXPECT_EQ(ws.Next(), "");
  EXPECT_TRUE(Eventually([&] { return Destroyed(*process); }));
}

// A server that says what it was sent, in upper case, until its client has ended.
class Echo {
 public:
  Echo() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 8), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const UniqueFd client(::accept(fd_.get(), nullptr, nullptr));
        if (!client.ok()) return;
        std::string all = ReadAll(client.get());
        for (char& c : all) c = static_cast<char>(::toupper(c));
        WriteAll(client.get(), all);
      }
    });
  }
  ~Echo() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port() const { return port_; }

 private:
  const UniqueFd fd_;
  uint16_t port_ = 0;
  std::thread thread_;
};

void ForwardOverSpdy(TestSpdy* spdy, uint16_t port) {
  for (const char* request : {"0", "1"}) {
    const std::string number = absl::StrCat(port);
    const uint32_t error = spdy->Open(
        {{"streamtype", "error"}, {"port", number}, {"requestid", request}}, /*fin=*/true);
    const uint32_t data =
        spdy->Open({{"streamtype", "data"}, {"port", number}, {"requestid", request}});
    spdy->Data(data, "hello ");
    spdy->Data(data, request, /*fin=*/true);
    EXPECT_TRUE(spdy->Until([&] { return absl::EndsWith(spdy->text[error], "<fin>"); }));
    EXPECT_EQ(spdy->text[data], absl::StrCat("HELLO ", request, "<fin>"));
    EXPECT_EQ(spdy->text[error], "<fin>");
  }
}

TEST_F(StreamingServerTest, PortsAreForwardedOverSpdy) {
  Echo echo;
  TestSocket socket(Url(StreamKind::kPortForward, {}));
  EXPECT_THAT(socket.Upgrade(SpdyUpgrade("portforward.k8s.io")), StartsWith("HTTP/1.1 101"));
  TestSpdy spdy(&socket);
  ForwardOverSpdy(&spdy, echo.port());
  EXPECT_EQ(spdy.Open({{"streamtype", "data"}, {"port", "0"}, {"requestid", "9"}}), 9u);
  EXPECT_TRUE(spdy.Until([&] { return spdy.text[9] == "<reset>"; }));
}

TEST_F(StreamingServerTest, APortWhereNobodyListens) {
  uint16_t closed;
  { closed = Echo().port(); }
  TestSocket socket(Url(StreamKind::kPortForward, {}));
  socket.Upgrade(SpdyUpgrade("portforward.k8s.io"));
  TestSpdy spdy(&socket);
  const SpdyHeaders common = {{"port", absl::StrCat(closed)}, {"requestid", "0"}};
  SpdyHeaders error = common, data = common;
  error["streamtype"] = "error";
  data["streamtype"] = "data";
  const uint32_t error_id = spdy.Open(error, true), data_id = spdy.Open(data);
  EXPECT_TRUE(spdy.Until([&] { return spdy.text[data_id] == "<reset>"; }));
  EXPECT_THAT(spdy.text[error_id], HasSubstr("Connection refused"));
  // A data stream that never comes.
  error["requestid"] = "1";
  const uint32_t lonely = spdy.Open(error, true);
  EXPECT_TRUE(spdy.Until([&] { return absl::StrContains(spdy.text[lonely], "no data stream"); }));
}

TEST_F(StreamingServerTest, PortsAreForwardedThroughATunnel) {
  Echo echo;
  TestSocket socket(Url(StreamKind::kPortForward, {}));
  EXPECT_THAT(socket.Upgrade(WebSocketUpgrade("SPDY/3.1+portforward.k8s.io"), "GET"),
              HasSubstr("Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io"));
  TestWebSocket ws(&socket);
  SpdyHeaderEncoder encoder;
  const std::string port = absl::StrCat(echo.port());
  SpdyHeaders headers = {{"streamtype", "error"}, {"port", port}, {"requestid", "0"}};
  std::string frames = SpdySynStream(1, encoder.Encode(headers), kSpdyFin);
  headers["streamtype"] = "data";
  frames += SpdySynStream(3, encoder.Encode(headers), 0);
  frames += SpdyDataHeader(3, 5, true) + "hello";
  // Where messages end means nothing.
  ws.Message(frames.substr(0, 9));
  ws.Message(frames.substr(9));
  std::string all;
  while (!absl::StrContains(all, "HELLO")) {
    const std::string more = ws.Next();
    ASSERT_NE(more, "");
    all += more.substr(1);
  }
}

TEST_F(StreamingServerTest, PortsAreForwardedOverChannels) {
  Echo echo;
  TestSocket socket(Url(StreamKind::kPortForward, {}, {echo.port()}));
  socket.Upgrade(WebSocketUpgrade(kV4), "GET");
  TestWebSocket ws(&socket);
  const std::string port = {static_cast<char>(echo.port() & 0xff),
                            static_cast<char>(echo.port() >> 8)};
  EXPECT_EQ(ws.Next(), absl::StrCat("2\x01", port));
  EXPECT_EQ(ws.Next(), absl::StrCat("2", std::string(1, '\0'), port));
  TestSocket none(Url(StreamKind::kPortForward, {}));
  EXPECT_THAT(none.Upgrade(WebSocketUpgrade(kV4), "GET"), StartsWith("HTTP/1.1 400"));
}

TEST_F(StreamingServerTest, EitherEndOfAForwardEndsByItselfInV5) {
  Echo echo;
  TestSocket socket(Url(StreamKind::kPortForward, {}, {echo.port()}));
  socket.Upgrade(WebSocketUpgrade("v5.channel.k8s.io"), "GET");
  TestWebSocket ws(&socket);
  (void)ws.Next();
  (void)ws.Next();
  ws.Message(std::string("\0hello", 6));
  ws.Message(std::string("\xff\0", 2));
  // What was sent comes back, and after it the pod's own end, without a wait.
  std::string all;
  for (std::string frame = ws.Next(); !frame.empty(); frame = ws.Next()) {
    if (frame == std::string("2\xff\0", 3)) break;
    all += frame.substr(2);
  }
  EXPECT_EQ(all, "HELLO");
}

TEST_F(StreamingServerTest, AbortedSessionsLeaveNothing) {
  const auto count = [](const char* directory) {
    return std::distance(std::filesystem::directory_iterator(directory),
                         std::filesystem::directory_iterator());
  };
  const auto fds = count("/proc/self/fd"), threads = count("/proc/self/task");
  for (int i = 0; i < 100; ++i) {
    TestSocket socket(Url(StreamKind::kExec, kAll));
    if (i % 4 != 0) socket.Upgrade(i % 2 == 0 ? SpdyUpgrade(kV4) : WebSocketUpgrade(kV4), "GET");
    if (i % 4 != 2) continue;
    TestSpdy spdy(&socket);
    OpenAll(&spdy, kAll);
  }
  while (driver_.NextProcess(absl::Milliseconds(500)) != nullptr) {
  }
  EXPECT_TRUE(Eventually([&] { return count("/proc/self/fd") <= fds; }));
  EXPECT_EQ(count("/proc/self/task"), threads);
}

TEST_F(StreamingServerTest, StopEndsSessions) {
  TestSocket socket(Url(StreamKind::kExec, kAll));
  socket.Upgrade(SpdyUpgrade(kV4));
  TestSpdy spdy(&socket);
  OpenAll(&spdy, kAll);
  const std::shared_ptr<FakeProcess> process = driver_.NextProcess();
  ASSERT_NE(process, nullptr);
  server_->Stop();
  EXPECT_TRUE(Destroyed(*process));
  EXPECT_FALSE(spdy.Until([&] { return false; }));
}

TEST(StreamingServerStartTest, SaysWhatIsWrong) {
  StreamingServer::Options options;
  for (const char* address : {"", "localhost:0", "127.0.0.1", "127.0.0.1:99999", "0.0.0.0:0"}) {
    options.address = address;
    EXPECT_THAT(StreamingServer::Start(options, Clock::Real()).status(),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << address;
  }
  options.address = "[::1]:0";
  if (const auto server = StreamingServer::Start(options, Clock::Real()); server.ok()) {
    EXPECT_THAT((*server)->base_url(), StartsWith("http://[::1]:"));
  }
  options.tls_cert_file = "/no/such/file";
  EXPECT_FALSE(StreamingServer::Start(options, Clock::Real()).ok());
  options.tls_key_file = "/no/such/file";
  EXPECT_THAT(StreamingServer::Start(options, Clock::Real()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/no/such/file")));
}

}  // namespace
}  // namespace crisp::cri
