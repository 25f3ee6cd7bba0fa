#include "tests/security/attack.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace crisp::security {

int Rounds() {
  const char* nightly = std::getenv("CRISP_NIGHTLY");
  return nightly != nullptr && std::string(nightly) == "1" ? 10000 : 500;
}

Swapper::Swapper(const std::string& first, const std::string& second) {
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  while (true) {
    ::renameat2(AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE);
  }
}

Swapper::~Swapper() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ReapEnded() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

std::string Listing(const std::string& directory) {
  std::set<std::string> lines;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat st;
    if (::lstat(entry.path().c_str(), &st) == 0) {
      lines.insert(absl::StrCat(entry.path().string(), " ", st.st_ino, " ", st.st_mode, " ",
                                st.st_size, " ", st.st_nlink));
    }
  }
  return absl::StrJoin(lines, "\n");
}

std::string HostMountsOf(const std::string& path) {
  const std::string table = *ReadFile("/proc/self/mountinfo");
  std::string out;
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    if (absl::StrContains(line, path)) absl::StrAppend(&out, line, "\n");
  }
  return out;
}

}  // namespace crisp::security
