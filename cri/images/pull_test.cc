// Pulls from registries that behave and that do not, into a real containerd.
#include <sys/mount.h>

#include <atomic>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "cri/containerd/content_store.h"
#include "cri/containerd/digest.h"
#include "cri/images/platform.h"
#include "cri/images/registry/http_client.h"
#include "cri/images/testing/image_store_fixture.h"
#include "cri/images/testing/stub_registry.h"
#include "cri/images/testing/test_image.h"

namespace crisp::cri {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class PullTest : public ImageStoreFixture {};

TEST_F(PullTest, ByTagByDigestAndById) {
  StubRegistry registry;
  const TestImage image = MakeImage({.user = "1000:1000", .layers = {"tag-a", "tag-b"}});
  registry.Add(image, "a/b", "v1");
  const std::string name = absl::StrCat(registry.http.Address(), "/a/b");
  EXPECT_THAT(Pull(name + ":v1"), IsOkAndHolds(image.config_digest));
  for (const std::string& ref : {name + ":v1", name + "@" + image.digest, image.config_digest,
                                 image.config_digest.substr(7, 12)}) {
    ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(ref));
    EXPECT_EQ(found.id, image.config_digest);
    EXPECT_THAT(found.repo_tags, ElementsAre(name + ":v1"));
    EXPECT_THAT(found.repo_digests, ElementsAre(name + "@" + image.digest));
    EXPECT_EQ(found.uid, 1000);
    uint64_t compressed = 0;
    for (const auto& [digest, bytes] : image.blobs) compressed += bytes.size();
    EXPECT_EQ(found.size, compressed);
  }
  EXPECT_THAT(Pull(name + "@" + image.digest), IsOkAndHolds(image.config_digest));
  EXPECT_EQ(registry.http.Count("GET", image.layer_digests[0]), 1) << "layers are there already";
  ASSERT_OK_AND_ASSIGN(const BlobInfo blob, StatBlob(*containerd_, image.layer_digests[0]));
  EXPECT_EQ(
      blob.labels.at(absl::StrCat("containerd.io/distribution.source.", registry.http.Address())),
      "a/b");
}

TEST_F(PullTest, FromAnIndexTakesThisMachinesImage) {
  StubRegistry registry;
  const TestImage ours = MakeImage({.layers = {"index-ours"}});
  const TestImage other =
      MakeImage({.architecture = "riscv64", .layers = {"index-other"}, .with_busybox = false});
  const TestImage index = MakeIndex({{other, "riscv64"}, {ours, HostPlatform().architecture}});
  registry.Add(index, "multi", "latest");
  const std::string name = absl::StrCat(registry.http.Address(), "/multi");
  EXPECT_THAT(Pull(name), IsOkAndHolds(ours.config_digest));
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(name));
  EXPECT_THAT(found.repo_digests, ElementsAre(name + "@" + index.digest));
  EXPECT_EQ(registry.http.Count("GET", other.digest), 0);

  const TestImage foreign = MakeIndex({{other, "riscv64"}});
  StubRegistry elsewhere;
  elsewhere.Add(foreign, "multi", "latest");
  EXPECT_THAT(Pull(absl::StrCat(elsewhere.http.Address(), "/multi")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("linux/riscv64")));
}

TEST_F(PullTest, LayersArePinnedOnceForAllAndFreedWithTheLast) {
  StubRegistry registry;
  const TestImage image = MakeImage({.layers = {"first content", "second content"}});
  registry.Add(image, "fs", "latest");
  ASSERT_OK(Pull(absl::StrCat(registry.http.Address(), "/fs")).status());
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(image.config_digest));
  if (!store_->pins_layers()) GTEST_SKIP() << "needs overlayfs";
  const size_t before = Snapshots();
  ASSERT_OK_AND_ASSIGN(const PinnedLayers one, store_->PinLayers(found, "one"));
  ASSERT_OK_AND_ASSIGN(const PinnedLayers two, store_->PinLayers(found, "two"));
  EXPECT_EQ(Snapshots(), before + 1);
  EXPECT_EQ(one.lower_dirs, two.lower_dirs);
  ASSERT_THAT(one.lower_dirs, SizeIs(found.config.diff_ids.size()));
  EXPECT_THAT(ReadFile(one.lower_dirs.front() + "/layer1"), IsOkAndHolds("second content"));
  EXPECT_THAT(ReadFileAt(one.root->get(), "layer0", 100), IsOkAndHolds("first content"));
  EXPECT_THAT(ReadFileAt(one.root->get(), "layer1", 100), IsOkAndHolds("second content"));

  // A container keeps them when the image goes; a restart knows it.
  ASSERT_OK(store_->UnpinLayers(one.key, "one"));
  ASSERT_OK(store_->Remove(found.id));
  EXPECT_THAT(ReadFile(one.lower_dirs.front() + "/layer1"), IsOkAndHolds("second content"));
  MakeStore();
  ASSERT_OK(store_->RecoverPins({{"two", two.key}}));
  EXPECT_THAT(ReadFile(one.lower_dirs.front() + "/layer1"), IsOkAndHolds("second content"));
  ASSERT_OK(store_->UnpinLayers(two.key, "two"));
  EXPECT_OK(store_->UnpinLayers(two.key, "two"));
  SnapshotStore snapshots(containerd_.get());
  EXPECT_THAT(snapshots.Stat(two.key), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PullTest, AViewThatNobodyNeedsIsSwept) {
  StubRegistry registry;
  const TestImage image = MakeImage({.layers = {"content"}});
  registry.Add(image, "fs", "latest");
  ASSERT_OK(Pull(absl::StrCat(registry.http.Address(), "/fs")).status());
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(image.config_digest));
  if (!store_->pins_layers()) GTEST_SKIP() << "needs overlayfs";
  ASSERT_OK_AND_ASSIGN(const PinnedLayers pinned, store_->PinLayers(found, "one"));
  ASSERT_OK(store_->Remove(found.id));
  SnapshotStore snapshots(containerd_.get());
  EXPECT_OK(snapshots.Stat(pinned.key).status());
  MakeStore();
  ASSERT_OK(store_->RecoverPins({}));
  EXPECT_THAT(snapshots.Stat(pinned.key), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PullTest, TheRootFilesystemIsWhatTheLayersSay) {
  StubRegistry registry;
  const TestImage image = MakeImage({.layers = {"first content", "second content"}});
  registry.Add(image, "fs", "latest");
  ASSERT_OK(Pull(absl::StrCat(registry.http.Address(), "/fs")).status());
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve(image.config_digest));
  ASSERT_OK_AND_ASSIGN(const auto mounts, store_->PrepareSnapshot(found, "container-1"));
  ASSERT_THAT(mounts, Not(IsEmpty()));
  ASSERT_OK_AND_ASSIGN(const auto again, store_->PrepareSnapshot(found, "container-1"));
  EXPECT_THAT(again, SizeIs(mounts.size()));
  const std::string target = daemon_->dir() + "/rootfs";
  ASSERT_OK(MakeDirs(target, 0755));
  std::vector<std::string> options(mounts[0].options().begin(), mounts[0].options().end());
  std::string data;
  for (const std::string& option : options) {
    if (option.find('=') != std::string::npos)
      absl::StrAppend(&data, data.empty() ? "" : ",", option);
  }
  const bool bind = mounts[0].type() == "bind";
  ASSERT_EQ(::mount(mounts[0].source().c_str(), target.c_str(), mounts[0].type().c_str(),
                    bind ? MS_BIND : 0, data.c_str()),
            0)
      << strerror(errno);
  EXPECT_THAT(ReadFile(target + "/layer0"), IsOkAndHolds("first content"));
  EXPECT_THAT(ReadFile(target + "/layer1"), IsOkAndHolds("second content"));
  EXPECT_OK(ReadFile(target + "/bin/busybox").status());
  ASSERT_EQ(::umount2(target.c_str(), 0), 0);
  EXPECT_OK(store_->Usage("container-1").status());
  // The container's snapshot outlives its image.
  ASSERT_OK(store_->Remove(found.id));
  ASSERT_OK_AND_ASSIGN(const auto kept, store_->PrepareSnapshot(found, "container-1"));
  EXPECT_THAT(kept, SizeIs(mounts.size()));
  ASSERT_OK(store_->RemoveSnapshot("container-1"));
  EXPECT_OK(store_->RemoveSnapshot("container-1"));
}

TEST_F(PullTest, WrongBytesAreRefusedAndNothingIsKept) {
  const TestImage image = MakeImage({.layers = {"wrong-a", "wrong-b"}});
  StubRegistry* honest = nullptr;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::EndsWith(request.path, image.layer_digests[1])) return absl::nullopt;
    StubReply reply = honest->Answer(request, false);
    if (!reply.body.empty()) reply.body[reply.body.size() / 2] ^= 1;
    return reply;
  });
  honest = &registry;
  registry.Add(image, "bad", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/bad")),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("/bad:latest"), HasSubstr(image.layer_digests[1]))));
  EXPECT_THAT(store_->List(), IsEmpty());
  EXPECT_THAT(Blobs(), IsEmpty());
  EXPECT_EQ(PartialWrites(), 0);
  EXPECT_EQ(Snapshots(), 0u);
}

TEST_F(PullTest, AManifestThatIsNotItsDigestIsRefused) {
  const TestImage image = MakeImage({.layers = {"manifest-a"}});
  StubRegistry* honest = nullptr;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::StrContains(request.path, "/manifests/")) return absl::nullopt;
    StubReply reply = honest->Answer(request, false);
    reply.body[reply.body.size() - 2] = ' ';
    return reply;
  });
  honest = &registry;
  registry.Add(image, "bad", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/bad@", image.digest)),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Blobs(), IsEmpty());
}

TEST_F(PullTest, ALayerOfAnotherDiffIdIsRefused) {
  TestImage image = MakeImage({.layers = {"diff-a"}, .with_busybox = false});
  // A config that promises other content, and a manifest that goes with it.
  const std::string old_config = image.blobs.at(image.config_digest);
  std::string config = old_config;
  const size_t at = config.find("diff_ids\":[\"sha256:") + 19;
  config[at] = config[at] == 'a' ? 'b' : 'a';
  std::string manifest = image.blobs.at(image.digest);
  manifest.replace(manifest.find(image.config_digest), image.config_digest.size(),
                   Sha256Digest(config));
  TestImage lying;
  lying.media_type = image.media_type;
  lying.digest = Sha256Digest(manifest);
  lying.blobs = {{Sha256Digest(config), config},
                 {lying.digest, manifest},
                 {image.layer_digests[0], image.blobs.at(image.layer_digests[0])}};
  StubRegistry registry;
  registry.Add(lying, "lying", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/lying")),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unpacks to")));
  EXPECT_THAT(Blobs(), IsEmpty());
  EXPECT_EQ(Snapshots(), 0u);
}

TEST_F(PullTest, ResumesWhereTheConnectionBroke) {
  const TestImage image = MakeImage({.layers = {Noise(4 << 20, 1)}, .with_busybox = false});
  const std::string layer = image.layer_digests[0];
  StubRegistry* honest = nullptr;
  std::atomic<int> requests = 0;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::EndsWith(request.path, layer) || request.method != "GET") return absl::nullopt;
    StubReply reply = honest->Answer(request, false);
    if (++requests <= 2) reply.cut_after = 1'500'000;
    return reply;
  });
  honest = &registry;
  registry.Add(image, "cut", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/cut")),
              IsOkAndHolds(image.config_digest));
  std::vector<std::string> ranges;
  for (const StubRequest& request : registry.http.Requests()) {
    if (absl::EndsWith(request.path, layer)) ranges.push_back(request.Header("range"));
  }
  EXPECT_THAT(ranges, ElementsAre("", "bytes=1500000-", "bytes=3000000-"));
}

TEST_F(PullTest, AServerThatKnowsNoRangeIsReadAgainFromTheStart) {
  const TestImage image = MakeImage({.layers = {Noise(3 << 20, 2)}, .with_busybox = false});
  const std::string layer = image.layer_digests[0];
  StubRegistry* honest = nullptr;
  std::atomic<int> requests = 0;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::EndsWith(request.path, layer)) return absl::nullopt;
    StubRequest whole = request;
    whole.headers.erase("range");
    StubReply reply = honest->Answer(whole, false);
    if (++requests == 1) reply.cut_after = 2 << 20;
    return reply;
  });
  honest = &registry;
  registry.Add(image, "norange", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/norange")),
              IsOkAndHolds(image.config_digest));
  EXPECT_EQ(requests, 2);
}

TEST_F(PullTest, AStalledServerIsLeftAndAskedAgain) {
  no_progress_timeout_ = absl::Seconds(2);
  MakeStore();
  const TestImage image = MakeImage({.layers = {Noise(2 << 20, 3)}, .with_busybox = false});
  const std::string layer = image.layer_digests[0];
  StubRegistry* honest = nullptr;
  std::atomic<int> requests = 0;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::EndsWith(request.path, layer)) return absl::nullopt;
    StubReply reply = honest->Answer(request, false);
    if (++requests == 1) reply.cut_after = 1 << 20, reply.stall = true;
    return reply;
  });
  honest = &registry;
  registry.Add(image, "stall", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/stall")),
              IsOkAndHolds(image.config_digest));
  EXPECT_EQ(requests, 2);
}

TEST_F(PullTest, ConcurrentPullsDownloadOnce) {
  const TestImage image = MakeImage({.layers = {"once-a", "once-b", "once-c", "once-d"}});
  StubRegistry registry([&](const StubRequest&) -> absl::optional<StubReply> {
    absl::SleepFor(absl::Milliseconds(100));
    return absl::nullopt;
  });
  registry.Add(image, "once", "latest");
  const std::string name = absl::StrCat(registry.http.Address(), "/once");
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&, i] {
      EXPECT_THAT(Pull(i % 2 == 0 ? name : name + ":latest"), IsOkAndHolds(image.config_digest));
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(registry.http.Count("HEAD", "/manifests/latest"), 1);
  for (const auto& [digest, bytes] : image.blobs) {
    EXPECT_EQ(registry.http.Count("GET", digest), 1) << digest;
  }
}

TEST_F(PullTest, ACallerWhoLeavesDoesNotEndTheOthersPull) {
  const TestImage image = MakeImage({.layers = {"leave-a"}});
  std::atomic<bool> hold = true, left = false;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    while (hold && absl::EndsWith(request.path, image.layer_digests[0])) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return absl::nullopt;
  });
  registry.Add(image, "leave", "latest");
  const std::string name = absl::StrCat(registry.http.Address(), "/leave");
  std::thread first([&] {
    EXPECT_THAT(store_->Pull(name, {}, [&] { return left.load(); }),
                StatusIs(absl::StatusCode::kCancelled));
  });
  std::thread second([&] { EXPECT_THAT(Pull(name), IsOkAndHolds(image.config_digest)); });
  absl::SleepFor(absl::Milliseconds(300));
  left = true;
  first.join();
  hold = false;
  second.join();
  EXPECT_EQ(registry.http.Count("GET", image.layer_digests[0]), 1);
}

TEST_F(PullTest, TheLastCallerWhoLeavesEndsThePull) {
  const TestImage image = MakeImage({.layers = {"end-a"}, .with_busybox = false});
  StubRegistry* honest = nullptr;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (!absl::EndsWith(request.path, image.layer_digests[0])) return absl::nullopt;
    StubReply reply = honest->Answer(request, false);
    reply.cut_after = 10;
    reply.stall = true;
    return reply;
  });
  honest = &registry;
  registry.Add(image, "end", "latest");
  const absl::Time start = absl::Now();
  EXPECT_THAT(store_->Pull(absl::StrCat(registry.http.Address(), "/end"), {},
                           [&] { return absl::Now() - start > absl::Milliseconds(500); }),
              StatusIs(absl::StatusCode::kCancelled));
  store_.reset();  // Waits for the pull's thread.
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST_F(PullTest, ThroughAMirror) {
  StubRegistry mirror;
  const TestImage image = MakeImage({.layers = {"mirror-a"}});
  mirror.Add(image, "org/app", "v2");
  StubRegistry empty;
  WriteHosts("registry.example",
             absl::StrCat("[host.\"http://", empty.http.Address(), "\"]\n[host.\"http://",
                          mirror.http.Address(), "\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
                          "  [host.\"http://", mirror.http.Address(),
                          "\".header]\n    X-Mirror = \"yes\"\n"));
  EXPECT_THAT(Pull("registry.example/org/app:v2"), IsOkAndHolds(image.config_digest));
  ASSERT_OK_AND_ASSIGN(const Image found, store_->Resolve("registry.example/org/app:v2"));
  EXPECT_THAT(found.repo_tags, ElementsAre("registry.example/org/app:v2"));
  EXPECT_EQ(empty.http.Count("HEAD", "/v2/org/app/manifests/v2"), 1) << "file order";
  for (const StubRequest& request : mirror.http.Requests()) {
    EXPECT_EQ(request.query, "ns=registry.example");
    EXPECT_EQ(request.Header("x-mirror"), "yes");
  }
}

TEST_F(PullTest, RedirectsLoseTheAuthorisation) {
  const TestImage image = MakeImage({.layers = {"redirect-a"}});
  StubRegistry storage;
  storage.Add(image, "x", "latest");
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    if (request.Header("authorization") != "Basic dTpw") {
      return StubReply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
    }
    if (!absl::StrContains(request.path, "/blobs/")) return absl::nullopt;
    return StubReply{.status = 307,
                     .headers = {{"Location", absl::StrCat("http://127.0.0.1:", storage.http.port(),
                                                           request.path)}}};
  });
  registry.Add(image, "x", "latest");
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/x"), {.username = "u", .password = "p"}),
              IsOkAndHolds(image.config_digest));
  ASSERT_THAT(storage.http.Requests(), Not(IsEmpty()));
  for (const StubRequest& request : storage.http.Requests()) {
    EXPECT_EQ(request.Header("authorization"), "");
  }
}

TEST_F(PullTest, EndlessRedirectsEnd) {
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    return StubReply{.status = 302, .headers = {{"Location", request.path}}};
  });
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/x")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("redirects")));
}

TEST_F(PullTest, BearerTokensAreFetchedAndRenewed) {
  const TestImage image = MakeImage({.layers = {"bearer-a"}});
  std::atomic<int> tokens = 0;
  std::atomic<bool> knows_post = true;
  HttpStub auth([&](const StubRequest& request) -> StubReply {
    if (request.method == "POST") {
      if (!knows_post) return {.status = 405};
      const bool good = absl::StrContains(request.body, "grant_type=password") &&
                        absl::StrContains(request.body, "username=u&password=p%26q") &&
                        absl::StrContains(request.body, "scope=repository%3Apriv%3Apull");
      if (!good) return {.status = 403};
      return {.body = absl::StrCat(R"({"access_token":"t)", ++tokens, R"("})")};
    }
    if (request.Header("authorization") != "Basic " + absl::Base64Escape("u:p&q")) {
      return {.status = 401, .body = R"({"details":"incorrect username or password"})"};
    }
    return {.body = absl::StrCat(R"({"token":"t)", ++tokens, R"("})")};
  });
  std::atomic<int> uses = 0;
  StubRegistry registry([&](const StubRequest& request) -> absl::optional<StubReply> {
    // A token is good for two requests.
    const int good = tokens;
    if (good > 0 && request.Header("authorization") == absl::StrCat("Bearer t", good) &&
        ++uses <= 2) {
      return absl::nullopt;
    }
    uses = 0;
    return StubReply{
        .status = 401,
        .headers = {{"WWW-Authenticate",
                     absl::StrCat("Bearer realm=\"http://", auth.Address(),
                                  "/token\",service=\"svc\",scope=\"repository:priv:pull\"")}}};
  });
  registry.Add(image, "priv", "latest");
  const std::string name = absl::StrCat(registry.http.Address(), "/priv");
  const Credentials good{.username = "u", .password = "p&q"};
  EXPECT_THAT(Pull(name, good), IsOkAndHolds(image.config_digest));
  EXPECT_GE(tokens, 2);
  ASSERT_OK(store_->Remove(name));
  knows_post = false;
  EXPECT_THAT(Pull(name, good), IsOkAndHolds(image.config_digest)) << "GET with basic";
  const auto denied = Pull(name, {.username = "u", .password = "hunter2"});
  EXPECT_THAT(denied,
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("incorrect username")));
  EXPECT_THAT(denied.status().ToString(), Not(HasSubstr("hunter2")));
}

TEST_F(PullTest, CausesAreToldApart) {
  StubRegistry registry;
  EXPECT_THAT(Pull(absl::StrCat(registry.http.Address(), "/none:v9")),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("/none:v9"), HasSubstr("resolve"), HasSubstr("not found"))));
  StubRegistry broken([](const StubRequest&) -> absl::optional<StubReply> {
    return StubReply{.status = 503, .headers = {{"Retry-After", "0"}}};
  });
  const auto busy = Pull(absl::StrCat(broken.http.Address(), "/x"));
  EXPECT_TRUE(IsUnreachable(busy.status())) << busy.status();
  int port;
  {
    HttpStub gone([](const StubRequest&) { return StubReply(); });
    port = gone.port();
  }
  const auto refused = Pull(absl::StrCat("localhost:", port, "/x"));
  EXPECT_TRUE(IsUnreachable(refused.status())) << refused.status();
  StubRegistry private_one([](const StubRequest&) -> absl::optional<StubReply> {
    return StubReply{.status = 403, .body = R"({"errors":[{"code":"DENIED"}]})"};
  });
  EXPECT_THAT(Pull(absl::StrCat(private_one.http.Address(), "/x")),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("access denied")));
  EXPECT_THAT(Pull("Not A Name"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PullTest, RemovingFreesNamesAndContent) {
  StubRegistry registry;
  const TestImage one = MakeImage({.layers = {"remove-a", "remove-b"}});
  registry.Add(one, "r", "1");
  registry.Add(one, "r", "2");
  const std::string name = absl::StrCat(registry.http.Address(), "/r");
  ASSERT_OK(Pull(name + ":1").status());
  ASSERT_OK(Pull(name + ":2").status());
  ASSERT_OK_AND_ASSIGN(const Image both, store_->Resolve(name + ":1"));
  EXPECT_THAT(both.repo_tags, ElementsAre(name + ":1", name + ":2"));
  ASSERT_OK_AND_ASSIGN(const FsUsage before, store_->FsInfo());
  EXPECT_GT(before.used_bytes, 0u);
  EXPECT_GT(before.inodes_used, 0u);
  EXPECT_TRUE(OpenDir(before.mountpoint).ok()) << before.mountpoint;
  std::thread concurrent([&] { EXPECT_OK(store_->Remove(name + ":2")); });
  EXPECT_OK(store_->Remove(name + ":1"));
  concurrent.join();
  EXPECT_THAT(store_->List(), IsEmpty());
  EXPECT_THAT(Blobs(), IsEmpty());
  EXPECT_EQ(Snapshots(), 0u);
  ASSERT_OK_AND_ASSIGN(const FsUsage after, store_->FsInfo());
  EXPECT_LT(after.used_bytes, before.used_bytes);
  EXPECT_OK(store_->Remove(name + ":1")) << "missing is fine";
  EXPECT_THAT(store_->Resolve(name + ":2"), StatusIs(absl::StatusCode::kNotFound));
  // And it can come back.
  EXPECT_THAT(Pull(name + ":2"), IsOkAndHolds(one.config_digest));
}

TEST_F(PullTest, ANewStoreFindsWhatTheOldOnePulled) {
  StubRegistry registry;
  const TestImage image = MakeImage({.user = "nobody", .layers = {"load-a"}});
  registry.Add(image, "l", "latest");
  const std::string name = absl::StrCat(registry.http.Address(), "/l");
  ASSERT_OK(Pull(name).status());
  ASSERT_OK_AND_ASSIGN(const Image before, store_->Resolve(name));
  MakeStore();
  ASSERT_OK_AND_ASSIGN(const Image after, store_->Resolve(name));
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.repo_tags, before.repo_tags);
  EXPECT_EQ(after.repo_digests, before.repo_digests);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.username, "nobody");
  EXPECT_EQ(after.chain_id, before.chain_id);
}

TEST_F(PullTest, AMovedTagLeavesTheOldImageItsDigest) {
  const TestImage first = MakeImage({.layers = {"moved-a"}}),
                  second = MakeImage({.layers = {"moved-b"}});
  StubRegistry one, two;
  one.Add(first, "m", "latest");
  two.Add(second, "m", "latest");
  WriteHosts("registry.example", absl::StrCat("[host.\"http://", one.http.Address(), "\"]\n"));
  EXPECT_THAT(Pull("registry.example/m"), IsOkAndHolds(first.config_digest));
  WriteHosts("registry.example", absl::StrCat("[host.\"http://", two.http.Address(), "\"]\n"));
  EXPECT_THAT(Pull("registry.example/m"), IsOkAndHolds(second.config_digest));
  ASSERT_OK_AND_ASSIGN(const Image old, store_->Resolve(first.config_digest));
  EXPECT_THAT(old.repo_tags, IsEmpty());
  EXPECT_THAT(old.repo_digests, ElementsAre("registry.example/m@" + first.digest));
}

}  // namespace
}  // namespace crisp::cri
