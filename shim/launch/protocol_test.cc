#include "shim/launch/protocol.h"

#include <unistd.h>

#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

TEST(Protocol, FailuresKeepStepErrnoAndText) {
  ASSERT_OK_AND_ASSIGN(const SocketPair pair, MakeSocketPair());
  ASSERT_OK(SendFailure(pair.first.get(), Step::kMounts, ErrnoStatus(EXDEV, "mounts[1]")));
  ASSERT_OK_AND_ASSIGN(const Message message, ReceiveMessage(pair.second.get()));
  EXPECT_EQ(message.kind, MessageKind::kFailed);
  const absl::Status status = WithStep(message.step, message.failure);
  EXPECT_EQ(ErrnoOf(status), EXDEV);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mounts: mounts[1]: "));
}

TEST(Protocol, DescriptorsComeAlong) {
  ASSERT_OK_AND_ASSIGN(const SocketPair pair, MakeSocketPair());
  Message created;
  created.kind = MessageKind::kCreated;
  created.pid = 42;
  created.body = std::string(100000, 'x');
  for (int i = 0; i < 2; ++i) created.fds.emplace_back(::dup(0));
  ASSERT_OK(SendMessage(pair.first.get(), created));
  ASSERT_OK_AND_ASSIGN(const Message got, Expect(pair.second.get(), MessageKind::kCreated));
  EXPECT_EQ(got.pid, 42);
  EXPECT_EQ(got.body, created.body);
  EXPECT_EQ(got.fds.size(), 2u);
}

TEST(Protocol, EndsAndOrder) {
  ASSERT_OK_AND_ASSIGN(SocketPair pair, MakeSocketPair());
  ASSERT_OK(SendKind(pair.first.get(), MessageKind::kStart));
  EXPECT_THAT(Expect(pair.second.get(), MessageKind::kReady).status(),
              StatusIs(absl::StatusCode::kDataLoss));
  pair.first.reset();
  EXPECT_THAT(ReceiveMessage(pair.second.get()).status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Protocol, MalformedMessagesAreErrors) {
  Message message;
  message.kind = MessageKind::kCreated;
  message.body = "body";
  const std::string good = EncodeMessage(message);
  ASSERT_OK(DecodeMessage(good));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeMessage(absl::string_view(good).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeMessage(good + "x").ok());
  for (size_t at = 0; at < 12; at += 4) {
    std::string bad = good;
    bad[at + 1] = '\x7f';
    EXPECT_FALSE(DecodeMessage(bad).ok()) << at;
  }
  std::string length = good;
  length[20] = length[21] = length[22] = length[23] = '\xff';
  EXPECT_FALSE(DecodeMessage(length).ok());
}

}  // namespace
}  // namespace crisp::shim
