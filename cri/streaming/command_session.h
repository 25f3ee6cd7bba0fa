// One exec or attach: a task's streams joined to a client's.
//
//   client stdin  ──▶ FIFO ──▶ process        end of input: TaskSession::CloseStdin
//   client stdout ◀── FIFO ◀── process        its end, then the exit code on the error
//   client resize ──▶ TaskSession::Resize     stream, ends the session
//
// Every arrow has one chunk under way: whoever is slow holds up the other end and
// nothing else.
//
// A client that goes away never kills: an attached container runs on; an executed
// process sees the end of its input, its output is read by nobody any more, and if it
// had a terminal it is told what every terminal's end tells: SIGHUP.
//
// Ownership: kept alive by its operations under way; owns the task's session, which it
//            destroys on a blocking thread.
// Threads:   the executor only.
// Errors:    all go to the client, on the error stream.
#ifndef CRISP_CRI_STREAMING_COMMAND_SESSION_H_
#define CRISP_CRI_STREAMING_COMMAND_SESSION_H_

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cri/streaming/client_stream.h"
#include "cri/streaming/resize_parser.h"
#include "cri/streaming/stream_context.h"
#include "cri/streaming/stream_request.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

// The client's side; null for a stream that was not asked for.
struct CommandStreams {
  std::shared_ptr<ClientStream> stdin, stdout, stderr, error, resize;
};

class CommandSession : public std::enable_shared_from_this<CommandSession> {
 public:
  // `finish` is called once, when everything has been written.
  CommandSession(const StreamContext& context, StreamRequest request, CommandStreams streams,
                 bool status_json, std::function<void()> finish);
  ~CommandSession();

  void Start();

  // The client has gone.
  void Abort();

 private:
  struct Output {
    explicit Output(const boost::asio::any_io_executor& executor) : fd(executor) {}
    boost::asio::posix::stream_descriptor fd;
    std::shared_ptr<ClientStream> stream;
    std::array<char, ClientStream::kMaxWrite> buffer;
    bool discard = false;  // The client has reset the stream.
    bool reading = false;  // Rather than writing to the client.
    bool ended = false;
  };
  using Opened = absl::StatusOr<std::shared_ptr<TaskSession>>;

  Opened Open();
  void OnOpened(Opened session);
  absl::Status TakeDescriptors();
  void PumpInput();
  void CloseInput();
  void PumpOutput(Output* output);
  void OnOutputEnd(Output* output);
  void PumpResize();
  void OnExit(const absl::StatusOr<int>& exit_code);
  void ArmDrain();
  void MaybeEnd();
  // Tells the client, and is done.
  void End(const absl::StatusOr<int>& exit_code);
  void Drop(bool hang_up);

  const StreamContext context_;
  const StreamRequest request_;
  const bool status_json_;
  CommandStreams streams_;
  std::function<void()> finish_;

  std::shared_ptr<TaskSession> session_;
  ExecSession* exec_ = nullptr;  // The same, of an exec.
  boost::asio::posix::stream_descriptor input_;
  std::string input_chunk_;
  Output stdout_, stderr_;
  ResizeParser resizes_;
  boost::asio::steady_timer drain_;
  std::optional<absl::StatusOr<int>> exit_code_;
  bool has_output_ = false;
  bool done_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_COMMAND_SESSION_H_
