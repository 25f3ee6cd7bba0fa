#include "agent/commands/session.h"

#include "absl/strings/str_replace.h"

namespace crisp::agent {

void Session::Report(const absl::Status& status) {
  if (status.ok()) return;
  err << "crisp: error: "
      << absl::StrReplaceAll(status.message(), {{"\n", " "}, {"\r", " "}, {"\x1b", "?"}}) << "\n";
  exit_code = 1;
}

}  // namespace crisp::agent
