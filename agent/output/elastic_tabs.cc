#include "agent/output/elastic_tabs.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"

namespace crisp::cli {
namespace {

constexpr size_t kPadding = 2;

using Line = std::vector<std::string>;

// Pads column `at` of lines [begin, end), run by run, then the columns after it.
void Align(std::vector<Line>& lines, size_t begin, size_t end, size_t at) {
  const auto has_cell = [&](size_t i) { return lines[i].size() > at + 1; };
  for (size_t i = begin; i < end;) {
    if (!has_cell(i)) {
      ++i;
      continue;
    }
    size_t last = i, width = 0;
    for (; last < end && has_cell(last); ++last)
      width = std::max(width, CountCodePoints(lines[last][at]));
    for (size_t k = i; k < last; ++k) {
      std::string& cell = lines[k][at];
      // A column of nothing takes no room.
      if (width > 0) cell.append(width + kPadding - CountCodePoints(cell), ' ');
    }
    Align(lines, i, last, at + 1);
    i = last;
  }
}

}  // namespace

std::string ElasticTabs(absl::string_view text) {
  std::vector<Line> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.push_back(absl::StrSplit(line, '\t'));
  }
  Align(lines, 0, lines.size(), 0);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line;
    for (const std::string& cell : lines[i]) line += cell;
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, line, i + 1 < lines.size() ? "\n" : "");
  }
  return out;
}

}  // namespace crisp::cli
