#include "shim/launch/protocol.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr size_t kMaxMessage = 128 << 10;
constexpr size_t kMaxFds = 4;

constexpr const char* kStepNames[] = {
    "spec",         "seccomp",         "cgroup",
    "rootfs",       "mount sources",   "namespaces",
    "clone",        "id maps",         "mounts",
    "devices",      "terminal",        "hooks",
    "pivot",        "hostname",        "sysctl",
    "masked paths", "labels",          "limits",
    "user",         "capabilities",    "working directory",
    "exec",         "launch protocol",
};
static_assert(std::size(kStepNames) == static_cast<size_t>(kLastStep) + 1);

}  // namespace

const char* StepName(Step step) { return kStepNames[static_cast<size_t>(step)]; }

void WireWriter::Number(uint32_t value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void WireWriter::Text(absl::string_view text) {
  Number(static_cast<uint32_t>(text.size()));
  out_.append(text.data(), text.size());
}

uint32_t WireReader::Number() {
  uint32_t value = 0;
  if (rest_.size() < sizeof(value)) {
    short_ = true;
    return 0;
  }
  std::memcpy(&value, rest_.data(), sizeof(value));
  rest_.remove_prefix(sizeof(value));
  return value;
}

std::string WireReader::Text() {
  const uint32_t size = Number();
  if (rest_.size() < size) {
    short_ = true;
    return "";
  }
  std::string out(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return out;
}

absl::Status WireReader::Done() const {
  if (short_ || !rest_.empty()) return absl::DataLossError("a malformed message");
  return absl::OkStatus();
}

std::string EncodeMessage(const Message& message) {
  WireWriter writer;
  writer.Number(static_cast<uint32_t>(message.kind));
  writer.Number(static_cast<uint32_t>(message.step));
  writer.Number(static_cast<uint32_t>(message.failure.raw_code()));
  writer.Number(static_cast<uint32_t>(ErrnoOf(message.failure)));
  writer.Number(static_cast<uint32_t>(message.pid));
  // A message that quotes what it was given can be long; its beginning says enough.
  writer.Text(message.failure.message().substr(0, 4096));
  writer.Text(message.body);
  return writer.Take();
}

absl::StatusOr<Message> DecodeMessage(absl::string_view bytes) {
  WireReader reader(bytes);
  Message out;
  const uint32_t kind = reader.Number();
  const uint32_t step = reader.Number();
  const uint32_t code = reader.Number();
  const uint32_t err = reader.Number();
  out.pid = static_cast<pid_t>(reader.Number());
  const std::string text = reader.Text();
  out.body = reader.Text();
  CRISP_RETURN_IF_ERROR(reader.Done());
  if (kind < static_cast<uint32_t>(MessageKind::kFailed) ||
      kind > static_cast<uint32_t>(kLastMessageKind) || step > static_cast<uint32_t>(kLastStep) ||
      code > static_cast<uint32_t>(absl::StatusCode::kUnauthenticated) || err > 4095) {
    return absl::DataLossError("a malformed message");
  }
  out.kind = static_cast<MessageKind>(kind);
  out.step = static_cast<Step>(step);
  if (out.kind != MessageKind::kFailed) return out;
  if (code == 0) return absl::DataLossError("a failure that is none");
  out.failure =
      WithErrno(absl::Status(static_cast<absl::StatusCode>(code), text), static_cast<int>(err));
  return out;
}

absl::Status SendMessage(int socket, const Message& message) {
  std::string bytes = EncodeMessage(message);
  iovec data = {bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!message.fds.empty()) {
    int fds[kMaxFds];
    const size_t count = message.fds.size();
    for (size_t i = 0; i < count; ++i) fds[i] = message.fds[i].get();
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
  }
  return Sys("send message", [&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); });
}

absl::Status SendKind(int socket, MessageKind kind) {
  Message message;
  message.kind = kind;
  return SendMessage(socket, message);
}

absl::Status SendFailure(int socket, Step step, const absl::Status& failure) {
  Message message;
  message.step = step;
  message.failure = failure;
  return SendMessage(socket, message);
}

absl::StatusOr<Message> ReceiveMessage(int socket) {
  CRISP_ASSIGN_OR_RETURN(const ssize_t size, SysValue("receive message", [&] {
                           return ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
                         }));
  if (size == 0) return absl::UnavailableError("the other side is gone");
  if (static_cast<size_t>(size) > kMaxMessage) return absl::DataLossError("a message too long");
  std::string bytes(static_cast<size_t>(size), '\0');
  iovec data = {bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  CRISP_RETURN_IF_ERROR(
      Sys("receive message", [&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC); }));
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  CRISP_ASSIGN_OR_RETURN(Message message, DecodeMessage(bytes));
  message.fds = std::move(fds);
  return message;
}

absl::StatusOr<Message> Expect(int socket, MessageKind kind) {
  CRISP_ASSIGN_OR_RETURN(Message message, ReceiveMessage(socket));
  if (message.kind == MessageKind::kFailed) return message.failure;
  if (message.kind != kind) return absl::DataLossError("a message out of order");
  return message;
}

absl::Status WithStep(Step step, const absl::Status& failure) {
  return Annotate(failure, StepName(step));
}

absl::StatusOr<SocketPair> MakeSocketPair() {
  int fds[2];
  CRISP_RETURN_IF_ERROR(Sys("socketpair", [&fds] {
    return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  }));
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace crisp::shim
