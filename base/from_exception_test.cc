#include "base/from_exception.h"

#include <new>
#include <stdexcept>

#include "base/status_matchers.h"

namespace crisp {
namespace {

TEST(FromException, TellsWhatWasThrown) {
  EXPECT_THAT(FromException(std::bad_alloc()),
              StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
  EXPECT_THAT(FromException(std::out_of_range("no such key")),
              StatusIs(absl::StatusCode::kInternal, "no such key"));
}

}  // namespace
}  // namespace crisp
