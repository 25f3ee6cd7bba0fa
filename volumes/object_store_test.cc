#include "volumes/object_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "volumes/temp_dir.h"

namespace crisp::volumes {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

v1::ConfigMap Config(const std::string& name, const std::map<std::string, std::string>& data,
                     const std::string& ns = "") {
  v1::ConfigMap out;
  out.mutable_key()->set_name(name);
  out.mutable_key()->set_namespace_(ns);
  for (const auto& [key, value] : data) (*out.mutable_data())[key] = value;
  return out;
}

class ObjectStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, ObjectStore::Open(dir_.path() + "/objects", &clock_));
  }

  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(ObjectStoreTest, AppliesGetsAndSurvivesAReopen) {
  ASSERT_OK_AND_ASSIGN(auto applied, store_->ApplyConfigMap(Config("web", {{"a", "1"}})));
  EXPECT_EQ(applied.second, v1::CHANGE_CREATED);
  EXPECT_EQ(applied.first.key().namespace_(), "default");
  EXPECT_EQ(applied.first.created_at(), clock_.NowNs());
  EXPECT_EQ(applied.first.resource_version(), 1u);
  Reopen();
  ASSERT_OK_AND_ASSIGN(v1::ConfigMap got, store_->GetConfigMap("", "web"));
  EXPECT_EQ(got.SerializeAsString(), applied.first.SerializeAsString());
  EXPECT_THAT(store_->damaged(), ElementsAre());
}

TEST_F(ObjectStoreTest, SaysWhatChanged) {
  ASSERT_OK_AND_ASSIGN(auto first, store_->ApplyConfigMap(Config("web", {{"a", "1"}})));
  clock_.Advance(absl::Seconds(5));
  ASSERT_OK_AND_ASSIGN(auto same, store_->ApplyConfigMap(Config("web", {{"a", "1"}}, "default")));
  EXPECT_EQ(same.second, v1::CHANGE_UNCHANGED);
  EXPECT_EQ(same.first.resource_version(), first.first.resource_version());
  ASSERT_OK_AND_ASSIGN(auto other, store_->ApplyConfigMap(Config("web", {{"a", "2"}})));
  EXPECT_EQ(other.second, v1::CHANGE_CONFIGURED);
  EXPECT_GT(other.first.resource_version(), first.first.resource_version());
  EXPECT_EQ(other.first.created_at(), first.first.created_at());
}

TEST_F(ObjectStoreTest, AVersionIsNeverGivenTwice) {
  ASSERT_OK_AND_ASSIGN(auto first, store_->ApplyConfigMap(Config("web", {})));
  EXPECT_THAT(store_->DeleteConfigMap("default", "web"), IsOkAndHolds(true));
  Reopen();
  ASSERT_OK_AND_ASSIGN(auto second, store_->ApplyConfigMap(Config("web", {})));
  EXPECT_GT(second.first.resource_version(), first.first.resource_version());
}

TEST_F(ObjectStoreTest, DeleteIsIdempotentAndDurable) {
  ASSERT_OK(store_->ApplyConfigMap(Config("web", {})));
  EXPECT_THAT(store_->DeleteConfigMap("", "web"), IsOkAndHolds(true));
  EXPECT_THAT(store_->DeleteConfigMap("", "web"), IsOkAndHolds(false));
  Reopen();
  EXPECT_THAT(store_->GetConfigMap("", "web"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("configMap default/web")));
}

TEST_F(ObjectStoreTest, ListsByNamespace) {
  ASSERT_OK(store_->ApplyConfigMap(Config("b", {}, "two")));
  ASSERT_OK(store_->ApplyConfigMap(Config("a", {}, "one")));
  ASSERT_OK(store_->ApplyConfigMap(Config("c", {}, "one")));
  EXPECT_THAT(store_->ListConfigMaps(""), SizeIs(3));
  EXPECT_THAT(store_->ListConfigMaps("one"), SizeIs(2));
  EXPECT_EQ(store_->ListConfigMaps("one")[0].key().name(), "a");
  EXPECT_THAT(store_->ListConfigMaps("none"), SizeIs(0));
}

TEST_F(ObjectStoreTest, FilesAreForRootOnly) {
  v1::Secret secret;
  secret.mutable_key()->set_name("s");
  (*secret.mutable_data())["k"] = "v";
  ASSERT_OK(store_->ApplySecret(secret));
  int files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(dir_.path() + "/objects")) {
    struct stat st;
    ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, entry.is_directory() ? 0700u : 0600u) << entry.path();
    if (!entry.is_directory()) ++files;
  }
  EXPECT_EQ(files, 1);
}

TEST_F(ObjectStoreTest, TheLongestNameFits) {
  std::string name;
  for (int i = 0; i < 4; ++i) name += (i == 0 ? "" : ".") + std::string(i == 3 ? 61 : 63, 'a');
  ASSERT_EQ(name.size(), 253u);
  ASSERT_OK(store_->ApplyConfigMap(Config(name, {{std::string(253, 'k'), "v"}})));
  Reopen();
  EXPECT_OK(store_->GetConfigMap("", name));
}

TEST_F(ObjectStoreTest, ADamagedFileHidesOnlyItself) {
  ASSERT_OK(store_->ApplyConfigMap(Config("good", {})));
  ASSERT_OK(store_->ApplyConfigMap(Config("bad", {})));
  Spill(dir_.path() + "/objects/configmaps/default/bad/object", "\xff\xff\xff");
  Reopen();
  EXPECT_OK(store_->GetConfigMap("", "good"));
  EXPECT_THAT(store_->GetConfigMap("", "bad"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(store_->damaged(), ElementsAre(HasSubstr("configMap default/bad")));
  EXPECT_OK(store_->ApplyConfigMap(Config("bad", {})));
}

TEST_F(ObjectStoreTest, RefusesWhatKubernetesRefuses) {
  const struct {
    v1::ConfigMap object;
    const char* message;
  } kCases[] = {
      {Config("", {}), "name ''"},
      {Config("Web", {}), "is not a DNS subdomain"},
      {Config("web", {}, "Not_A_Label"), "is not a DNS label"},
      {Config("web", {}, "a.b"), "is not a DNS label"},
      {Config("web", {{"", "1"}}), "data key '': is empty"},
      {Config("web", {{"a/b", "1"}}), "key 'a/b'"},
      {Config("web", {{"a b", "1"}}), "key 'a b'"},
      {Config("web", {{".", "1"}}), "is '.'"},
      {Config("web", {{"..", "1"}}), "begins with '..'"},
      {Config("web", {{"..data", "1"}}), "begins with '..'"},
      {Config("web", {{std::string(254, 'k'), "1"}}), "longer than 253"},
      {Config("web", {{"k", "\xc3\x28"}}), "not UTF-8"},
      {Config("web", {{"k", "\xed\xa0\x80"}}), "not UTF-8"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(store_->ApplyConfigMap(test.object), StatusIs(kInvalid, HasSubstr(test.message)));
  }
  EXPECT_THAT(store_->ListConfigMaps(""), SizeIs(0));
}

TEST_F(ObjectStoreTest, AcceptsEveryLegalKey) {
  EXPECT_OK(store_->ApplyConfigMap(
      Config("web", {{"-", "1"}, {"_", "2"}, {".hidden", "3"}, {"A-b_c.9", "\xf0\x9f\x90\xb3"}})));
}

TEST_F(ObjectStoreTest, AKeyIsEitherTextOrBinary) {
  v1::ConfigMap object = Config("web", {{"k", "1"}});
  (*object.mutable_binary_data())["k"] = "2";
  EXPECT_THAT(store_->ApplyConfigMap(object),
              StatusIs(kInvalid, HasSubstr("key 'k' is in both data and binaryData")));
}

TEST_F(ObjectStoreTest, OneMebibyteIsTheLimit) {
  EXPECT_OK(store_->ApplyConfigMap(Config("fits", {{"k", std::string(1 << 20, 'x')}})));
  v1::ConfigMap object = Config("over", {{"k", std::string(1 << 19, 'x')}});
  (*object.mutable_binary_data())["b"] = std::string((1 << 19) + 1, 'y');
  EXPECT_THAT(
      store_->ApplyConfigMap(object),
      StatusIs(kInvalid, AllOf(HasSubstr("configMap default/over"), HasSubstr("1048577 bytes"))));
}

TEST_F(ObjectStoreTest, ImmutableStaysAsItIs) {
  v1::ConfigMap object = Config("web", {{"k", "1"}});
  object.set_immutable(true);
  ASSERT_OK(store_->ApplyConfigMap(object));
  v1::ConfigMap changed = object;
  (*changed.mutable_data())["k"] = "2";
  EXPECT_THAT(store_->ApplyConfigMap(changed),
              StatusIs(kPrecondition, HasSubstr("configMap default/web is immutable: data")));
  changed = object;
  changed.set_immutable(false);
  EXPECT_THAT(store_->ApplyConfigMap(changed), StatusIs(kPrecondition, HasSubstr("immutable")));
  changed = object;
  (*changed.mutable_binary_data())["b"] = "2";
  EXPECT_THAT(store_->ApplyConfigMap(changed), StatusIs(kPrecondition, HasSubstr("binaryData")));
  changed = object;
  (*changed.mutable_labels())["l"] = "v";
  EXPECT_OK(store_->ApplyConfigMap(changed));
}

TEST_F(ObjectStoreTest, SecretTypes) {
  v1::Secret secret;
  secret.mutable_key()->set_name("s");
  (*secret.mutable_data())["tls.crt"] = "TOPSECRET";
  secret.set_type("kubernetes.io/tls");
  EXPECT_THAT(store_->ApplySecret(secret),
              StatusIs(kInvalid, AllOf(HasSubstr("tls.key"), Not(HasSubstr("TOPSECRET")))));
  (*secret.mutable_data())["tls.key"] = "x";
  ASSERT_OK(store_->ApplySecret(secret));
  secret.set_type("Opaque");
  EXPECT_THAT(store_->ApplySecret(secret), StatusIs(kPrecondition, HasSubstr("type")));
}

}  // namespace
}  // namespace crisp::volumes
