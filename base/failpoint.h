// Failpoints: named steps at which a test stops a program, to kill it or somebody else
// there and see what becomes of work that is interrupted at just that step.
//
//   CRISP_FAILPOINT("start_container/task made");
//
// They are in every build, so that what is tested is what ships, and inert: a step costs
// one load as long as the environment variable CRISP_FAILPOINTS was empty when the program
// started. Otherwise it names the board, a file that tests and programs map: the test
// writes there at which step to stop, the program where it has been
// (tests/integration/failpoints.py). Forked processes share the board, wherever they go.
//
// Ownership: the mapping lasts as long as the process.
// Threads:   safe, once EnableFailpoints has returned.
// Errors:    PermissionDenied unless root starts the program, and the file is root's alone:
//            who can write to it can stop the program. errno for a file that is none.
#ifndef CRISP_BASE_FAILPOINT_H_
#define CRISP_BASE_FAILPOINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp {

// A name for the list of the program's steps, and the step.
#define CRISP_FAILPOINT(name)                                                                  \
  do {                                                                                         \
    static const char* const crisp_failpoint [[gnu::used, gnu::section("crisp_failpoints")]] = \
        name;                                                                                  \
    ::crisp::ReachFailpoint(crisp_failpoint);                                                  \
  } while (false)

// Before the program starts threads. OK and nothing done for an empty or null path; a
// program passes its environment's CRISP_FAILPOINTS.
absl::Status EnableFailpoints(const char* path);

// What EnableFailpoints was given; empty while failpoints are inert. For children, which
// inherit no environment.
const std::string& FailpointBoard();

// Names of all CRISP_FAILPOINTs in this program, sorted.
std::vector<std::string> FailpointNames();

namespace internal {
struct FailpointBoardMap;
extern FailpointBoardMap* failpoint_board;
void ReachFailpoint(absl::string_view step);
}  // namespace internal

inline bool FailpointsEnabled() { return internal::failpoint_board != nullptr; }

// A step whose name is put together as it is reached; it is in no list.
inline void ReachFailpoint(absl::string_view step) {
  if (FailpointsEnabled()) internal::ReachFailpoint(step);
}

}  // namespace crisp

#endif  // CRISP_BASE_FAILPOINT_H_
