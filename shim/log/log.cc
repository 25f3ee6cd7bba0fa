#include "shim/log/log.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace crisp::shim {
namespace {

UniqueFd& Target() {
  static UniqueFd* const target = new UniqueFd();
  return *target;
}
bool g_debug = false;

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == 0x7f) return true;
  }
  return false;
}

void Write(absl::string_view level, absl::string_view message,
           std::initializer_list<LogField> fields) {
  if (!Target().ok()) return;
  std::string line = absl::StrCat(
      "time=\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", absl::Now(), absl::UTCTimeZone()),
      "\" level=", level, " msg=\"", absl::Utf8SafeCEscape(message), "\"");
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      absl::StrAppend(&line, field.value);
    }
  }
  line.push_back('\n');
  (void)!::write(Target().get(), line.data(), line.size());
}

}  // namespace

void LogTo(UniqueFd fd) { Target() = std::move(fd); }
void LogDebugToo(bool enabled) { g_debug = enabled; }

void LogDebug(absl::string_view message, std::initializer_list<LogField> fields) {
  if (g_debug) Write("debug", message, fields);
}
void LogInfo(absl::string_view message, std::initializer_list<LogField> fields) {
  Write("info", message, fields);
}
void LogWarn(absl::string_view message, std::initializer_list<LogField> fields) {
  Write("warning", message, fields);
}

}  // namespace crisp::shim
