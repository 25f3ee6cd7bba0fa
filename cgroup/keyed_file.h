// A kernel file of "key value" lines, as memory.stat is, or of a single number.
//
// A file that is missing, and a line that is, reads as zero: what a kernel does not
// count is not there.
//
// Ownership: a value. Threads: no sharing without a lock of the caller's.
#ifndef CRISP_CGROUP_KEYED_FILE_H_
#define CRISP_CGROUP_KEYED_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace crisp::cgroup {

class KeyedFile {
 public:
  explicit KeyedFile(const std::string& path);
  KeyedFile(const KeyedFile&) = delete;  // The keys point into text_.
  KeyedFile& operator=(const KeyedFile&) = delete;

  bool exists() const { return exists_; }
  uint64_t Value(absl::string_view key) const;

 private:
  bool exists_ = false;
  std::string text_;
  std::vector<std::pair<absl::string_view, uint64_t>> values_;  // Keys in text_.
};

// The file's one number; "max" and v1's words for it are kUnlimited (stats.h). None if
// the file is missing or says something else.
std::optional<uint64_t> ReadCount(const std::string& path);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_KEYED_FILE_H_
