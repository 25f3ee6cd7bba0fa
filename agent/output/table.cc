#include "agent/output/table.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/utf8.h"

namespace crisp::cli {
namespace {

constexpr size_t kGap = 3;

// As kubectl shortens a cell of several lines.
std::string FirstLine(absl::string_view cell) {
  const size_t end = cell.find_first_of("\r\n");
  if (end == absl::string_view::npos) return std::string(cell);
  return absl::StrCat(cell.substr(0, end), "...");
}

std::string Two(int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
  if (small == 0) return absl::StrCat(large, large_unit);
  return absl::StrCat(large, large_unit, small, small_unit);
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // C1 controls, as UTF-8 writes them, move cursors too.
    const bool c1 = c == '\xC2' && i + 1 < text.size() && (text[i + 1] & 0xE0) == 0x80;
    if (c == '\n') {
      out += "\\n";
    } else if (absl::ascii_iscntrl(c) || c1) {
      absl::StrAppendFormat(&out, "\\%03o", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string TableWriter::Format(const std::vector<Row>& rows) {
  std::vector<Row> cells = rows;
  for (Row& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Printable(FirstLine(row[i]));
      if (widths_.size() <= i) widths_.push_back(0);
      widths_[i] = std::max(widths_[i], CountCodePoints(row[i]));
    }
  }
  std::string out;
  for (const Row& row : cells) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths_[i] - CountCodePoints(row[i]) + kGap, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string FormatTable(const std::vector<Row>& rows) { return TableWriter().Format(rows); }

std::string AgeSince(absl::Time time, absl::Time now) {
  return time == absl::InfinitePast() ? "<unknown>" : FormatAge(now - time);
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = absl::ToInt64Seconds(age);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return absl::StrCat(seconds, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 10) return Two(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return absl::StrCat(minutes, "m");
  const int64_t hours = minutes / 60;
  if (hours < 8) return Two(hours, "h", minutes % 60, "m");
  if (hours < 48) return absl::StrCat(hours, "h");
  const int64_t days = hours / 24;
  if (days < 8) return Two(days, "d", hours % 24, "h");
  if (days < 730) return absl::StrCat(days, "d");
  if (days < 2920) return Two(days / 365, "y", days % 365, "d");
  return absl::StrCat(days / 365, "y");
}

}  // namespace crisp::cli
