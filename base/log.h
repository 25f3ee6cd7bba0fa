// Structured log lines: a constant sentence and named values.
//
//   LogInfo("pod sandbox is ready", {{"pod", name}, {"ms", elapsed_ms}});
//
// Library code returns a Status; RPC handlers, background loops and main log.
// Credentials never go into a field.
//
// Threads: any. Lines are written whole to stderr.
#ifndef CRISP_BASE_LOG_H_
#define CRISP_BASE_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace crisp {

struct LogField {
  LogField(absl::string_view k, absl::string_view v) : key(k), value(v) {}
  LogField(absl::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(absl::string_view k, const char* v) : key(k), value(v) {}
  LogField(absl::string_view k, const absl::Status& v) : key(k), value(v.ToString()) {}
  LogField(absl::string_view k, absl::Duration v) : key(k), value(absl::FormatDuration(v)) {}
  template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  LogField(absl::string_view k, T v) : key(k), value(absl::StrCat(v)) {}

  absl::string_view key;
  std::string value;
};

enum class LogFormat { kText, kJson };

// `level`: trace, debug, info, warn, error. InvalidArgument for another word.
// Before the first call lines of level info and above go out as text.
absl::Status ConfigureLog(absl::string_view level, LogFormat format);

void LogDebug(absl::string_view message, std::initializer_list<LogField> fields = {});
void LogInfo(absl::string_view message, std::initializer_list<LogField> fields = {});
void LogWarn(absl::string_view message, std::initializer_list<LogField> fields = {});
void LogError(absl::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace crisp

#endif  // CRISP_BASE_LOG_H_
