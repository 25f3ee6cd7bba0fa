#include "cri/containerd/grpc_status.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(GrpcStatus, EveryCodeAndMessageSurvive) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status sent(static_cast<grpc::StatusCode>(code), "pull web: no", "\b details");
    const absl::Status status = FromGrpc(sent);
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_EQ(status.message(), "pull web: no");
  }
  EXPECT_OK(FromGrpc(grpc::Status::OK));
}

TEST(GrpcStatus, ACodeThatDoesNotExistIsUnknown) {
  EXPECT_THAT(FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(99), "odd")),
              StatusIs(absl::StatusCode::kUnknown, "odd"));
}

}  // namespace
}  // namespace crisp::cri
