#include "cri/containerd/grpc_status.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

TEST(GrpcStatus, EveryCodeAndMessageSurviveBothWays) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status sent(static_cast<grpc::StatusCode>(code), "pull web: no", "\b details");
    const absl::Status status = FromGrpc(sent);
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_EQ(status.message(), "pull web: no");
    const grpc::Status back = ToGrpc(Annotate(status, "RunPodSandbox"));
    EXPECT_EQ(back.error_code(), sent.error_code());
    EXPECT_EQ(back.error_message(), "RunPodSandbox: pull web: no");
    EXPECT_EQ(back.error_details(), sent.error_details());
  }
  EXPECT_OK(FromGrpc(grpc::Status::OK));
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

TEST(GrpcStatus, AnErrnoKeepsItsCodeAndItsName) {
  const grpc::Status status = ToGrpc(ErrnoStatus(ENOENT, "open /run/x"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("ENOENT"));
}

TEST(GrpcStatus, ACodeThatDoesNotExistIsUnknown) {
  EXPECT_THAT(FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(99), "odd")),
              StatusIs(absl::StatusCode::kUnknown, "odd"));
}

}  // namespace
}  // namespace crisp::cri
