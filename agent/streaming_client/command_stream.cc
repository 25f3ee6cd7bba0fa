#include "agent/streaming_client/command_stream.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/streaming_client/input_reader.h"
#include "agent/streaming_client/web_socket_connect.h"

namespace crisp::cli {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

enum : char { kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4, kClose = '\xff' };

constexpr char kProtocols[] = "v5.channel.k8s.io, v4.channel.k8s.io";
constexpr size_t kMaxStatus = 64 << 10;
constexpr char kCtrlP = 0x10, kCtrlQ = 0x11;

// Cuts a chunk at Ctrl-P Ctrl-Q, which may come in two chunks.
class DetachKeys {
 public:
  // True if the keys came; `chunk` is then what stood before them.
  bool Filter(std::string* chunk) {
    std::string out;
    for (const char c : *chunk) {
      if (held_ && c == kCtrlQ) {
        *chunk = out;
        return true;
      }
      if (held_) out += kCtrlP;
      held_ = c == kCtrlP;
      if (!held_) out += c;
    }
    *chunk = out;
    return false;
  }

 private:
  bool held_ = false;
};

class CommandStream {
 public:
  explicit CommandStream(const CommandStreamOptions& options)
      : options_(options), socket_(io_), resized_(io_), ended_(io_) {}

  absl::StatusOr<CommandEnd> Run(const std::string& url) {
    CRISP_ASSIGN_OR_RETURN(const std::string protocol, ConnectWebSocket(url, kProtocols, &socket_));
    can_half_close_ = protocol == "v5.channel.k8s.io";
    WatchSignals();
    SendSize();
    if (options_.in_fd >= 0) {
      input_.emplace(options_.in_fd, [this](std::string chunk) {
        asio::post(io_, [this, chunk = std::move(chunk)]() mutable { OnInput(std::move(chunk)); });
      });
    }
    Read();
    io_.run();
    input_.reset();
    if (end_.detached || end_.signal != 0) return end_;
    if (!status_.has_value()) {
      return absl::UnavailableError(
          absl::StrCat("the stream ended before the command did", why_.empty() ? "" : ": ", why_));
    }
    CRISP_ASSIGN_OR_RETURN(end_.exit_code, ParseStreamStatus(*status_));
    return end_;
  }

 private:
  void WatchSignals() {
    error_code ignored;
    if (options_.terminal_fd >= 0) {
      resized_.add(SIGWINCH, ignored);
      AwaitResize();
    }
    if (options_.catch_signals) {
      for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ended_.add(signal, ignored);
      ended_.async_wait([this](const error_code& error, int signal) {
        if (error) return;
        end_.signal = signal;
        io_.stop();
      });
    }
  }

  void AwaitResize() {
    resized_.async_wait([this](const error_code& error, int) {
      if (error) return;
      SendSize();
      AwaitResize();
    });
  }

  void SendSize() {
    winsize size = {};
    if (options_.terminal_fd < 0 || ::ioctl(options_.terminal_fd, TIOCGWINSZ, &size) != 0) return;
    Send(absl::StrCat(std::string(1, kResize), "{\"Width\":", size.ws_col,
                      ",\"Height\":", size.ws_row, "}"));
  }

  void OnInput(std::string chunk) {
    if (chunk.empty()) {
      if (can_half_close_) Send(std::string({kClose, kStdin}));
      return;
    }
    if (options_.detach_keys && keys_.Filter(&chunk)) {
      end_.detached = true;
      io_.stop();
      return;
    }
    // The next chunk is read when this one is out.
    Send(std::string(1, kStdin) + chunk, /*is_input=*/true);
  }

  void Send(std::string message, bool is_input = false) {
    out_.push_back({std::move(message), is_input});
    if (out_.size() == 1) Write();
  }

  void Write() {
    socket_.async_write(asio::buffer(out_.front().bytes), [this](const error_code& error, size_t) {
      if (error) return;  // Reading fails too, and says why.
      if (out_.front().is_input) input_->Next();
      out_.pop_front();
      if (!out_.empty()) Write();
    });
  }

  void Read() {
    socket_.async_read(buffer_, [this](const error_code& error, size_t) {
      if (error) {
        if (error != boost::beast::websocket::error::closed) why_ = error.message();
        io_.stop();
        return;
      }
      const absl::string_view message(static_cast<const char*>(buffer_.data().data()),
                                      buffer_.size());
      if (message.size() > 1) OnMessage(message[0], message.substr(1));
      buffer_.clear();
      Read();
    });
  }

  void OnMessage(char channel, absl::string_view bytes) {
    if (channel == kStdout && options_.out) options_.out(bytes);
    if (channel == kStderr && options_.err) options_.err(bytes);
    if (channel != kError) return;
    if (!status_.has_value()) status_.emplace();
    absl::StrAppend(&*status_, bytes.substr(0, kMaxStatus - std::min(kMaxStatus, status_->size())));
  }

  struct Message {
    std::string bytes;
    bool is_input;
  };

  const CommandStreamOptions& options_;
  asio::io_context io_;
  WebSocket socket_;
  asio::signal_set resized_, ended_;
  boost::beast::flat_buffer buffer_;
  std::deque<Message> out_;  // The first is being written.
  std::optional<InputReader> input_;
  DetachKeys keys_;
  bool can_half_close_ = false;
  std::optional<std::string> status_;
  std::string why_;
  CommandEnd end_;
};

}  // namespace

absl::StatusOr<CommandEnd> StreamCommand(const std::string& url,
                                         const CommandStreamOptions& options) {
  return CommandStream(options).Run(url);
}

absl::StatusOr<int> ParseStreamStatus(absl::string_view text) {
  using nlohmann::json;
  const json status = json::parse(std::string(text), nullptr, /*allow_exceptions=*/false);
  if (!status.is_object()) {
    return absl::InternalError(absl::StrCat("the runtime said: ", text));
  }
  const auto text_of = [](const json& value, const char* field) {
    const auto found = value.find(field);
    return found != value.end() && found->is_string() ? found->get<std::string>() : "";
  };
  if (text_of(status, "status") == "Success") return 0;
  const auto details = status.find("details");
  if (details != status.end() && details->is_object() && details->contains("causes") &&
      text_of(status, "reason") == "NonZeroExitCode") {
    for (const json& cause : (*details)["causes"]) {
      int code = 0;
      if (cause.is_object() && text_of(cause, "reason") == "ExitCode" &&
          absl::SimpleAtoi(text_of(cause, "message"), &code)) {
        return code;
      }
    }
  }
  const std::string message = text_of(status, "message");
  return absl::InternalError(message.empty() ? "the command could not be run" : message);
}

}  // namespace crisp::cli
