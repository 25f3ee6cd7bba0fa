#include "base/sys.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/status_macros.h"
#include "base/status_matchers.h"

namespace crisp {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SysTest, KeepsErrnoAndSpellsIt) {
  const absl::Status status = Sys("open /nonexistent", [] { return ::open("/nonexistent", 0); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr("open /nonexistent"), HasSubstr("ENOENT"))));
  EXPECT_EQ(ErrnoOf(status), ENOENT);
}

TEST(SysTest, TellsApartWhatAbseilFoldsTogether) {
  EXPECT_EQ(ErrnoOf(ErrnoStatus(EPERM, "x")), EPERM);
  EXPECT_EQ(ErrnoOf(ErrnoStatus(EACCES, "x")), EACCES);
  EXPECT_EQ(ErrnoOf(ErrnoStatus(EROFS, "x")), EROFS);
}

TEST(SysTest, RetriesOnEintr) {
  int calls = 0;
  EXPECT_OK(Sys("call", [&] {
    errno = EINTR;
    return ++calls < 3 ? -1 : 0;
  }));
  EXPECT_EQ(calls, 3);
}

TEST(SysTest, ResultsComeBack) {
  EXPECT_THAT(SysValue("call", [] { return 42; }), IsOkAndHolds(42));
  ASSERT_OK_AND_ASSIGN(const UniqueFd fd,
                       SysFd("open /", [] { return ::open("/", O_RDONLY | O_CLOEXEC); }));
  EXPECT_GE(fd.get(), 0);
}

TEST(SysTest, ErrnoOfAForeignStatusIsZero) {
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::InternalError("x")), 0);
}

TEST(StatusMacrosTest, AnnotateKeepsCodeAndErrno) {
  const absl::Status inner = ErrnoStatus(EBUSY, "umount /x");
  const absl::Status outer = Annotate(inner, "remove pod ", 7);
  EXPECT_THAT(outer, StatusIs(inner.code(), HasSubstr("remove pod 7: umount /x")));
  EXPECT_EQ(ErrnoOf(outer), EBUSY);
  EXPECT_OK(Annotate(absl::OkStatus(), "never shown"));
}

TEST(UniqueFdTest, ClosesOnceAndMoves) {
  UniqueFd a(::open("/", O_RDONLY | O_CLOEXEC));
  const int number = a.get();
  UniqueFd b = std::move(a);
  EXPECT_FALSE(a.ok());
  EXPECT_EQ(b.get(), number);
  b.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace crisp
