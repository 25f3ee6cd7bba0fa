// Puts the whole test program into a network namespace of its own, so that bridges,
// rules and sysctls never touch the machine's network.
#ifndef CRISP_NETNS_TESTING_PRIVATE_HOST_H_
#define CRISP_NETNS_TESTING_PRIVATE_HOST_H_

#include <string>

namespace crisp::netns {

// Call from main's thread before any other exists; later calls repeat the first
// one's answer. Empty if it worked, else why the tests cannot run here.
std::string EnterPrivateHost();

// For SetUp: skips, aloud, what EnterPrivateHost could not make possible.
#define CRISP_SKIP_WITHOUT_PRIVATE_HOST()                          \
  do {                                                             \
    const std::string reason = ::crisp::netns::EnterPrivateHost(); \
    if (!reason.empty()) GTEST_SKIP() << reason;                   \
  } while (false)

}  // namespace crisp::netns

#endif  // CRISP_NETNS_TESTING_PRIVATE_HOST_H_
