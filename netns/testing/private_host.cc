#include "netns/testing/private_host.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "netns/rtnl.h"

namespace crisp::netns {
namespace {

std::string Enter() {
  if (::geteuid() != 0) return "needs root to make network namespaces";
  // The mount namespace too: what the tests pin disappears with them.
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return std::string("cannot unshare the network and mount namespaces: ") + std::strerror(errno);
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::string("cannot make mounts private: ") + std::strerror(errno);
  }
  auto rtnl = Rtnl::Open();
  if (!rtnl.ok()) return rtnl.status().ToString();
  const auto loopback = rtnl->FindLink("lo");
  if (!loopback.ok()) return loopback.status().ToString();
  return rtnl->SetUp(loopback->index).ok() ? "" : "cannot set lo up";
}

}  // namespace

std::string EnterPrivateHost() {
  static const std::string answer = Enter();
  return answer;
}

}  // namespace crisp::netns
