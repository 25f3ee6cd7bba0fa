// What shim, worker and init say to each other, over SOCK_SEQPACKET pairs.
//
//   shim            worker            init
//     │ fork ─────────▶│                │
//     │◀── kCgroup ────│                │   the one that is about to be made (not an exec)
//     │                │ clone3 ───────▶│
//     │                │── kContinue ──▶│   its id maps are written
//     │                │◀── kHooks ─────│   namespaces and mounts are made (not an exec)
//     │                │── kContinue ──▶│   prestart and createRuntime hooks have run; pid
//     │                │◀── kReady ─────│   confined; with the terminal's master
//     │                │                │   (an exec: before it confines itself)
//     │◀── kCreated ───│ exits          │   pid, pidfd, terminal, facts
//     │── kStart ──────────────────────▶│   (an exec: kContinue from the worker)
//     │◀── end of file ─────────────────│   execve closed the socket
//
// kFailed may come instead of any message that goes up: from init through the worker,
// which tidies up first, and after kCreated straight home. An end of file instead of a
// message means that the sender died.
//
// Threads: free functions.
// Errors:  errno kept; DataLoss for a message that is none; Unavailable at end of file.
#ifndef CRISP_SHIM_LAUNCH_PROTOCOL_H_
#define CRISP_SHIM_LAUNCH_PROTOCOL_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::shim {

// Where a launch failed; StepName is what its error begins with.
enum class Step : uint32_t {
  kSpec,
  kSeccomp,
  kCgroup,
  kRootfs,
  kMountSources,
  kNamespaces,
  kClone,
  kIdMaps,
  kMounts,
  kDevices,
  kTerminal,
  kHooks,
  kPivotRoot,
  kHostname,
  kSysctl,
  kMaskedPaths,
  kLabels,
  kLimits,
  kUser,
  kCapabilities,
  kWorkingDirectory,
  kExec,
  kProtocol,
};
inline constexpr Step kLastStep = Step::kProtocol;
const char* StepName(Step step);

enum class MessageKind : uint32_t {
  kFailed = 1,
  kCreated,
  kStart,
  kContinue,
  kHooks,
  kReady,
  kCgroup,
};
inline constexpr MessageKind kLastMessageKind = MessageKind::kCgroup;

struct Message {
  MessageKind kind = MessageKind::kFailed;
  Step step = Step::kProtocol;  // kFailed.
  absl::Status failure;         // kFailed; without the step's name.
  pid_t pid = 0;                // kCreated and kContinue: of init, on the host.
  std::string body;             // kCreated: facts, encoded. kCgroup: its path.
  std::vector<UniqueFd> fds;    // kCreated: pidfd, terminal. kReady: terminal.
};

// A message's bytes without its descriptors, and back.
std::string EncodeMessage(const Message& message);
absl::StatusOr<Message> DecodeMessage(absl::string_view bytes);

absl::Status SendMessage(int socket, const Message& message);
absl::Status SendKind(int socket, MessageKind kind);
absl::Status SendFailure(int socket, Step step, const absl::Status& failure);

// Blocks unless the socket does not. EAGAIN keeps its errno.
absl::StatusOr<Message> ReceiveMessage(int socket);
// A kFailed becomes its Status, any kind but `kind` an error.
absl::StatusOr<Message> Expect(int socket, MessageKind kind);

// The failure with its step in front, as a Launch's caller sees it.
absl::Status WithStep(Step step, const absl::Status& failure);

struct SocketPair {
  UniqueFd first, second;
};
absl::StatusOr<SocketPair> MakeSocketPair();

// Values in a message or in ContainerFacts: 32-bit numbers and strings by length.
class WireWriter {
 public:
  void Number(uint32_t value);
  void Text(absl::string_view text);
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class WireReader {
 public:
  explicit WireReader(absl::string_view bytes) : rest_(bytes) {}
  uint32_t Number();
  std::string Text();
  // DataLoss if anything was short or is left over.
  absl::Status Done() const;

 private:
  absl::string_view rest_;
  bool short_ = false;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_PROTOCOL_H_
