#include "base/sys.h"

#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp {
namespace {

constexpr char kErrnoPayload[] = "crisp/errno";

absl::StatusCode CodeOf(int err) {
  // Two codes that absl maps in a way that would mislead a CRI client: a full
  // or busy device is not an argument error, and a vanished process is absence.
  switch (err) {
    case ESRCH:
      return absl::StatusCode::kNotFound;
    case EBUSY:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::ErrnoToStatusCode(err);
  }
}

}  // namespace

std::string ErrnoName(int err) {
  const char* name = ::strerrorname_np(err);
  return name != nullptr ? std::string(name) : absl::StrCat("errno ", err);
}

absl::Status ErrnoStatus(int err, absl::string_view what) {
  const char* text = ::strerrordesc_np(err);
  absl::Status status(CodeOf(err), absl::StrCat(what, ": ", text != nullptr ? text : "error", " (",
                                                ErrnoName(err), ")"));
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(err)));
  return status;
}

absl::Status WithErrno(absl::Status status, int err) {
  if (err != 0) status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(err)));
  return status;
}

int ErrnoOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrnoPayload);
  int err = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &err)) return 0;
  return err;
}

}  // namespace crisp
