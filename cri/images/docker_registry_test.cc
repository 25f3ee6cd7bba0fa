// Pulls from Debian's docker-registry on loopback, and the services over a socket.
#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "api/cri/v1/api.grpc.pb.h"
#include "api/images/v1/images.grpc.pb.h"
#include "base/unique_fd.h"
#include "cri/images/image_service.h"
#include "cri/images/import_service.h"
#include "cri/images/platform.h"
#include "cri/images/registry/http_client.h"
#include "cri/images/testing/image_store_fixture.h"
#include "cri/images/testing/stub_registry.h"
#include "cri/images/testing/test_image.h"
#include "grpc_server/grpc_server.h"

extern char** environ;

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kBinary[] = "/usr/bin/docker-registry";
// The bcrypt hash of "secret".
constexpr char kPasswords[] =
    "crisp:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

int FreePort() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

// Content laid out as the registry's filesystem driver keeps it.
class DockerRegistry {
 public:
  DockerRegistry(const std::string& dir, bool with_password) : dir_(dir), port_(FreePort()) {
    EXPECT_OK(MakeDirs(dir_, 0755));
    std::string config = absl::StrCat(
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ", dir_,
        "/data}}\nhttp: {addr: '127.0.0.1:", port_, "'}\n");
    if (with_password) {
      absl::StrAppend(&config, "auth: {htpasswd: {realm: test, path: ", dir_, "/htpasswd}}\n");
    }
    EXPECT_OK(WriteFileAtomic(dir_ + "/htpasswd", kPasswords, 0600));
    EXPECT_OK(WriteFileAtomic(dir_ + "/config.yml", config, 0644));
    const std::string config_path = dir_ + "/config.yml", log = dir_ + "/log";
    const char* argv[] = {kBinary, "serve", config_path.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    EXPECT_EQ(::posix_spawn(&pid_, kBinary, &actions, nullptr, const_cast<char**>(argv), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    HttpClient http;
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!http.Do({.url = absl::StrCat("http://", Address(), "/v2/")}, nullptr).ok()) {
      if (absl::Now() > deadline) {
        ADD_FAILURE() << "docker-registry does not answer: " << ReadFile(log).value_or("");
        return;
      }
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
  ~DockerRegistry() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string Address() const { return absl::StrCat("localhost:", port_); }

  void Add(const TestImage& image, const std::string& repository, const std::string& tag) {
    const std::string repo = "repositories/" + repository;
    for (const auto& [digest, bytes] : image.blobs) {
      const std::string hex(absl::StripPrefix(digest, "sha256:"));
      Write(absl::StrCat("blobs/sha256/", hex.substr(0, 2), "/", hex), "data", bytes);
      Write(absl::StrCat(repo, "/_layers/sha256/", hex), "link", digest);
      Write(absl::StrCat(repo, "/_manifests/revisions/sha256/", hex), "link", digest);
    }
    Write(absl::StrCat(repo, "/_manifests/tags/", tag, "/current"), "link", image.digest);
  }

 private:
  void Write(const std::string& dir, const std::string& name, const std::string& bytes) {
    const std::string path = absl::StrCat(dir_, "/data/docker/registry/v2/", dir);
    EXPECT_OK(MakeDirs(path, 0755));
    EXPECT_OK(WriteFileAtomic(absl::StrCat(path, "/", name), bytes, 0644));
  }

  const std::string dir_;
  const int port_;
  pid_t pid_ = -1;
};

class DockerRegistryTest : public ImageStoreFixture {
 protected:
  void SetUp() override {
    if (::access(kBinary, X_OK) != 0) GTEST_SKIP() << kBinary << " is not installed";
    ImageStoreFixture::SetUp();
  }
  std::string Dir(const std::string& name) {
    return absl::StrCat(daemon_->dir(), "/registry-", ns_, "-", name);
  }
};

TEST_F(DockerRegistryTest, ByTagByDigestAndFromAnIndex) {
  DockerRegistry registry(Dir("open"), false);
  const TestImage image = MakeImage({.layers = {"registry-a", "registry-b"}});
  const TestImage index = MakeIndex(
      {{MakeImage({.architecture = "riscv64", .layers = {"x"}, .with_busybox = false}), "riscv64"},
       {image, HostPlatform().architecture}});
  registry.Add(image, "lib/app", "v1");
  registry.Add(index, "lib/multi", "v1");
  const std::string name = registry.Address() + "/lib/app";
  EXPECT_THAT(Pull(name + "@" + image.digest), IsOkAndHolds(image.config_digest));
  EXPECT_THAT(Pull(name + ":v1"), IsOkAndHolds(image.config_digest));
  EXPECT_THAT(Pull(registry.Address() + "/lib/multi:v1"), IsOkAndHolds(image.config_digest));
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(image.config_digest));
  EXPECT_THAT(found.repo_tags, ElementsAre(name + ":v1", registry.Address() + "/lib/multi:v1"));
  EXPECT_THAT(Pull(name + ":v2"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(DockerRegistryTest, APasswordIsAskedFor) {
  DockerRegistry registry(Dir("basic"), true);
  const TestImage image = MakeImage({.layers = {"password-a"}});
  registry.Add(image, "app", "v1");
  const std::string name = registry.Address() + "/app:v1";
  EXPECT_THAT(Pull(name),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("user name and password")));
  const auto refused = Pull(name, {.username = "crisp", .password = "hunter2"});
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("refused")));
  EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(store_->List(), IsEmpty());
  EXPECT_THAT(Pull(name, {.username = "crisp", .password = "secret"}),
              IsOkAndHolds(image.config_digest));
}

// The services as a client sees them.
class ImageServiceTest : public ImageStoreFixture {
 protected:
  void SetUp() override {
    ImageStoreFixture::SetUp();
    if (IsSkipped()) return;
    images_ = std::make_unique<ImageService>(store_.get(), [] { return std::vector<FsUsage>(); });
    imports_ = std::make_unique<ImportService>(store_.get());
    grpcserver::Methods methods;
    images_->AddTo(&methods);
    imports_->AddTo(&methods);
    const std::string path = absl::StrCat(daemon_->dir(), "/", ns_, ".sock");
    ASSERT_OK_AND_ASSIGN(
        server_, grpcserver::GrpcServer::Start({.path = path, .methods = std::move(methods)}));
    const auto channel = grpc::CreateChannel("unix:" + path, grpc::InsecureChannelCredentials());
    stub_ = runtime::v1::ImageService::NewStub(channel);
    import_stub_ = images::v1::Images::NewStub(channel);
  }
  void TearDown() override {
    server_.reset();
    ImageStoreFixture::TearDown();
  }

  grpc::Status PullRpc(const std::string& image, runtime::v1::PullImageResponse* response,
                       absl::Duration timeout = absl::InfiniteDuration()) {
    grpc::ClientContext context;
    if (timeout < absl::InfiniteDuration()) {
      context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    }
    runtime::v1::PullImageRequest request;
    request.mutable_image()->set_image(image);
    return stub_->PullImage(&context, request, response);
  }
  runtime::v1::ImageStatusResponse StatusOf(const std::string& image, bool verbose = false) {
    grpc::ClientContext context;
    runtime::v1::ImageStatusRequest request;
    request.mutable_image()->set_image(image);
    request.set_verbose(verbose);
    runtime::v1::ImageStatusResponse response;
    EXPECT_TRUE(stub_->ImageStatus(&context, request, &response).ok());
    return response;
  }

  std::unique_ptr<ImageService> images_;
  std::unique_ptr<ImportService> imports_;
  std::unique_ptr<grpcserver::GrpcServer> server_;
  std::unique_ptr<runtime::v1::ImageService::Stub> stub_;
  std::unique_ptr<images::v1::Images::Stub> import_stub_;
};

TEST_F(ImageServiceTest, TheLifeOfAnImage) {
  StubRegistry registry;
  const TestImage image = MakeImage({.user = "1002", .layers = {"life-a"}});
  registry.Add(image, "life", "v1");
  const std::string name = registry.http.Address() + "/life:v1";
  EXPECT_FALSE(StatusOf(name).has_image());
  runtime::v1::PullImageResponse pulled;
  ASSERT_TRUE(PullRpc(name, &pulled).ok());
  EXPECT_EQ(pulled.image_ref(), image.config_digest);
  const auto status = StatusOf(name, true);
  EXPECT_EQ(status.image().id(), image.config_digest);
  EXPECT_EQ(status.image().uid().value(), 1002);
  EXPECT_GT(status.image().size(), 0u);
  EXPECT_FALSE(status.image().pinned());
  const auto info = nlohmann::json::parse(status.info().at("info"));
  EXPECT_EQ(info["imageSpec"]["config"]["Cmd"][0], "/bin/sh");
  runtime::v1::ListImagesRequest list_request;
  list_request.mutable_filter()->mutable_image()->set_image("no-such-image");
  runtime::v1::ListImagesResponse list;
  grpc::ClientContext list_context;
  ASSERT_TRUE(stub_->ListImages(&list_context, list_request, &list).ok());
  EXPECT_EQ(list.images_size(), 0);
  grpc::ClientContext all_context;
  ASSERT_TRUE(stub_->ListImages(&all_context, {}, &list).ok());
  EXPECT_EQ(list.images_size(), 1);
  grpc::ClientContext fs_context;
  runtime::v1::ImageFsInfoResponse fs;
  ASSERT_TRUE(stub_->ImageFsInfo(&fs_context, {}, &fs).ok());
  ASSERT_EQ(fs.image_filesystems_size(), 1);
  EXPECT_GT(fs.image_filesystems(0).used_bytes().value(), 0u);
  EXPECT_GT(fs.image_filesystems(0).timestamp(), 0);
  for (int twice = 0; twice < 2; ++twice) {
    grpc::ClientContext context;
    runtime::v1::RemoveImageRequest request;
    request.mutable_image()->set_image(name);
    runtime::v1::RemoveImageResponse response;
    EXPECT_TRUE(stub_->RemoveImage(&context, request, &response).ok());
    EXPECT_FALSE(StatusOf(image.config_digest).has_image());
  }
}

TEST_F(ImageServiceTest, ErrorsAreWhatKubeletLooksFor) {
  int port;
  {
    HttpStub gone([](const StubRequest&) { return StubReply(); });
    port = gone.port();
  }
  runtime::v1::PullImageResponse response;
  const grpc::Status refused = PullRpc(absl::StrCat("localhost:", port, "/x"), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNKNOWN);
  EXPECT_THAT(refused.error_message(), StartsWith("RegistryUnavailable: "));
  EXPECT_EQ(PullRpc("", &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(PullRpc(std::string(64, 'a'), &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  StubRegistry empty;
  EXPECT_EQ(PullRpc(empty.http.Address() + "/none", &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  const auto stream = stub_->StreamImages(&context, {});
  runtime::v1::StreamImagesResponse ignored;
  while (stream->Read(&ignored)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::OK);
}

TEST_F(ImageServiceTest, AShortDeadlineIsKept) {
  const TestImage image = MakeImage({.layers = {"deadline-a"}, .with_busybox = false});
  StubRegistry registry([](const StubRequest&) -> absl::optional<StubReply> {
    absl::SleepFor(absl::Milliseconds(300));
    return absl::nullopt;
  });
  registry.Add(image, "slow", "latest");
  runtime::v1::PullImageResponse response;
  EXPECT_EQ(
      PullRpc(registry.http.Address() + "/slow", &response, absl::Milliseconds(1)).error_code(),
      grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ImageServiceTest, AnArchiveIsStreamedIn) {
  const TestImage image = MakeImage({.layers = {"streamed-a"}});
  const std::string archive = OciArchive(image, "");
  grpc::ClientContext context;
  images::v1::ImportImageResponse response;
  const auto writer = import_stub_->ImportImage(&context, &response);
  images::v1::ImportImageRequest request;
  request.set_name("streamed:v1");
  constexpr size_t kPiece = 100'000;
  for (size_t at = 0; at < archive.size(); at += kPiece) {
    request.set_data(archive.substr(at, kPiece));
    ASSERT_TRUE(writer->Write(request));
    request.clear_name();
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.images_size(), 1);
  EXPECT_EQ(response.images(0).name(), "docker.io/library/streamed:v1");
  EXPECT_EQ(response.images(0).id(), image.config_digest);
}

}  // namespace
}  // namespace crisp::cri
