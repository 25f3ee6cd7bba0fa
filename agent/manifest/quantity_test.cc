#include "agent/manifest/quantity.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

TEST(QuantityTest, WholeUnits) {
  const struct {
    const char* text;
    int64_t value;
  } cases[] = {{"0", 0},
               {"64Mi", 64 << 20},
               {"1Gi", 1 << 30},
               {"1.5Gi", 3 << 29},
               {"128M", 128000000},
               {"1e3", 1000},
               {"12E2", 1200},
               {"500m", 1},
               {"1k", 1000},
               {"2E", 2000000000000000000},
               {"+5", 5},
               {".5Ki", 512},
               {"1.", 1},
               {"1n", 1},
               {"9223372036854775807", INT64_MAX}};
  for (const auto& test : cases) {
    EXPECT_THAT(ParseQuantity(test.text), IsOkAndHolds(test.value)) << test.text;
  }
}

TEST(QuantityTest, Thousandths) {
  const struct {
    const char* text;
    int64_t value;
  } cases[] = {{"1", 1000},   {"500m", 500}, {"0.5", 500},
               {"1.5", 1500}, {"0.0001", 1}, {"2k", 2000000}};
  for (const auto& test : cases) {
    EXPECT_THAT(ParseMilliQuantity(test.text), IsOkAndHolds(test.value)) << test.text;
  }
}

TEST(QuantityTest, RefusesWhatIsNone) {
  for (const char* text : {"", "x", "-1", "1 Mi", "1mi", "1KB", "1.2.3", "e3",
                           "9223372036854775808", "8Ei", "1e99", "64 ", "Mi", "+", "1e"}) {
    EXPECT_THAT(ParseQuantity(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace crisp::agent
