// What attackers do, for tests: exchange a directory and a link behind a runtime's back,
// as fast as they can.
//
// Ownership: a Swapper owns its process and ends it.
#ifndef CRISP_TESTS_SECURITY_ATTACK_H_
#define CRISP_TESTS_SECURITY_ATTACK_H_

#include <sys/types.h>

#include <string>

namespace crisp::security {

// Of a race: 500, or 10,000 with CRISP_NIGHTLY=1.
int Rounds();

// Exchanges two paths on the host until it is destroyed, as a container that shares the
// volume would.
class Swapper {
 public:
  Swapper(const std::string& first, const std::string& second);
  ~Swapper();
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

 private:
  pid_t pid_ = -1;
};

// Reaps the children that have ended: of a launch that failed nobody knows init's pid, and ten
// thousand zombies slow down all who read /proc.
void ReapEnded();

// Every path below `directory` with its inode and what it is.
std::string Listing(const std::string& directory);

// The host's mounts that have to do with `path`: others come and go meanwhile.
std::string HostMountsOf(const std::string& path);

}  // namespace crisp::security

#endif  // CRISP_TESTS_SECURITY_ATTACK_H_
