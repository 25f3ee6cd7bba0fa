#include "base/failpoint.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

// The linker's names for the ends of the section; there is none without a failpoint.
extern "C" {
extern const char* const __start_crisp_failpoints[] __attribute__((weak));
extern const char* const __stop_crisp_failpoints[] __attribute__((weak));
}

namespace crisp {
namespace internal {

// The file's layout, which tests/integration/failpoints.py knows, too.
struct FailpointBoardMap {
  enum State : uint32_t { kIdle, kArmed, kHeld, kReleased };

  std::atomic<uint32_t> state;  // The test arms and releases, a program holds.
  std::atomic<int32_t> skip;    // How often the step passes before it holds.
  std::atomic<uint32_t> pid;    // Who holds, in its own pid namespace.
  std::atomic<uint32_t> used;   // Bytes of `log`; more than it has: some are missing.
  char step[112];               // At which to hold; ends with a NUL.
  char log[(64 << 10) - 128];   // Lines: "+name" of a step that there is, "name" of one reached.
};
static_assert(sizeof(FailpointBoardMap) == 64 << 10);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

FailpointBoardMap* failpoint_board = nullptr;

namespace {

constexpr long kPollNs = 200'000;

void Log(FailpointBoardMap* board, absl::string_view mark, absl::string_view step) {
  const std::string line = absl::StrCat(mark, step, "\n");
  const uint32_t at = board->used.fetch_add(static_cast<uint32_t>(line.size()));
  if (at + line.size() <= sizeof(board->log))
    std::memcpy(board->log + at, line.data(), line.size());
}

bool IsArmed(const FailpointBoardMap& board, absl::string_view step) {
  return board.state.load() == FailpointBoardMap::kArmed &&
         step == absl::string_view(board.step, ::strnlen(board.step, sizeof(board.step)));
}

}  // namespace

void ReachFailpoint(absl::string_view step) {
  FailpointBoardMap* const board = failpoint_board;
  Log(board, "", step);
  if (!IsArmed(*board, step) || board->skip.fetch_sub(1) != 0) return;
  uint32_t armed = FailpointBoardMap::kArmed;
  // Told first: who sees kHeld finds the pid.
  board->pid.store(static_cast<uint32_t>(::getpid()));
  if (!board->state.compare_exchange_strong(armed, FailpointBoardMap::kHeld)) return;
  while (board->state.load() == FailpointBoardMap::kHeld) {
    const timespec pause = {0, kPollNs};
    (void)::nanosleep(&pause, nullptr);
  }
}

}  // namespace internal

namespace {

std::string& Path() {
  static std::string* const path = new std::string;
  return *path;
}

}  // namespace

const std::string& FailpointBoard() { return Path(); }

std::vector<std::string> FailpointNames() {
  std::vector<std::string> names;
  if (__start_crisp_failpoints != nullptr) {
    names.assign(__start_crisp_failpoints, __stop_crisp_failpoints);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::Status EnableFailpoints(const char* path) {
  using Board = internal::FailpointBoardMap;
  if (path == nullptr || *path == '\0') return absl::OkStatus();
  const std::string what = absl::StrCat("CRISP_FAILPOINTS ", path);
  if (::geteuid() != 0) {
    return absl::PermissionDeniedError(absl::StrCat(what, ": failpoints are for root's tests"));
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd file, SysFd(what, [path] {
                           return ::open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys(what, [&] { return ::fstat(file.get(), &st); }));
  if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(what, ": must be a file of root's alone"));
  }
  if (st.st_size != static_cast<off_t>(sizeof(Board))) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": must have ", sizeof(Board), " bytes"));
  }
  void* const mapped =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return ErrnoStatus(errno, what);
  auto* const board = static_cast<Board*>(mapped);
  for (const std::string& name : FailpointNames()) internal::Log(board, "+", name);
  Path() = path;
  internal::failpoint_board = board;
  return absl::OkStatus();
}

}  // namespace crisp
