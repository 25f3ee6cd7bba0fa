#include "agent/node_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "base/file.h"

namespace crisp::agent {
namespace {

std::string FirstAddress() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return "";
  const absl::Cleanup release = [list] { ::freeifaddrs(list); };
  for (const int family : {AF_INET, AF_INET6}) {
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != family) continue;
      if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
      const void* address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
      if (family == AF_INET6) {
        const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
        if (IN6_IS_ADDR_LINKLOCAL(&v6)) continue;
        address = &v6;
      }
      char text[INET6_ADDRSTRLEN] = {};
      if (::inet_ntop(family, address, text, sizeof(text)) != nullptr) return text;
    }
  }
  return "";
}

}  // namespace

NodeFacts ReadNodeFacts() {
  NodeFacts facts;
  char name[256] = {};
  if (::gethostname(name, sizeof(name) - 1) == 0) facts.name = absl::AsciiStrToLower(name);
  facts.ip = FirstAddress();
  if (auto text = ReadFile("/etc/resolv.conf", 1 << 20); text.ok()) {
    facts.resolv_conf = *std::move(text);
  }
  struct sysinfo info = {};
  if (::sysinfo(&info) == 0) {
    facts.memory_bytes = static_cast<int64_t>(info.totalram) * info.mem_unit;
  }
  facts.cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  return facts;
}

}  // namespace crisp::agent
