#include "grpc_server/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/status_matchers.h"

namespace crisp::grpcserver {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

constexpr size_t kMax = 1000;

std::string Framed(const std::string& message) {
  const Prefix prefix = PrefixFor(message.size());
  return std::string(prefix.begin(), prefix.end()) + message;
}

std::vector<std::string> ReadAll(MessageReader& reader, absl::string_view data) {
  std::vector<std::string> messages;
  while (!data.empty()) {
    const auto message = reader.Next(&data);
    EXPECT_OK(message);
    if (!message.ok()) break;
    if (message->has_value()) messages.push_back(**message);
  }
  return messages;
}

TEST(MessageReader, TakesMessagesHoweverTheyAreCut) {
  const std::string big(300, 'x');
  const std::string bytes = Framed("one") + Framed("") + Framed(big);
  for (size_t step : {1u, 2u, 7u, 1000u}) {
    MessageReader reader(kMax);
    std::vector<std::string> messages;
    for (size_t at = 0; at < bytes.size(); at += step) {
      for (std::string& message : ReadAll(reader, absl::string_view(bytes).substr(at, step))) {
        messages.push_back(std::move(message));
      }
    }
    EXPECT_THAT(messages, ElementsAre("one", "", big)) << step;
    EXPECT_FALSE(reader.midway());
  }
}

TEST(MessageReader, KnowsThatAMessageIsNotWhole) {
  MessageReader reader(kMax);
  EXPECT_FALSE(reader.midway());
  EXPECT_TRUE(ReadAll(reader, Framed("one").substr(0, 3)).empty());
  EXPECT_TRUE(reader.midway());
}

TEST(MessageReader, RefusesWhatIsTooLongBeforeItHasCome) {
  MessageReader reader(kMax);
  const Prefix prefix = PrefixFor(kMax + 1);
  absl::string_view data(prefix.data(), prefix.size());
  EXPECT_THAT(reader.Next(&data), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(MessageReader, RefusesCompressedMessagesAndNoise) {
  absl::string_view compressed("\1\0\0\0\1x", 6);
  EXPECT_THAT(MessageReader(kMax).Next(&compressed), StatusIs(absl::StatusCode::kUnimplemented));
  absl::string_view noise("\7\0\0\0\1x", 6);
  EXPECT_THAT(MessageReader(kMax).Next(&noise), StatusIs(absl::StatusCode::kInternal));
}

TEST(ParseTimeout, EveryUnit) {
  EXPECT_THAT(ParseTimeout("1H"), Optional(absl::Hours(1)));
  EXPECT_THAT(ParseTimeout("2M"), Optional(absl::Minutes(2)));
  EXPECT_THAT(ParseTimeout("3S"), Optional(absl::Seconds(3)));
  EXPECT_THAT(ParseTimeout("4m"), Optional(absl::Milliseconds(4)));
  EXPECT_THAT(ParseTimeout("5u"), Optional(absl::Microseconds(5)));
  EXPECT_THAT(ParseTimeout("99999999n"), Optional(absl::Nanoseconds(99999999)));
  for (const char* bad : {"", "S", "5", "5x", "-1S", " 1S", "123456789S"}) {
    EXPECT_EQ(ParseTimeout(bad), std::nullopt) << bad;
  }
}

TEST(EncodeStatusMessage, KeepsWhatHeadersCarryAndCutsBetweenCharacters) {
  EXPECT_EQ(EncodeStatusMessage("pod \"a\": 100%\n", 100), "pod \"a\": 100%25%0A");
  EXPECT_EQ(EncodeStatusMessage("\xc3\xa4", 100), "%C3%A4");
  EXPECT_EQ(EncodeStatusMessage("a\xc3\xa4", 6), "a");
  EXPECT_EQ(EncodeStatusMessage("abc", 2), "ab");
}

}  // namespace
}  // namespace crisp::grpcserver
