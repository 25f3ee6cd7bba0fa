#include "cri/volumes_rpc/volumes_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "api/volumes/v1/volumes.grpc.pb.h"
#include "base/clock.h"
#include "base/status_matchers.h"
#include "grpc_server/grpc_server.h"
#include "volumes/temp_dir.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;
namespace v1 = volumes::v1;

// A real server and a real channel: codes and messages as a client sees them.
class VolumesServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(objects_, volumes::ObjectStore::Open(dir_.path() + "/objects", &clock_));
    pods_ = std::make_unique<volumes::PodVolumes>(volumes::PodVolumes::Options{
        .pods_dir = dir_.path() + "/pods", .objects = objects_.get(), .clock = &clock_});
    service_ = std::make_unique<VolumesService>(objects_.get(), pods_.get());
    const std::string address = "unix:" + dir_.path() + "/s";
    grpcserver::Methods methods;
    service_->AddTo(&methods);
    ASSERT_OK_AND_ASSIGN(server_, grpcserver::GrpcServer::Start(
                                      {.path = dir_.path() + "/s", .methods = std::move(methods)}));
    stub_ = v1::Volumes::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }

  volumes::TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<volumes::ObjectStore> objects_;
  std::unique_ptr<volumes::PodVolumes> pods_;
  std::unique_ptr<VolumesService> service_;
  std::unique_ptr<grpcserver::GrpcServer> server_;
  std::unique_ptr<v1::Volumes::Stub> stub_;
};

TEST_F(VolumesServiceTest, ConfigMapLife) {
  v1::ApplyConfigMapRequest apply;
  apply.mutable_config_map()->mutable_key()->set_name("web");
  (*apply.mutable_config_map()->mutable_data())["a"] = "1";
  v1::ApplyConfigMapResponse applied;
  grpc::ClientContext c1;
  ASSERT_TRUE(stub_->ApplyConfigMap(&c1, apply, &applied).ok());
  EXPECT_EQ(applied.change(), v1::CHANGE_CREATED);
  EXPECT_EQ(applied.config_map().key().namespace_(), "default");
  EXPECT_EQ(applied.pods_updated(), 0u);

  v1::GetConfigMapRequest get;
  get.mutable_key()->set_name("web");
  v1::GetConfigMapResponse got;
  grpc::ClientContext c2;
  ASSERT_TRUE(stub_->GetConfigMap(&c2, get, &got).ok());
  EXPECT_EQ(got.config_map().data().at("a"), "1");

  v1::ListConfigMapsResponse list;
  grpc::ClientContext c3;
  ASSERT_TRUE(stub_->ListConfigMaps(&c3, {}, &list).ok());
  EXPECT_EQ(list.config_maps_size(), 1);

  v1::DeleteConfigMapRequest remove;
  *remove.mutable_key() = get.key();
  v1::DeleteConfigMapResponse removed;
  grpc::ClientContext c4;
  ASSERT_TRUE(stub_->DeleteConfigMap(&c4, remove, &removed).ok());
  EXPECT_TRUE(removed.existed());
  grpc::ClientContext c5;
  ASSERT_TRUE(stub_->DeleteConfigMap(&c5, remove, &removed).ok());
  EXPECT_FALSE(removed.existed());

  grpc::ClientContext c6;
  const grpc::Status missing = stub_->GetConfigMap(&c6, get, &got);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), HasSubstr("configMap default/web"));
}

TEST_F(VolumesServiceTest, SecretLife) {
  v1::ApplySecretRequest apply;
  apply.mutable_secret()->mutable_key()->set_name("tls");
  (*apply.mutable_secret()->mutable_data())["k"] = std::string("\0\xff", 2);
  v1::ApplySecretResponse applied;
  grpc::ClientContext c1;
  ASSERT_TRUE(stub_->ApplySecret(&c1, apply, &applied).ok());
  EXPECT_EQ(applied.secret().type(), "Opaque");
  v1::ListSecretsResponse list;
  grpc::ClientContext c2;
  ASSERT_TRUE(stub_->ListSecrets(&c2, {}, &list).ok());
  ASSERT_EQ(list.secrets_size(), 1);
  EXPECT_EQ(list.secrets(0).data().at("k"), std::string("\0\xff", 2));
}

TEST_F(VolumesServiceTest, BadInputNamesTheField) {
  v1::ApplyConfigMapResponse applied;
  grpc::ClientContext c1;
  grpc::Status status = stub_->ApplyConfigMap(&c1, {}, &applied);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("config_map"));

  v1::GetSecretResponse got;
  grpc::ClientContext c2;
  status = stub_->GetSecret(&c2, {}, &got);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("key"));

  v1::ApplyConfigMapRequest apply;
  apply.mutable_config_map()->mutable_key()->set_name("web");
  (*apply.mutable_config_map()->mutable_data())["../x"] = "1";
  grpc::ClientContext c3;
  status = stub_->ApplyConfigMap(&c3, apply, &applied);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("configMap default/web: data key '../x'"));
}

}  // namespace
}  // namespace crisp::cri
