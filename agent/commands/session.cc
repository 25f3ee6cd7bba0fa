#include "agent/commands/session.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/output/table.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

// The word in parentheses of "Error from server (NotFound): ...".
const char* ReasonWord(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return "NotFound";
    case absl::StatusCode::kAlreadyExists:
      return "AlreadyExists";
    case absl::StatusCode::kInvalidArgument:
      return "BadRequest";
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return "Conflict";
    case absl::StatusCode::kUnimplemented:
      return "MethodNotAllowed";
    case absl::StatusCode::kUnavailable:
      return "ServiceUnavailable";
    case absl::StatusCode::kDeadlineExceeded:
      return "Timeout";
    case absl::StatusCode::kPermissionDenied:
      return "Forbidden";
    default:
      return "InternalError";
  }
}

}  // namespace

Session::Session(Streams streams, Clock* clock)
    : in(streams.in), out(streams.out), err(streams.err), streams(streams), clock(clock) {}

Session::~Session() = default;

AgentClient& Session::agent() {
  if (agent_ == nullptr) agent_ = std::make_unique<AgentClient>(agent_address);
  return *agent_;
}

absl::StatusOr<RuntimeClient*> Session::runtime() {
  if (runtime_ == nullptr) {
    std::string address = runtime_address;
    if (address.empty()) {
      CRISP_ASSIGN_OR_RETURN(const AgentInfo info, agent().Info());
      address = info.cri_address;
    }
    runtime_ = std::make_unique<RuntimeClient>(address);
  }
  return runtime_.get();
}

bool Session::IsTerminal(int fd) const { return fd >= 0 && ::isatty(fd) == 1; }

void Session::Report(const absl::Status& status) {
  if (status.ok()) return;
  exit_code = 1;
  const absl::string_view message = status.message();
  // The API server's own sentence stands alone: The Pod "web" is invalid: ...
  const bool sentence = absl::StartsWith(message, "The ") && absl::StrContains(message, " invalid");
  if (FromServer(status) && !sentence) {
    err << "Error from server (" << ReasonWord(status.code()) << "): ";
  } else if (!sentence) {
    err << "error: ";
  }
  if (sentence) {  // Several errors of one object stand on lines of their own.
    for (const absl::string_view line : absl::StrSplit(message, '\n')) {
      err << Printable(line) << "\n";
    }
  } else {
    err << Printable(message) << "\n";
  }
  err.flush();
}

void Session::Warn(const std::string& text) {
  err << "Warning: " << Printable(text) << "\n";
  err.flush();
}

}  // namespace crisp::cli
