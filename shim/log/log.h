// The shim's own log, in logfmt as containerd writes it:
//
//   time="2023-11-14T22:13:20.123456789Z" level=warning msg="..." id=web error="..."
//
// Best effort: containerd's end is a FIFO that nobody may read. A line that does not fit
// is lost, and nothing ever waits.
//
// Threads: one.
#ifndef CRISP_SHIM_LOG_LOG_H_
#define CRISP_SHIM_LOG_LOG_H_

#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::shim {

struct LogField {
  LogField(absl::string_view k, absl::string_view v) : key(k), value(v) {}
  LogField(absl::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(absl::string_view k, const char* v) : key(k), value(v) {}
  LogField(absl::string_view k, const absl::Status& v) : key(k), value(v.ToString()) {}
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  LogField(absl::string_view k, T v) : key(k), value(absl::StrCat(v)) {}

  absl::string_view key;
  std::string value;
};

// Lines go to `fd` from here on, which does not block; before, they go nowhere.
void LogTo(UniqueFd fd);
void LogDebugToo(bool enabled);

void LogDebug(absl::string_view message, std::initializer_list<LogField> fields = {});
void LogInfo(absl::string_view message, std::initializer_list<LogField> fields = {});
void LogWarn(absl::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LOG_LOG_H_
