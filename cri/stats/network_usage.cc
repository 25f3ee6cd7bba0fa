#include "cri/stats/network_usage.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/utf8.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
// receive: bytes packets errs drop fifo frame compressed multicast; transmit: the same
// first four, and more.
constexpr size_t kColumns = 16;

}  // namespace

std::vector<InterfaceUsage> ParseNetDev(absl::string_view text) {
  std::vector<InterfaceUsage> interfaces;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const size_t colon = line.find(':');
    if (colon == line.npos) continue;  // The heading.
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(colon + 1), ' ', absl::SkipEmpty());
    // The pod names its interfaces, in any bytes; what is told of them is text.
    const std::string name = ToUtf8(absl::StripAsciiWhitespace(line.substr(0, colon)));
    if (words.size() < kColumns || name == "lo") continue;
    uint64_t columns[kColumns] = {};
    for (size_t i = 0; i < kColumns; ++i) (void)absl::SimpleAtoi(words[i], &columns[i]);
    interfaces.push_back({.name = name,
                          .rx_bytes = columns[0],
                          .rx_packets = columns[1],
                          .rx_errors = columns[2],
                          .rx_dropped = columns[3],
                          .tx_bytes = columns[8],
                          .tx_packets = columns[9],
                          .tx_errors = columns[10],
                          .tx_dropped = columns[11]});
  }
  return interfaces;
}

absl::StatusOr<std::vector<InterfaceUsage>> ReadNetworkUsage(pid_t pid,
                                                             const std::string& netns_path) {
  // One descriptor of the process: what is read through it is one process's, even if the
  // number goes to another.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd process, OpenDir(absl::StrCat("/proc/", pid)));
  struct stat own, pinned;
  CRISP_RETURN_IF_ERROR(
      Sys("stat ns/net", [&] { return ::fstatat(process.get(), "ns/net", &own, 0); }));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", netns_path), [&] { return ::stat(netns_path.c_str(), &pinned); }));
  if (own.st_ino != pinned.st_ino || own.st_dev != pinned.st_dev) {
    return absl::NotFoundError(absl::StrCat("process ", pid, " is not in the pod's network"));
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd file, SysFd("open net/dev", [&] {
                           return ::openat(process.get(), "net/dev", O_RDONLY | O_CLOEXEC);
                         }));
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadAll(file.get(), kMaxBytes));
  return ParseNetDev(text);
}

}  // namespace crisp::cri
