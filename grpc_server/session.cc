#include "grpc_server/session.h"

#include <exception>
#include <new>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/from_exception.h"

namespace crisp::grpcserver {
namespace {

constexpr size_t kMaxRequestBytes = 16 << 20;
// A message may come whole before a handler takes it.
constexpr int32_t kWindowBytes = kMaxRequestBytes + (64 << 10);
constexpr uint32_t kMaxStreams = 1000;
constexpr uint32_t kMaxHeaderBytes = 64 << 10;
// Clients of gRPC's C core refuse headers of more than 8 KiB.
constexpr size_t kMaxStatusMessageBytes = 6 << 10;

absl::string_view View(const uint8_t* data, size_t size) {
  return absl::string_view(reinterpret_cast<const char*>(data), size);
}

// nghttp2 copies both, unless `flags` say otherwise.
nghttp2_nv Header(absl::string_view name, absl::string_view value,
                  uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          flags};
}

// Of literals.
nghttp2_nv Constant(absl::string_view name, absl::string_view value) {
  return Header(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

// Runs a handler.
template <typename Result, typename F>
Result Guard(F handler) {
  try {
    return handler();
  } catch (const std::exception& error) {
    return FromException(error);
  }
}

}  // namespace

struct Session::Stream {
  std::string unknown_path;  // If no method has it.
  bool post = false;
  bool grpc = false;                                   // By its content type.
  absl::Duration deadline = absl::InfiniteDuration();  // On the steady clock.
  const Methods::value_type* method = nullptr;         // With its path.
  MessageReader reader{kMaxRequestBytes};
  std::optional<std::string> request;     // Unary: the message, once it has come.
  std::shared_ptr<ServerCall> call;       // Once there is a handler.
  std::optional<OutgoingMessage> answer;  // If it was at hand.
  bool responding = false;                // Headers are on their way.
};

// What nghttp2 calls. User data is the session, a stream's user data its Stream.
struct Session::Callbacks {
  static Session* Self(void* user) { return static_cast<Session*>(user); }
  static Stream* StreamOf(nghttp2_session* http2, int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(http2, id));
  }

  static int OnBeginHeaders(nghttp2_session* http2, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_unique<Stream>();
    nghttp2_session_set_stream_user_data(http2, frame->hd.stream_id, stream.get());
    Self(user)->streams_[frame->hd.stream_id] = std::move(stream);
    return 0;
  }

  static int OnHeader(nghttp2_session* http2, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t flags,
                      void* user) {
    Stream* const stream = StreamOf(http2, frame->hd.stream_id);
    if (stream == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Self(user)->OnHeader(stream, View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnFrame(nghttp2_session* http2, const nghttp2_frame* frame, void* user) {
    const int32_t id = frame->hd.stream_id;
    Stream* const stream = StreamOf(http2, id);
    if (stream == nullptr) return 0;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      Self(user)->OnHeadersEnd(id, stream);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) Self(user)->OnRequestEnd(id, stream);
    return 0;
  }

  static int OnData(nghttp2_session* http2, uint8_t flags, int32_t id, const uint8_t* data,
                    size_t size, void* user) {
    nghttp2_session_consume_connection(http2, size);
    Stream* const stream = StreamOf(http2, id);
    if (stream != nullptr) Self(user)->OnData(id, stream, View(data, size));
    return 0;
  }

  static int OnFrameSent(nghttp2_session* http2, const nghttp2_frame* frame, void* user) {
    const int32_t id = frame->hd.stream_id;
    // The answer is complete, the question is not: nobody is to go on sending it.
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(http2, id) == 0) {
      nghttp2_submit_rst_stream(http2, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session* http2, int32_t id, uint32_t error, void* user) {
    const auto found = Self(user)->streams_.find(id);
    if (found == Self(user)->streams_.end()) return 0;
    if (found->second->call != nullptr) found->second->call->Cancel();
    Self(user)->streams_.erase(found);
    return 0;
  }

  static ssize_t Read(nghttp2_session* http2, int32_t id, uint8_t* buffer, size_t size,
                      uint32_t* flags, nghttp2_data_source* source, void* user) {
    auto* const stream = static_cast<Stream*>(source->ptr);
    size_t filled = 0;
    std::optional<absl::Status> ended;
    if (stream->answer.has_value()) {
      filled = stream->answer->Fill(buffer, size);
      if (stream->answer->sent()) ended = absl::OkStatus();
    } else {
      filled = stream->call->Fill(buffer, size);
      ended = stream->call->Ended();
    }
    if (ended.has_value()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      Self(user)->SubmitTrailers(id, *ended);
    } else if (filled == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(filled);
  }
};

Session::Session(const SessionOptions& options, Wake wake)
    : options_(options), wake_(std::make_shared<const Wake>(std::move(wake))) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) {
    throw std::bad_alloc();
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::OnFrameSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  // A stream's window opens when its handler has read.
  nghttp2_option_set_no_auto_window_update(option, 1);
  // Some clients give the socket's path as the authority, which HTTP's grammar refuses.
  // What matters of the headers is checked here.
  nghttp2_option_set_no_http_messaging(option, 1);
  // Else it keeps streams that have ended, as many as there may be at a time, for the tree of
  // priorities, which no gRPC client uses.
  nghttp2_option_set_no_closed_streams(option, 1);
  const int made = nghttp2_session_server_new2(&http2_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kWindowBytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes}};
  nghttp2_submit_settings(http2_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(http2_, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
}

Session::~Session() {
  CancelCalls();
  nghttp2_session_del(http2_);
}

void Session::CancelCalls() {
  cancelled_ = true;
  for (const auto& [id, stream] : streams_) {
    if (stream->call != nullptr) stream->call->Cancel();
  }
}

absl::Status Session::Receive(absl::string_view bytes) {
  const ssize_t n = nghttp2_session_mem_recv(http2_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                             bytes.size());
  if (n >= 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the client does not speak HTTP/2: ", nghttp2_strerror(static_cast<int>(n))));
}

void Session::Send(std::string* out, size_t enough) {
  const uint8_t* data = nullptr;
  while (out->size() < enough) {
    const ssize_t n = nghttp2_session_mem_send(http2_, &data);
    if (n <= 0) return;
    out->append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }
}

void Session::Drain() {
  nghttp2_submit_goaway(http2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(http2_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

bool Session::done() const {
  return nghttp2_session_want_read(http2_) == 0 && nghttp2_session_want_write(http2_) == 0;
}

void Session::OnHeader(Stream* stream, absl::string_view name, absl::string_view value) {
  if (name == ":path") {
    const auto found = options_.methods->find(value);
    stream->method = found == options_.methods->end() ? nullptr : &*found;
    if (stream->method == nullptr) stream->unknown_path = std::string(value);
  } else if (name == ":method") {
    stream->post = value == "POST";
  } else if (name == "content-type") {
    stream->grpc = absl::StartsWith(value, "application/grpc");
  } else if (name == "grpc-timeout") {
    stream->deadline =
        options_.clock->Steady() + ParseTimeout(value).value_or(absl::InfiniteDuration());
  }
}

void Session::OnHeadersEnd(int32_t id, Stream* stream) {
  if (!stream->post || !stream->grpc) {
    const nghttp2_nv headers[] = {Constant(":status", "415")};
    nghttp2_submit_response(http2_, id, headers, std::size(headers), nullptr);
    stream->responding = true;
    return;
  }
  if (stream->method == nullptr) {
    Refuse(
        id, stream,
        absl::UnimplementedError(absl::StrCat("this server has no method ", stream->unknown_path)));
    return;
  }
  if (stream->method->second.client_stream) Run(id, stream);
}

void Session::OnData(int32_t id, Stream* stream, absl::string_view data) {
  if (stream->responding) {
    nghttp2_session_consume_stream(http2_, id, data.size());
    return;
  }
  if (!stream->method->second.client_stream) {
    nghttp2_session_consume_stream(http2_, id, data.size());
  }
  while (!data.empty()) {
    absl::StatusOr<std::optional<std::string>> message = stream->reader.Next(&data);
    if (message.ok() && message->has_value() && stream->request.has_value()) {
      message = absl::InternalError("more than one message in a request that has one");
    }
    if (!message.ok()) {
      Refuse(id, stream, message.status());
      return;
    }
    if (!message->has_value()) continue;
    if (stream->method->second.client_stream) {
      stream->call->Deliver(**std::move(message));
    } else {
      stream->request = **std::move(message);
    }
  }
}

void Session::OnRequestEnd(int32_t id, Stream* stream) {
  if (stream->responding) return;
  if (stream->reader.midway()) {
    Refuse(id, stream, absl::InternalError("the request ends within a message"));
  } else if (stream->method->second.client_stream) {
    stream->call->EndRequest();
  } else if (!stream->request.has_value()) {
    Refuse(id, stream, absl::InternalError("the request has no message"));
  } else {
    Begin(id, stream);
  }
}

void Session::Begin(int32_t id, Stream* stream) {
  const Methods::value_type& method = *stream->method;
  if (method.second.at_hand) {
    using Answer = std::optional<absl::StatusOr<Message>>;
    const absl::Duration start = options_.clock->Steady();
    Answer answer = Guard<Answer>([&] { return method.second.at_hand(*stream->request); });
    if (answer.has_value()) {
      Answered(id, stream, start, *std::move(answer));
      return;
    }
  }
  Run(id, stream);
}

void Session::Answered(int32_t id, Stream* stream, absl::Duration start,
                       absl::StatusOr<Message> answer) {
  absl::StatusOr<OutgoingMessage> outgoing =
      answer.ok() ? OutgoingMessage::Make(*std::move(answer)) : answer.status();
  options_.observe({.path = stream->method->first,
                    .took = options_.clock->Steady() - start,
                    .status = outgoing.status(),
                    .abandoned = false});
  if (outgoing.ok()) {
    stream->answer = *std::move(outgoing);
    RespondBody(id, stream);
  } else {
    stream->responding = true;
    RespondStatus(id, outgoing.status());
  }
}

void Session::Run(int32_t id, Stream* stream) {
  stream->call = std::make_shared<ServerCall>(options_.clock, stream->deadline,
                                              std::move(stream->request).value_or(""), wake_, id);
  if (cancelled_) stream->call->Cancel();
  // The options outlive every handler; the session may not.
  options_.run([call = stream->call, &method = *stream->method, &options = options_] {
    const absl::Duration start = options.clock->Steady();
    const auto status = Guard<absl::Status>([&] { return method.second.run(*call); });
    options.observe({.path = method.first,
                     .took = options.clock->Steady() - start,
                     .status = status,
                     .abandoned = call->cancelled()});
    call->Finish(status);
  });
}

void Session::Refuse(int32_t id, Stream* stream, const absl::Status& status) {
  if (stream->call != nullptr) stream->call->Cancel();
  if (std::exchange(stream->responding, true)) {
    nghttp2_submit_rst_stream(http2_, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    return;
  }
  RespondStatus(id, status);
}

void Session::Resume(int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream* const stream = found->second.get();
  if (stream->call == nullptr) return;
  stream->call->TakeWake();
  if (const size_t consumed = stream->call->TakeConsumed(); consumed > 0) {
    nghttp2_session_consume_stream(http2_, id, consumed);
  }
  Respond(id, stream);
}

void Session::Respond(int32_t id, Stream* stream) {
  if (stream->responding) {
    nghttp2_session_resume_data(http2_, id);
    return;
  }
  const std::optional<absl::Status> ended = stream->call->Ended();
  if (ended.has_value() && !ended->ok()) {
    stream->responding = true;
    RespondStatus(id, *ended);
    return;
  }
  if (!ended.has_value() && !stream->call->has_output()) return;
  RespondBody(id, stream);
}

void Session::RespondBody(int32_t id, Stream* stream) {
  stream->responding = true;
  const nghttp2_nv headers[] = {Constant(":status", "200"),
                                Constant("content-type", "application/grpc")};
  nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = Callbacks::Read};
  nghttp2_submit_response(http2_, id, headers, std::size(headers), &body);
}

void Session::RespondStatus(int32_t id, const absl::Status& status) {
  const std::string code = absl::StrCat(static_cast<int>(status.code()));
  const std::string message = EncodeStatusMessage(status.message(), kMaxStatusMessageBytes);
  const nghttp2_nv headers[] = {Constant(":status", "200"),
                                Constant("content-type", "application/grpc"),
                                Header("grpc-status", code), Header("grpc-message", message)};
  nghttp2_submit_response(http2_, id, headers, std::size(headers), nullptr);
}

void Session::SubmitTrailers(int32_t id, const absl::Status& status) {
  if (status.ok()) {
    const nghttp2_nv trailers[] = {Constant("grpc-status", "0")};
    nghttp2_submit_trailer(http2_, id, trailers, std::size(trailers));
    return;
  }
  const std::string code = absl::StrCat(static_cast<int>(status.code()));
  const std::string message = EncodeStatusMessage(status.message(), kMaxStatusMessageBytes);
  const nghttp2_nv trailers[] = {Header("grpc-status", code), Header("grpc-message", message)};
  nghttp2_submit_trailer(http2_, id, trailers, std::size(trailers));
}

}  // namespace crisp::grpcserver
