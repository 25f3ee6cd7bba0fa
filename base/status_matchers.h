// GoogleTest matchers for absl::Status, which Debian's Abseil lacks.
//
//   EXPECT_OK(status);   ASSERT_OK_AND_ASSIGN(UniqueFd fd, Open(path));
//   EXPECT_THAT(result, StatusIs(absl::StatusCode::kNotFound, HasSubstr("web")));
//   EXPECT_THAT(result, IsOkAndHolds(42));
#ifndef CRISP_BASE_STATUS_MATCHERS_H_
#define CRISP_BASE_STATUS_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"

namespace crisp {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, "is OK") {
  if (StatusOf(arg).ok()) return true;
  *result_listener << "which is " << StatusOf(arg).ToString();
  return false;
}

MATCHER_P2(StatusIs, code, message, "has a code and a message that match") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code && ::testing::Matches(::testing::Matcher<std::string>(message))(
                                      std::string(status.message()));
}

template <typename Code>
auto StatusIs(Code code) {
  return StatusIs(code, ::testing::_);
}

MATCHER_P(IsOkAndHolds, value, "is OK and holds a value that matches") {
  if (!arg.ok()) {
    *result_listener << "which is " << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace crisp

#define EXPECT_OK(expr) EXPECT_THAT((expr), ::crisp::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT((expr), ::crisp::IsOk())
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_IMPL_(CRISP_STATUS_CONCAT_(crisp_or_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_IMPL_(result, lhs, expr)     \
  auto result = (expr);                                   \
  ASSERT_TRUE(result.ok()) << result.status().ToString(); \
  lhs = *std::move(result)

#endif  // CRISP_BASE_STATUS_MATCHERS_H_
