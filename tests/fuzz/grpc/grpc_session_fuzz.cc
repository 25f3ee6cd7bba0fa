// Any bytes from a client of the CRI socket: calls and answers, or the connection's end.
// The first byte says in pieces of which size they come.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "grpc_server/session.h"

namespace {

using crisp::grpcserver::Method;
using crisp::grpcserver::Methods;
using crisp::grpcserver::ServerCall;

// What an answer repeats of its request.
constexpr size_t kEchoBytes = 100;
constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

crisp::grpcserver::Message Text(absl::string_view text) {
  return std::make_shared<const std::string>(text);
}

Methods AllKinds() {
  Methods methods;
  methods["/u"] = {.run = [](ServerCall& call) {
    return call.Reply(Text(call.request().substr(0, kEchoBytes)));
  }};
  methods["/m"] = {.run = [](ServerCall&) { return absl::InternalError("not at hand"); },
                   .at_hand = [](const std::string& request)
                       -> std::optional<absl::StatusOr<crisp::grpcserver::Message>> {
                     if (request.empty()) return std::nullopt;
                     if (request == "no") return absl::NotFoundError("none");
                     return Text("kept");
                   }};
  methods["/s"] = {.run = [](ServerCall& call) -> absl::Status {
    for (int i = 0; i < 3; ++i) {
      if (const absl::Status sent = call.Write(Text("part")); !sent.ok()) return sent;
    }
    return absl::DataLossError("\xff%\n");
  }};
  methods["/c"] = {.run = [](ServerCall&) { return absl::OkStatus(); }, .client_stream = true};
  return methods;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const Methods* const methods = new Methods(AllKinds());
  crisp::FakeClock clock;
  std::deque<std::function<void()>> handlers;
  std::deque<int32_t> woken;
  size_t ended = 0;
  const crisp::grpcserver::SessionOptions options = {
      .methods = methods,
      .clock = &clock,
      .run = [&](std::function<void()> handler) { handlers.push_back(std::move(handler)); },
      .observe = [&](const crisp::grpcserver::Outcome&) { ++ended; }};
  const size_t piece = std::max<size_t>(1, data[0]);
  const std::string bytes =
      std::string(kPreface) + std::string(reinterpret_cast<const char*>(data + 1), size - 1);
  {
    crisp::grpcserver::Session session(options, [&](int32_t id) { woken.push_back(id); });
    for (size_t at = 0; at < bytes.size(); at += piece) {
      if (!session.Receive(absl::string_view(bytes).substr(at, piece)).ok()) break;
      std::string out;
      session.Send(&out, SIZE_MAX);
      // Half of them run while the connection is there, the rest after it has gone.
      if (handlers.size() > 1) {
        handlers.front()();
        handlers.pop_front();
      }
      for (; !woken.empty(); woken.pop_front()) session.Resume(woken.front());
      session.Send(&out, SIZE_MAX);
      if (session.done()) break;
    }
  }
  for (const auto& handler : handlers) handler();
  return 0;
}
