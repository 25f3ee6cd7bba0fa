// Early return for absl::Status and absl::StatusOr, and the words that each
// layer adds on the way up.
//
//   CRISP_RETURN_IF_ERROR(Annotate(Mount(plan), "mount ", plan.target));
//   CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenDir(path));
#ifndef CRISP_BASE_STATUS_MACROS_H_
#define CRISP_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

#define CRISP_STATUS_CONCAT_INNER_(a, b) a##b
#define CRISP_STATUS_CONCAT_(a, b) CRISP_STATUS_CONCAT_INNER_(a, b)

#define CRISP_RETURN_IF_ERROR(expr)                                 \
  do {                                                              \
    if (absl::Status crisp_status_ = (expr); !crisp_status_.ok()) { \
      return crisp_status_;                                         \
    }                                                               \
  } while (false)

#define CRISP_ASSIGN_OR_RETURN(lhs, expr) \
  CRISP_ASSIGN_OR_RETURN_IMPL_(CRISP_STATUS_CONCAT_(crisp_or_, __LINE__), lhs, expr)

#define CRISP_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                                 \
  if (!result.ok()) return std::move(result).status();  \
  lhs = *std::move(result)

namespace crisp {

// `status` with "context: " before its message; code and payloads stay. OK stays OK.
template <typename... Parts>
absl::Status Annotate(const absl::Status& status, const Parts&... context) {
  if (status.ok()) return status;
  absl::Status out(status.code(), absl::StrCat(context..., ": ", status.message()));
  status.ForEachPayload(
      [&out](absl::string_view url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

template <typename T, typename... Parts>
absl::StatusOr<T> Annotate(absl::StatusOr<T> result, const Parts&... context) {
  if (result.ok()) return result;
  return Annotate(result.status(), context...);
}

}  // namespace crisp

#endif  // CRISP_BASE_STATUS_MACROS_H_
