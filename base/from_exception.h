// What a library throws on input that we should have refused, as a status: for the outermost
// function of a thread, which no exception may leave.
//
// Threads: free function.
// Errors:  ResourceExhausted for std::bad_alloc, else Internal with the exception's words.
#ifndef CRISP_BASE_FROM_EXCEPTION_H_
#define CRISP_BASE_FROM_EXCEPTION_H_

#include <exception>

#include "absl/status/status.h"

namespace crisp {

absl::Status FromException(const std::exception& error);

}  // namespace crisp

#endif  // CRISP_BASE_FROM_EXCEPTION_H_
