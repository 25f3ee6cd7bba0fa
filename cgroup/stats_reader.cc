#include "cgroup/stats_reader.h"

#include <dirent.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"

namespace crisp::cgroup {
namespace {

// "avg10=0.00 avg60=0.00 avg300=0.00 total=0"
bool ParseLine(absl::string_view text, Pressure::Line* out) {
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const auto number = [&](absl::string_view key, auto parse, auto* to) {
      return absl::ConsumePrefix(&word, key) && parse(word, to);
    };
    if (!number("avg10=", absl::SimpleAtod, &out->avg10) &&
        !number("avg60=", absl::SimpleAtod, &out->avg60) &&
        !number("avg300=", absl::SimpleAtod, &out->avg300) &&
        !number("total=", absl::SimpleAtoi<uint64_t>, &out->total_us)) {
      return false;
    }
  }
  return true;
}

std::optional<Pressure> PressureFile(const std::string& directory, const char* name) {
  const auto text = ReadFile(JoinPath(directory, name), 4096);
  return text.ok() ? ParsePressure(*text) : std::nullopt;
}

}  // namespace

std::optional<Pressure> ParsePressure(absl::string_view text) {
  Pressure pressure;
  bool some = false;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::ConsumePrefix(&line, "some ")) {
      if (!ParseLine(line, &pressure.some)) return std::nullopt;
      some = true;
    } else if (absl::ConsumePrefix(&line, "full ")) {
      if (!ParseLine(line, &pressure.full)) return std::nullopt;
    }
  }
  if (!some) return std::nullopt;
  return pressure;
}

void ReadPressure(const std::string& directory, Stats* stats) {
  stats->cpu.pressure = PressureFile(directory, "cpu.pressure");
  stats->memory.pressure = PressureFile(directory, "memory.pressure");
  stats->io_pressure = PressureFile(directory, "io.pressure");
}

std::vector<std::string> HugepageSizes(const std::string& directory, absl::string_view suffix) {
  std::vector<std::string> sizes;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), &::closedir);
  if (dir == nullptr) return sizes;
  while (const dirent* entry = ::readdir(dir.get())) {
    absl::string_view name = entry->d_name;
    if (absl::ConsumePrefix(&name, "hugetlb.") && absl::ConsumeSuffix(&name, suffix) &&
        !absl::StrContains(name, '.')) {
      sizes.emplace_back(name);
    }
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace crisp::cgroup
