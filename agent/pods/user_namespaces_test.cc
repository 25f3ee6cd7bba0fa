#include "agent/pods/user_namespaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/pod_config.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::HasSubstr;

class UserNamespacesTest : public ::testing::Test {
 protected:
  UserNamespacesTest() {
    char pattern[] = "/tmp/crisp-user-namespaces.XXXXXX";
    root_ = ::mkdtemp(pattern);
    EXPECT_OK(MakeDirs(etc(), 0755));
    Restart();
  }
  ~UserNamespacesTest() override { EXPECT_OK(RemoveTree(root_)); }

  // As kill -9 and a new agent.
  void Restart() {
    users_ = std::make_unique<UserNamespaces>(root_ + "/pods", etc());
    EXPECT_OK(users_->Recover());
  }
  std::string etc() const { return root_ + "/etc"; }
  std::string Record(const std::string& uid) const { return root_ + "/pods/" + uid + "/userns"; }
  void Damage(const std::string& uid, const std::string& text) {
    EXPECT_OK(MakeDirs(root_ + "/pods/" + uid, 0700));
    EXPECT_OK(WriteFileAtomic(Record(uid), text, 0600));
  }

  std::string root_;
  std::unique_ptr<UserNamespaces> users_;
};

TEST_F(UserNamespacesTest, EachPodHasIdsOfItsOwnAndKeepsThem) {
  EXPECT_THAT(users_->Take("a"), IsOkAndHolds(65536u));
  EXPECT_THAT(users_->Take("b"), IsOkAndHolds(131072u));
  EXPECT_THAT(users_->Take("a"), IsOkAndHolds(65536u));
  EXPECT_EQ(users_->Find("b"), 131072u);
  EXPECT_EQ(users_->Find("c"), std::nullopt);
  Restart();
  EXPECT_EQ(users_->Find("a"), 65536u);
  EXPECT_THAT(users_->Take("c"), IsOkAndHolds(196608u));
  EXPECT_THAT(users_->Take("b"), IsOkAndHolds(131072u));
}

TEST_F(UserNamespacesTest, TheRecordIsKubelets) {
  ASSERT_OK(users_->Take("a").status());
  EXPECT_THAT(ReadFile(Record("a")),
              IsOkAndHolds(R"({"gidMappings":[{"containerId":0,"hostId":65536,"length":65536}],)"
                           R"("uidMappings":[{"containerId":0,"hostId":65536,"length":65536}]})"));
  struct stat info = {};
  ASSERT_EQ(::stat(Record("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(UserNamespacesTest, WhatIsReleasedIsFree) {
  ASSERT_OK(users_->Take("a").status());
  ASSERT_OK(users_->Take("b").status());
  ASSERT_OK(users_->Release("a"));
  EXPECT_OK(users_->Release("a"));
  EXPECT_OK(users_->Release("never"));
  EXPECT_EQ(users_->Find("a"), std::nullopt);
  EXPECT_FALSE(ReadFile(Record("a")).ok());
  EXPECT_THAT(users_->Take("c"), IsOkAndHolds(65536u));
  // The pod's files may have gone with the pod, before.
  ASSERT_OK(RemoveTree(root_ + "/pods/b"));
  EXPECT_OK(users_->Release("b"));
  EXPECT_THAT(users_->Take("d"), IsOkAndHolds(131072u));
}

TEST_F(UserNamespacesTest, PodsThatAreGoneKeepNothing) {
  for (const char* uid : {"a", "b", "c"}) ASSERT_OK(users_->Take(uid).status());
  Damage("d", "");
  Restart();
  EXPECT_OK(users_->KeepOnly({"b", "x"}));
  EXPECT_EQ(users_->Find("a"), std::nullopt);
  EXPECT_EQ(users_->Find("b"), 131072u);
  EXPECT_FALSE(ReadFile(Record("d")).ok());
  EXPECT_THAT(users_->Take("x"), IsOkAndHolds(65536u));
}

TEST_F(UserNamespacesTest, ARecordThatCannotBeReadKeepsEverybodyWaiting) {
  const std::string mapping = R"([{"containerId":0,"hostId":131072,"length":65536}])";
  const std::string other = R"([{"containerId":0,"hostId":196608,"length":65536}])";
  ASSERT_OK(users_->Take("a").status());
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"),
        absl::StrCat(R"({"uidMappings":)", mapping, "}"),
        absl::StrCat(R"({"uidMappings":)", mapping, R"(,"gidMappings":)", other, "}"),
        std::string(R"({"uidMappings":[{"hostId":-1}]})"),
        std::string(R"({"uidMappings":[{"hostId":0}],"gidMappings":[]})")}) {
    Damage("b", text);
    Restart();
    EXPECT_THAT(users_->Take("a"), IsOkAndHolds(65536u)) << "who has ids keeps them";
    for (const char* uid : {"b", "c"}) {
      EXPECT_THAT(users_->Take(uid),
                  StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(Record("b"))))
          << text;
    }
    ASSERT_OK(users_->Release("b"));
    EXPECT_THAT(users_->Take("c"), IsOkAndHolds(131072u));
    ASSERT_OK(users_->Release("c"));
  }
}

TEST_F(UserNamespacesTest, TwoRecordsOfTheSameIdsAreNotBelieved) {
  ASSERT_OK(users_->Take("a").status());
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(Record("a")));
  Damage("b", text);
  Restart();
  EXPECT_THAT(users_->Take("c"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("has the ids of another pod")));
}

TEST_F(UserNamespacesTest, OtherIdsForThoseWhoComeChangeNothingForThoseWhoAreThere) {
  ASSERT_OK(users_->Take("a").status());
  ASSERT_OK(WriteFileAtomic(etc() + "/passwd", "kubelet:x:998:998::/:/bin/false\n", 0644));
  for (const char* name : {"/subuid", "/subgid"}) {
    ASSERT_OK(WriteFileAtomic(etc() + name, "kubelet:65536:7208960\n", 0644));
  }
  Restart();
  EXPECT_THAT(users_->Take("a"), IsOkAndHolds(65536u));
  for (uint32_t i = 1; i < 110; ++i) {
    EXPECT_THAT(users_->Take(absl::StrCat("pod-", i)), IsOkAndHolds((i + 1) * kIdsPerPod));
  }
  EXPECT_THAT(users_->Take("one-more"), StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK(WriteFileAtomic(etc() + "/subgid", "", 0644));
  EXPECT_THAT(users_->Take("one-more"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(users_->Take("a"), IsOkAndHolds(65536u));
}

TEST_F(UserNamespacesTest, WhatCouldNotBeRecordedIsNotTaken) {
  ASSERT_OK(WriteFileAtomic(root_ + "/pods", "", 0600));
  EXPECT_FALSE(users_->Take("a").ok());
  EXPECT_EQ(users_->Find("a"), std::nullopt);
}

}  // namespace
}  // namespace crisp::agent
