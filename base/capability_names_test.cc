#include "base/capability_names.h"

#include <gtest/gtest.h>

namespace crisp {
namespace {

TEST(CapabilityNames, ThereAndBack) {
  EXPECT_EQ(CapabilityByName("CAP_CHOWN"), CAP_CHOWN);
  EXPECT_EQ(CapabilityByName("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
  EXPECT_EQ(CapabilityByName("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
  for (int number = 0; number < kCapabilityCount; ++number) {
    EXPECT_EQ(CapabilityByName(CapabilityName(number)), number);
  }
}

TEST(CapabilityNames, AsTheyAreSpelt) {
  for (const char* name : {"", "CAP_", "CHOWN", "cap_chown", "CAP_CHOWN ", "CAP_NEWER"}) {
    EXPECT_EQ(CapabilityByName(name), -1) << name;
  }
}

}  // namespace
}  // namespace crisp
