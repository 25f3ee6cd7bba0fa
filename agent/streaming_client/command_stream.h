// Exec and attach as a client: joins a terminal, or pipes, to a command in a container
// over the URL that CRI's Exec or Attach answered.
//
// WebSocket, v5.channel.k8s.io or v4: one byte of channel before each message. Only v5
// can say that stdin has ended.
//
// Ownership: borrows descriptors and never changes their flags: they are shared with the
//            shell.
// Threads:   blocks until the command or the connection ends; one thread beside reads
//            stdin. SIGWINCH, and where asked SIGINT, SIGTERM and SIGHUP, are handled
//            meanwhile.
// Errors:    Unavailable when the stream breaks; Internal with what the runtime said.
//            A command that fails is no error: see exit_code.
#ifndef CRISP_AGENT_STREAMING_CLIENT_COMMAND_STREAM_H_
#define CRISP_AGENT_STREAMING_CLIENT_COMMAND_STREAM_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cli {

struct CommandStreamOptions {
  int in_fd = -1;        // Whose bytes are sent; -1: none.
  int terminal_fd = -1;  // Whose size is sent, now and when it changes; -1: none.
  // Ctrl-P Ctrl-Q on in_fd ends the stream and leaves the command running.
  bool detach_keys = false;
  bool catch_signals = false;
  std::function<void(absl::string_view bytes)> out, err;
};

struct CommandEnd {
  int exit_code = 0;
  bool detached = false;
  int signal = 0;  // That ended the stream; the command may run on.
};

absl::StatusOr<CommandEnd> StreamCommand(const std::string& url,
                                         const CommandStreamOptions& options);

// What the error channel's Status says: the exit code, or why there is none.
absl::StatusOr<int> ParseStreamStatus(absl::string_view text);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_COMMAND_STREAM_H_
