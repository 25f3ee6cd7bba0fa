#include "cri/spec/text_files.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(RenderHostname, OneLine) {
  EXPECT_THAT(RenderHostname("web-0"), IsOkAndHolds("web-0\n"));
  for (const std::string& bad :
       {std::string(), std::string("a\nb"), std::string("a\\nb"), std::string("a\0b", 3),
        std::string("a b"), std::string("a:b"), std::string("-a"), std::string(65, 'a')}) {
    EXPECT_THAT(RenderHostname(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(RenderHosts, NamesThePod) {
  ASSERT_OK_AND_ASSIGN(std::string text, RenderHosts("web", {"10.85.0.2", "fd00::2"}));
  EXPECT_THAT(text, HasSubstr("127.0.0.1\tlocalhost\n"));
  EXPECT_THAT(text, EndsWith("10.85.0.2\tweb\nfd00::2\tweb\n"));
  ASSERT_OK_AND_ASSIGN(text, RenderHosts("web.example.org", {"10.85.0.2"}));
  EXPECT_THAT(text, EndsWith("10.85.0.2\tweb.example.org web\n"));
  EXPECT_FALSE(RenderHosts("web", {"10.0.0.1\n1.1.1.1 bank"}).ok());
  EXPECT_FALSE(RenderHosts("web", {"10.0.0.1/24"}).ok());
  EXPECT_FALSE(RenderHosts("web\n1.1.1.1 bank", {}).ok());
}

TEST(RenderResolvConf, FromTheRequestOrTheHost) {
  runtime::v1::PodSandboxConfig config;
  EXPECT_THAT(RenderResolvConf(config, "nameserver 9.9.9.9\n"),
              IsOkAndHolds("nameserver 9.9.9.9\n"));
  auto* dns = config.mutable_dns_config();
  EXPECT_THAT(RenderResolvConf(config, "host"), IsOkAndHolds("host"));
  dns->add_servers("10.0.0.10");
  dns->add_servers("fe80::1%eth0");
  dns->add_searches("ns.svc.cluster.local");
  dns->add_searches("cluster.local");
  dns->add_options("ndots:5");
  EXPECT_THAT(RenderResolvConf(config, "host"),
              IsOkAndHolds("search ns.svc.cluster.local cluster.local\nnameserver 10.0.0.10\n"
                           "nameserver fe80::1%eth0\noptions ndots:5\n"));
  dns->add_options("debug\nnameserver 6.6.6.6");
  EXPECT_THAT(
      RenderResolvConf(config, "host"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.dns_config.options[1]")));
}

}  // namespace
}  // namespace crisp::cri
