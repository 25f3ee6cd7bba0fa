#include "agent/pods/subordinate_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::HasSubstr;

class SubordinateIdsTest : public ::testing::Test {
 protected:
  SubordinateIdsTest() {
    char pattern[] = "/tmp/crisp-subids.XXXXXX";
    etc_ = ::mkdtemp(pattern);
    Write("passwd", "root:x:0:0::/root:/bin/sh\nkubelet:x:998:998::/:/usr/sbin/nologin\n");
  }
  ~SubordinateIdsTest() override { EXPECT_OK(RemoveTree(etc_)); }

  void Write(const std::string& name, const std::string& text) {
    EXPECT_OK(WriteFileAtomic(etc_ + "/" + name, text, 0644));
  }
  void WriteBoth(const std::string& text) {
    Write("subuid", text);
    Write("subgid", text);
  }
  void Refuses(const std::string& why) {
    EXPECT_THAT(ReadSubordinateIds(etc_),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(why)));
  }
  void IsDefault() {
    ASSERT_OK_AND_ASSIGN(const SubordinateIds ids, ReadSubordinateIds(etc_));
    EXPECT_EQ(ids.first, 65536u);
    // The last one ends before the last range, in which the id is that stands for none.
    EXPECT_EQ(uint64_t{ids.first} + uint64_t{ids.ranges} * 65536, 0xffff0000u);
  }

  std::string etc_;
};

TEST_F(SubordinateIdsTest, AllIdsAreTakenWhereNoneAreAssigned) {
  IsDefault();
  WriteBoth("somebody:100000:65536\n");
  IsDefault();
  Write("passwd", "root:x:0:0::/root:/bin/sh\n");
  WriteBoth("kubelet:1:1\n");
  IsDefault();
  EXPECT_OK(RemoveTree(etc_ + "/passwd"));
  IsDefault();
}

TEST_F(SubordinateIdsTest, ThoseOfTheUserAreTakenByNameAndByNumber) {
  for (const char* owner : {"kubelet", "998"}) {
    WriteBoth(std::string("somebody:65536:65536\n") + owner + ":131072:7208960\n");
    ASSERT_OK_AND_ASSIGN(const SubordinateIds ids, ReadSubordinateIds(etc_));
    EXPECT_EQ(ids.first, 131072u);
    EXPECT_EQ(ids.ranges, 110u);
  }
}

TEST_F(SubordinateIdsTest, WhatCannotBeUsedIsSaid) {
  WriteBoth("kubelet:65537:7208960\n");
  Refuses("ID 65537 is not a multiple of 65536");
  WriteBoth("kubelet:0:7208960\n");
  Refuses("ID 0 must be greater or equal to 65536");
  WriteBoth("kubelet:65536:7208961\n");
  Refuses("IDs length 7208961 is not a multiple of 65536");
  WriteBoth("kubelet:65536:65536\n");
  Refuses("IDs are not enough to support 110 pods");
  WriteBoth("kubelet:65536:4294901760\n");
  Refuses("reach beyond the last one");
  WriteBoth("kubelet:65536:7208960\nkubelet:14417920:7208960\n");
  Refuses("has 2 ranges of ids");
  for (const char* line : {"kubelet:65536\n", "kubelet:65536:-1\n", "kubelet:x:65536\n"}) {
    WriteBoth(line);
    Refuses("/subuid: the line of the user kubelet is not");
  }
  WriteBoth("kubelet:65536:7208960\n");
  Write("subgid", "kubelet:131072:7208960\n");
  Refuses("mismatched subuids and subgids");
  Write("subgid", "");
  Refuses("mismatched subuids and subgids");
}

}  // namespace
}  // namespace crisp::agent
