#include "cgroup/keyed_file.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "cgroup/stats.h"

namespace crisp::cgroup {

KeyedFile::KeyedFile(const std::string& path) {
  auto text = ReadFile(path, 1 << 20);
  if (!text.ok()) return;
  exists_ = true;
  text_ = *std::move(text);
  for (absl::string_view line : absl::StrSplit(text_, '\n', absl::SkipEmpty())) {
    const size_t space = line.find(' ');
    uint64_t value;
    if (space != line.npos && absl::SimpleAtoi(line.substr(space + 1), &value)) {
      values_.emplace_back(line.substr(0, space), value);
    }
  }
}

uint64_t KeyedFile::Value(absl::string_view key) const {
  for (const auto& [name, value] : values_) {
    if (name == key) return value;
  }
  return 0;
}

std::optional<uint64_t> ReadCount(const std::string& path) {
  // v1 rounds "no limit" down to a page below 2^63.
  constexpr uint64_t kUnlimitedFrom = uint64_t{1} << 62;
  const auto text = ReadFile(path, 4096);
  if (!text.ok()) return std::nullopt;
  const absl::string_view word = absl::StripSuffix(*text, "\n");
  if (word == "max" || word == "-1") return kUnlimited;
  uint64_t value;
  if (!absl::SimpleAtoi(word, &value)) return std::nullopt;
  return value >= kUnlimitedFrom ? kUnlimited : value;
}

}  // namespace crisp::cgroup
