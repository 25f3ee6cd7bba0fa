#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"

namespace crisp {
namespace {

std::atomic<LogFormat> g_format{LogFormat::kText};

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("crisp",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == 0x7f) return true;
  }
  return false;
}

void Write(spdlog::level::level_enum level, absl::string_view message,
           std::initializer_list<LogField> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(level)) return;
  if (g_format.load() == LogFormat::kJson) {
    nlohmann::ordered_json line;
    line["time"] = absl::FormatTime(absl::RFC3339_full, absl::Now(), absl::UTCTimeZone());
    line["level"] = std::string(spdlog::level::to_string_view(level).data());
    line["msg"] = std::string(message);
    for (const LogField& field : fields) line[std::string(field.key)] = field.value;
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    logger.log(level, spdlog::string_view_t(text.data(), text.size()));
    return;
  }
  std::string text(message);
  for (const LogField& field : fields) {
    absl::StrAppend(&text, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&text, "\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      absl::StrAppend(&text, field.value);
    }
  }
  logger.log(level, spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace

absl::Status ConfigureLog(absl::string_view level, LogFormat format) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  // from_str answers "off" for words that it does not know.
  if (parsed == spdlog::level::off) {
    return absl::InvalidArgumentError(
        absl::StrCat("log level '", level, "': want trace, debug, info, warn or error"));
  }
  g_format.store(format);
  Logger().set_level(parsed);
  if (format == LogFormat::kJson) Logger().set_pattern("%v");
  return absl::OkStatus();
}

void LogDebug(absl::string_view m, std::initializer_list<LogField> f) {
  Write(spdlog::level::debug, m, f);
}
void LogInfo(absl::string_view m, std::initializer_list<LogField> f) {
  Write(spdlog::level::info, m, f);
}
void LogWarn(absl::string_view m, std::initializer_list<LogField> f) {
  Write(spdlog::level::warn, m, f);
}
void LogError(absl::string_view m, std::initializer_list<LogField> f) {
  Write(spdlog::level::err, m, f);
}

}  // namespace crisp
