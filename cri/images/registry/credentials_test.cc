#include "cri/images/registry/credentials.h"

#include "absl/strings/escaping.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(CredentialsTest, TakesUserAndPassword) {
  ASSERT_OK_AND_ASSIGN(const Credentials got,
                       CredentialsFor({.username = "u", .password = "p"}, "docker.io"));
  EXPECT_EQ(got.username, "u");
  EXPECT_EQ(got.password, "p");
  EXPECT_FALSE(got.empty());
}

TEST(CredentialsTest, DecodesAuth) {
  ASSERT_OK_AND_ASSIGN(
      const Credentials got,
      CredentialsFor({.auth = absl::Base64Escape(std::string("u:p:q\0\0", 7))}, "r.example"));
  EXPECT_EQ(got.username, "u");
  EXPECT_EQ(got.password, "p:q");
  EXPECT_THAT(CredentialsFor({.auth = "!!"}, "r.example"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CredentialsFor({.auth = absl::Base64Escape("nocolon")}, "r.example"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CredentialsTest, OnlyTheNamedServerGetsThem) {
  const auto for_server = [](const std::string& address, const std::string& domain) {
    const auto got =
        CredentialsFor({.username = "u", .password = "p", .server_address = address}, domain);
    return got.ok() && !got->empty();
  };
  EXPECT_TRUE(for_server("", "any.example"));
  EXPECT_TRUE(for_server("https://reg.example/v1/", "reg.example"));
  EXPECT_TRUE(for_server("Reg.Example:5000", "reg.example:5000"));
  EXPECT_TRUE(for_server("https://index.docker.io/v1/", "docker.io"));
  EXPECT_FALSE(for_server("reg.example", "evil.example"));
  EXPECT_FALSE(for_server("reg.example:5000", "reg.example"));
}

}  // namespace
}  // namespace crisp::cri
