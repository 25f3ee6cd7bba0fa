#include "volumes/quantity.h"

#include "base/status_matchers.h"

namespace crisp::volumes {
namespace {

TEST(QuantityTest, Bytes) {
  const struct {
    const char* text;
    int64_t bytes;
  } kCases[] = {
      {"0", 0},
      {"1", 1},
      {"64Mi", 64 << 20},
      {"1Gi", 1 << 30},
      {"1k", 1000},
      {"1.5G", 1500000000},
      {"0.5Ki", 512},
      {"1e3", 1000},
      {"1E3", 1000},
      {"2E", 2000000000000000000},
      {"100m", 1},
      {"1n", 1},
      {"+5", 5},
      {".5Ki", 512},
      {"1.", 1},
      {"128974848", 128974848},
      {"7Ei", 8070450532247928832},
      {"1500m", 2},
      {"12e6", 12000000},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(ParseQuantity(test.text, 1), IsOkAndHolds(test.bytes)) << test.text;
  }
}

TEST(QuantityTest, MilliCores) {
  EXPECT_THAT(ParseQuantity("500m", 1000), IsOkAndHolds(500));
  EXPECT_THAT(ParseQuantity("1", 1000), IsOkAndHolds(1000));
  EXPECT_THAT(ParseQuantity("0.1", 1000), IsOkAndHolds(100));
  EXPECT_THAT(ParseQuantity("1u", 1000), IsOkAndHolds(1));
}

TEST(QuantityTest, Refuses) {
  for (const char* text : {"", "-1", "Mi", "1mi", "1 Mi", "1.5.5", "0x10", "1e", "1e99", "8Ei",
                           "9999999999999999999", "1Kib", "e3", "1e3Ki", "NaN", "."}) {
    EXPECT_THAT(ParseQuantity(text, 1), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace crisp::volumes
