#include "cri/images/registry/hosts.h"

#include <cstdlib>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class HostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string made = ::testing::TempDir() + "/hosts-XXXXXX";
    ASSERT_NE(::mkdtemp(made.data()), nullptr);
    root_ = made;
  }
  void TearDown() override { EXPECT_OK(RemoveTree(root_)); }

  void Write(const std::string& dir, const std::string& name, const std::string& text) {
    ASSERT_OK(MakeDirs(JoinPath(root_, dir), 0755));
    ASSERT_OK(WriteFileAtomic(JoinPath(JoinPath(root_, dir), name), text, 0644));
  }
  std::string root_;
};

TEST_F(HostsTest, WithoutAFileTheRegistryItself) {
  ASSERT_OK_AND_ASSIGN(auto docker, EndpointsFor("docker.io", {root_}));
  ASSERT_THAT(docker, SizeIs(1));
  EXPECT_EQ(docker[0].url, "https://registry-1.docker.io/v2");
  EXPECT_FALSE(docker[0].plain_http_fallback);
  ASSERT_OK_AND_ASSIGN(auto local, EndpointsFor("localhost:5000", {root_}));
  EXPECT_EQ(local[0].url, "https://localhost:5000/v2");
  EXPECT_TRUE(local[0].plain_http_fallback);
  EXPECT_TRUE(local[0].tls.skip_verify);
  ASSERT_OK_AND_ASSIGN(auto named, EndpointsFor("notlocalhost:5000", {root_}));
  EXPECT_FALSE(named[0].plain_http_fallback);
}

TEST_F(HostsTest, MirrorsInTheOrderOfTheFile) {
  Write("docker.io", "hosts.toml", R"(
server = "https://registry-1.docker.io"
[host."https://z.example"]
  capabilities = ["pull"]
  ca = "z.crt"
  client = [["c.pem", "/abs/k.pem"]]
  dial_timeout = "3s"
  [host."https://z.example".header]
    X-One = ["a", "b"]
[host."http://a.example:5000/prefix/v2"]
  override_path = true
  skip_verify = true
)");
  ASSERT_OK_AND_ASSIGN(auto hosts, EndpointsFor("docker.io", {"/nonexistent", root_}));
  ASSERT_THAT(hosts, SizeIs(3));
  EXPECT_EQ(hosts[0].url, "https://z.example/v2");
  EXPECT_TRUE(hosts[0].can_pull);
  EXPECT_FALSE(hosts[0].can_resolve);
  EXPECT_EQ(hosts[0].namespace_query, "docker.io");
  EXPECT_THAT(hosts[0].tls.ca_files, ElementsAre(root_ + "/docker.io/z.crt"));
  EXPECT_EQ(hosts[0].tls.client_cert_file, root_ + "/docker.io/c.pem");
  EXPECT_EQ(hosts[0].tls.client_key_file, "/abs/k.pem");
  EXPECT_EQ(hosts[0].connect_timeout, absl::Seconds(3));
  EXPECT_THAT(hosts[0].headers, SizeIs(2));
  EXPECT_EQ(hosts[1].url, "http://a.example:5000/prefix/v2");
  EXPECT_TRUE(hosts[1].tls.skip_verify);
  EXPECT_EQ(hosts[2].url, "https://registry-1.docker.io/v2");
  EXPECT_EQ(hosts[2].namespace_query, "");
}

TEST_F(HostsTest, DirectoriesForPortsAndTheDefault) {
  Write("reg.example_5000_", "hosts.toml", "[host.\"https://underscore\"]\n");
  Write("_default", "hosts.toml", "[host.\"https://fallback\"]\n");
  ASSERT_OK_AND_ASSIGN(auto port, EndpointsFor("reg.example:5000", {root_}));
  ASSERT_THAT(port, SizeIs(2));
  EXPECT_EQ(port[0].url, "https://underscore/v2");
  EXPECT_EQ(port[1].url, "https://reg.example:5000/v2");
  ASSERT_OK_AND_ASSIGN(auto other, EndpointsFor("other.example", {root_}));
  ASSERT_THAT(other, SizeIs(2));
  EXPECT_EQ(other[0].url, "https://fallback/v2");
  EXPECT_EQ(other[0].namespace_query, "other.example");
}

TEST_F(HostsTest, DockersLayout) {
  Write("reg.example", "ca.crt", "x");
  Write("reg.example", "client.cert", "x");
  Write("reg.example", "client.key", "x");
  ASSERT_OK_AND_ASSIGN(auto hosts, EndpointsFor("reg.example", {root_}));
  ASSERT_THAT(hosts, SizeIs(1));
  EXPECT_THAT(hosts[0].tls.ca_files, ElementsAre(root_ + "/reg.example/ca.crt"));
  EXPECT_EQ(hosts[0].tls.client_cert_file, root_ + "/reg.example/client.cert");
  EXPECT_EQ(hosts[0].tls.client_key_file, root_ + "/reg.example/client.key");
}

TEST_F(HostsTest, MistakesNameTheFileAndField) {
  const struct {
    const char *text, *why;
  } kCases[] = {
      {"server = ", "line 1"},
      {"server = 5", "server"},
      {"server = \"ftp://x\"", "ftp://x"},
      {"[host.\"https://x\"]\ncapabilities = [\"fly\"]", "capabilities"},
      {"[host.\"https://x\"]\nskip_verify = \"yes\"", "skip_verify"},
      {"[host.\"https://x\"]\nca = 1", "ca"},
      {"[host.\"https://x\"]\nclient = [[\"a\",\"b\",\"c\"]]", "client"},
      {"[host.\"https://x\"]\ndial_timeout = \"soon\"", "dial_timeout"},
      {"host = 1", "host"},
  };
  for (const auto& c : kCases) {
    Write("bad.example", "hosts.toml", c.text);
    EXPECT_THAT(EndpointsFor("bad.example", {root_}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         ::testing::AllOf(HasSubstr("bad.example/hosts.toml"), HasSubstr(c.why))))
        << c.text;
  }
}

}  // namespace
}  // namespace crisp::cri
