#include "agent/pods/keyring.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/objects/changes.h"
#include "agent/objects/test_store.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A keyring whose users are named for the keys that give them.
Keyring Of(const std::vector<std::string>& keys) {
  Json config = Json::object();
  for (const std::string& key : keys) config[key] = {{"username", key}, {"password", "p"}};
  Keyring keyring;
  keyring.Add(config);
  return keyring;
}

std::vector<std::string> Users(const Keyring& keyring, const std::string& image) {
  std::vector<std::string> users;
  for (const RegistryCredentials& one : keyring.Lookup(image)) users.push_back(one.username);
  return users;
}

TEST(KeyringTest, HostsPathsAndGlobs) {
  const struct {
    std::vector<std::string> keys;
    std::string image;
    std::vector<std::string> users;
  } cases[] = {
      {{"registry.example.com"}, "registry.example.com/a/b:1", {"registry.example.com"}},
      {{"registry.example.com"}, "registry.example.com/a@sha256:00", {"registry.example.com"}},
      {{"registry.example.com"}, "other.example.com/a", {}},
      {{"https://registry.example.com/v1/"},
       "registry.example.com/a",
       {"https://registry.example.com/v1/"}},
      {{"http://registry.example.com/v2/"},
       "registry.example.com/a",
       {"http://registry.example.com/v2/"}},
      {{"registry.example.com/v1/team"},
       "registry.example.com/team/a",
       {"registry.example.com/v1/team"}},
      // A port is part of where a registry is.
      {{"registry.example.com"}, "registry.example.com:5000/a", {}},
      {{"registry.example.com:5000"},
       "registry.example.com:5000/a:1",
       {"registry.example.com:5000"}},
      {{"127.0.0.1:5000"}, "127.0.0.1:5000/a", {"127.0.0.1:5000"}},
      // A star is one part of a host.
      {{"*.example.com"}, "registry.example.com/a", {"*.example.com"}},
      {{"*.example.com"}, "example.com/a", {}},
      {{"*.example.com"}, "a.b.example.com/a", {}},
      {{"*.*.example.com"}, "a.b.example.com/a", {"*.*.example.com"}},
      {{"r?[a-z].example.com"}, "reg.example.com/a", {"r?[a-z].example.com"}},
      {{"prefix*.example.com"}, "prefix-1.example.com/a", {"prefix*.example.com"}},
      // Longer before shorter; all that match.
      {{"quay.io", "quay.io/team", "quay.io/other"}, "quay.io/team/a", {"quay.io/team", "quay.io"}},
      {{"quay.io/team"}, "quay.io/a", {}},
      // Docker Hub has many names.
      {{"https://index.docker.io/v1/"}, "busybox", {"https://index.docker.io/v1/"}},
      {{"index.docker.io"}, "docker.io/library/busybox:1", {"index.docker.io"}},
      {{"index.docker.io"}, "me/busybox", {"index.docker.io"}},
      {{"index.docker.io"}, "index.docker.io/busybox", {"index.docker.io"}},
      {{"docker.io"}, "busybox", {"docker.io"}},
      {{"docker.io/me"}, "me/busybox", {"docker.io/me"}},
      {{"docker.io", "index.docker.io"}, "busybox", {"docker.io"}},
      {{"index.docker.io"}, "registry.example.com/busybox", {}},
      {{"localhost"}, "localhost/busybox", {"localhost"}},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(Users(Of(test.keys), test.image), test.users)
        << test.keys[0] << " for " << test.image;
  }
}

TEST(KeyringTest, EntriesOfAConfiguration) {
  Keyring keyring;
  keyring.Add({{"a.io", {{"auth", absl::Base64Escape("me:se:cret")}}},
               {"b.io", {{"auth", "%%%"}}},
               {"c.io", {{"auth", absl::Base64Escape("no colon")}}},
               {"d.io", {{"auth", "bWU6cA"}, {"username", "not me"}}},
               {"e.io", 5}});
  EXPECT_THAT(keyring.Lookup("a.io/x"), ElementsAre(RegistryCredentials{"me", "se:cret"}));
  EXPECT_THAT(keyring.Lookup("b.io/x"), IsEmpty());
  EXPECT_THAT(keyring.Lookup("c.io/x"), IsEmpty());
  EXPECT_THAT(keyring.Lookup("d.io/x"), ElementsAre(RegistryCredentials{"me", "p"}));
  EXPECT_THAT(keyring.Lookup("e.io/x"), IsEmpty());
  // A second secret for the same registry is tried after the first.
  keyring.Add({{"a.io", {{"username", "you"}, {"password", "p"}}}});
  EXPECT_THAT(Users(keyring, "a.io/x"), ElementsAre("me", "you"));
}

class PullSecretsTest : public ::testing::Test {
 protected:
  void Add(const std::string& name, const std::string& type, const std::string& key,
           const std::string& text) {
    ASSERT_OK(store_.get()->Create({{"apiVersion", "v1"},
                                    {"kind", "Secret"},
                                    {"metadata", {{"name", name}, {"namespace", "default"}}},
                                    {"type", type},
                                    {"data", {{key, absl::Base64Escape(text)}}}}));
  }

  TestStore store_;
};

TEST_F(PullSecretsTest, BothTypesAndWhatIsMissing) {
  Add("new", "kubernetes.io/dockerconfigjson", ".dockerconfigjson",
      R"({"auths":{"a.io":{"username":"n","password":"p"}},"credHelpers":{}})");
  Add("old", "kubernetes.io/dockercfg", ".dockercfg",
      R"({"a.io":{"username":"o","password":"p"}})");
  Add("other", "Opaque", ".dockercfg", R"({"a.io":{"username":"x","password":"p"}})");
  std::vector<std::string> missing;
  ASSERT_OK_AND_ASSIGN(
      const Keyring keyring,
      ReadPullSecrets(*store_.get(), "default", {"new", "gone", "old", "other"}, &missing));
  EXPECT_THAT(Users(keyring, "a.io/x"), ElementsAre("n", "o"));
  EXPECT_THAT(missing, ElementsAre("gone"));
  missing.clear();
  ASSERT_OK_AND_ASSIGN(const Keyring elsewhere,
                       ReadPullSecrets(*store_.get(), "team", {"new"}, &missing));
  EXPECT_THAT(Users(elsewhere, "a.io/x"), IsEmpty());
  EXPECT_THAT(missing, ElementsAre("new"));
}

TEST_F(PullSecretsTest, TextThatIsNoConfigurationIsNotShown) {
  Add("bad", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", "hunter2");
  std::vector<std::string> missing;
  const auto keyring = ReadPullSecrets(*store_.get(), "default", {"bad"}, &missing);
  EXPECT_THAT(keyring, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"bad\"")));
  EXPECT_THAT(std::string(keyring.status().message()), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace crisp::agent
