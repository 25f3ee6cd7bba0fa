// What crisp expects of containerd's content, lease and snapshot services, asked of
// a real one.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/content_store.h"
#include "cri/containerd/digest.h"
#include "cri/containerd/lease.h"
#include "cri/containerd/snapshot_store.h"
#include "cri/containerd/test_containerd.h"

namespace crisp::cri {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

// Different for each test, so that they do not share blobs.
std::string Bytes(size_t size) {
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::string out;
  while (out.size() < size) absl::StrAppend(&out, name, out.size(), ";");
  out.resize(size);
  return out;
}

class StoreContract : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!TestContainerd::WhyNot().empty()) return;
    daemon_ = TestContainerd::Start().release();
  }
  static void TearDownTestSuite() {
    delete daemon_;
    daemon_ = nullptr;
  }
  void SetUp() override {
    if (!TestContainerd::WhyNot().empty()) GTEST_SKIP() << TestContainerd::WhyNot();
    ASSERT_NE(daemon_, nullptr);
    containerd_ = daemon_->Connect();
    ASSERT_NE(containerd_, nullptr);
    absl::StatusOr<Lease> lease = Lease::Create(containerd_.get());
    ASSERT_OK(lease.status());
    lease_ = std::make_unique<Lease>(*std::move(lease));
  }
  void TearDown() override { lease_.reset(); }

  BlobTarget TargetFor(const std::string& data) {
    const std::string digest = Sha256Digest(data);
    return BlobTarget{"layer-" + digest, digest, static_cast<int64_t>(data.size()), lease_->id()};
  }

  static TestContainerd* daemon_;
  std::unique_ptr<Containerd> containerd_;
  std::unique_ptr<Lease> lease_;
};

TestContainerd* StoreContract::daemon_ = nullptr;

TEST_F(StoreContract, ABlobIsWrittenLabelledAndRead) {
  const std::string data = Bytes((5 << 20) + 17);
  ASSERT_OK(WriteBlob(*containerd_, TargetFor(data), data, {{"crisp.test/a.b", "1"}}));
  const std::string digest = Sha256Digest(data);
  ASSERT_OK_AND_ASSIGN(BlobInfo info, StatBlob(*containerd_, digest));
  EXPECT_EQ(info.size, static_cast<int64_t>(data.size()));
  EXPECT_THAT(info.labels, Contains(Pair("crisp.test/a.b", "1")));
  EXPECT_THAT(ReadBlob(*containerd_, digest, data.size()), IsOkAndHolds(data));
  EXPECT_THAT(ReadBlob(*containerd_, digest, data.size() - 1),
              StatusIs(absl::StatusCode::kOutOfRange));

  ASSERT_OK(SetLabels(*containerd_, digest, {{"crisp.test/c", "2"}, {"crisp.test/a.b", ""}}));
  ASSERT_OK_AND_ASSIGN(info, StatBlob(*containerd_, digest));
  EXPECT_THAT(info.labels, AllOf(Contains(Pair("crisp.test/c", "2")),
                                 testing::Not(Contains(Pair("crisp.test/a.b", "1")))));

  std::string tail;
  ASSERT_OK(StreamBlob(*containerd_, digest, 5 << 20, [&](absl::string_view piece) {
    absl::StrAppend(&tail, piece);
    return absl::OkStatus();
  }));
  EXPECT_EQ(tail, data.substr(5 << 20));
  EXPECT_THAT(StreamBlob(*containerd_, digest, 0,
                         [](absl::string_view) { return absl::AbortedError("enough"); }),
              StatusIs(absl::StatusCode::kAborted, "enough"));

  EXPECT_OK(DeleteBlob(*containerd_, digest));
  EXPECT_OK(DeleteBlob(*containerd_, digest));
  EXPECT_THAT(StatBlob(*containerd_, digest).status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ReadBlob(*containerd_, digest, 10).status(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(StoreContract, AnEmptyBlobIsABlob) {
  ASSERT_OK(WriteBlob(*containerd_, TargetFor(""), "", {}));
  EXPECT_THAT(ReadBlob(*containerd_, Sha256Digest(""), 0), IsOkAndHolds(""));
}

TEST_F(StoreContract, AnInterruptedWriteResumesWhereItWas) {
  const std::string data = Bytes(3 << 20);
  {
    ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
    EXPECT_EQ(writer->offset(), 0);
    ASSERT_OK(writer->Write(data.substr(0, 1'500'000)));
  }
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  EXPECT_EQ(writer->offset(), 1'500'000);
  EXPECT_FALSE(writer->complete());
  ASSERT_OK(writer->Write(data.substr(1'500'000)));
  EXPECT_TRUE(writer->complete());
  ASSERT_OK(writer->Commit());
  EXPECT_THAT(ReadBlob(*containerd_, Sha256Digest(data), data.size()), IsOkAndHolds(data));
}

TEST_F(StoreContract, ASourceThatCannotResumeStartsOver) {
  const std::string data = Bytes(2 << 20);
  {
    ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
    ASSERT_OK(writer->Write(std::string(1'000'000, '!')));
  }
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  EXPECT_EQ(writer->offset(), 1'000'000);
  writer->Restart();
  ASSERT_OK(writer->Write(data));
  ASSERT_OK(writer->Commit());
  EXPECT_THAT(ReadBlob(*containerd_, Sha256Digest(data), data.size()), IsOkAndHolds(data));
}

TEST_F(StoreContract, ABlobThatExistsIsSuccess) {
  const std::string data = Bytes(1000);
  ASSERT_OK(WriteBlob(*containerd_, TargetFor(data), data, {}));
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  EXPECT_TRUE(writer->complete());
  EXPECT_OK(writer->Write("ignored"));
  ASSERT_OK(writer->Commit({{"crisp.test/late", "yes"}}));
  ASSERT_OK_AND_ASSIGN(const BlobInfo info, StatBlob(*containerd_, Sha256Digest(data)));
  EXPECT_THAT(info.labels, Contains(Pair("crisp.test/late", "yes")));
}

TEST_F(StoreContract, ABlobOfAnotherNamespaceNeedsNoBytes) {
  const std::string data = Bytes(1000);
  ASSERT_OK(WriteBlob(*containerd_, TargetFor(data), data, {}));
  const std::unique_ptr<Containerd> other = daemon_->Connect("crisp-other");
  ASSERT_NE(other, nullptr);
  ASSERT_OK_AND_ASSIGN(const Lease lease, Lease::Create(other.get()));
  BlobTarget target = TargetFor(data);
  target.lease = lease.id();
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(other.get(), target));
  EXPECT_TRUE(writer->complete());
  ASSERT_OK(writer->Commit());
  EXPECT_THAT(ReadBlob(*other, target.digest, data.size()), IsOkAndHolds(data));
}

TEST_F(StoreContract, WrongBytesAreNotCommitted) {
  const std::string data = Bytes(1000);
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  ASSERT_OK(writer->Write(std::string(1000, '!')));
  EXPECT_THAT(writer->Commit(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(writer->Write("more"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(writer->Abort());
  EXPECT_THAT(StatBlob(*containerd_, Sha256Digest(data)).status(),
              StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(auto again, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  EXPECT_EQ(again->offset(), 0);
  EXPECT_OK(again->Abort());
}

TEST_F(StoreContract, WritersOfOneRefTakeTurns) {
  const std::string data = Bytes(1000);
  ASSERT_OK_AND_ASSIGN(auto first, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  ASSERT_OK(first->Write(data.substr(0, 500)));
  BlobWriter::Options impatient;
  impatient.lock_timeout = absl::Milliseconds(200);
  EXPECT_THAT(BlobWriter::Open(containerd_.get(), TargetFor(data), impatient).status(),
              StatusIs(absl::StatusCode::kUnavailable));
  BlobWriter::Options cancelled;
  cancelled.cancelled = [] { return true; };
  EXPECT_THAT(BlobWriter::Open(containerd_.get(), TargetFor(data), cancelled).status(),
              StatusIs(absl::StatusCode::kCancelled));

  absl::StatusOr<std::unique_ptr<BlobWriter>> second = absl::UnknownError("not yet");
  std::thread waiter([&] { second = BlobWriter::Open(containerd_.get(), TargetFor(data)); });
  absl::SleepFor(absl::Milliseconds(100));
  ASSERT_OK(first->Write(data.substr(500)));
  EXPECT_OK(first->Commit());
  waiter.join();
  ASSERT_OK(second.status());
  EXPECT_TRUE((*second)->complete());
}

TEST_F(StoreContract, CancelEndsAWrite) {
  const std::string data = Bytes(1000);
  ASSERT_OK_AND_ASSIGN(auto writer, BlobWriter::Open(containerd_.get(), TargetFor(data)));
  writer->Cancel();
  EXPECT_THAT(writer->Write(data), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_OK(writer->Abort());
}

TEST_F(StoreContract, ALeaseHoldsUntilItEnds) {
  const std::string data = Bytes(1000);
  const std::string digest = Sha256Digest(data);
  ASSERT_OK(WriteBlob(*containerd_, TargetFor(data), data, {}));

  // Somebody else's lease ends, and garbage is collected: ours holds.
  ASSERT_OK_AND_ASSIGN(Lease other, Lease::Create(containerd_.get()));
  ASSERT_OK(other.Release(/*collect=*/true));
  EXPECT_OK(StatBlob(*containerd_, digest).status());

  // The other way to hold: adding what exists.
  ASSERT_OK_AND_ASSIGN(Lease holder, Lease::Create(containerd_.get()));
  ASSERT_OK(holder.Add("content", digest));
  ASSERT_OK(lease_->Release(/*collect=*/true));
  EXPECT_OK(StatBlob(*containerd_, digest).status());

  ASSERT_OK(holder.Release(/*collect=*/true));
  EXPECT_THAT(StatBlob(*containerd_, digest).status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(holder.Release());
}

TEST_F(StoreContract, ALeaseExpiresAndDiesWithItsOwner) {
  const auto find = [&](const std::string& id) {
    containerd::services::leases::v1::ListRequest request;
    request.add_filters(absl::StrCat("id==", id));
    containerd::services::leases::v1::ListResponse response;
    const auto context = containerd_->Context();
    EXPECT_OK(FromGrpc(containerd_->leases().List(context.get(), request, &response)));
    return response;
  };
  std::string id;
  {
    ASSERT_OK_AND_ASSIGN(Lease lease, Lease::Create(containerd_.get()));
    id = lease.id();
    Lease moved = std::move(lease);
    EXPECT_EQ(lease.id(), "");
    ASSERT_EQ(find(id).leases_size(), 1);
    const auto labels = find(id).leases(0).labels();
    absl::Time expiry;
    std::string error;
    ASSERT_TRUE(
        absl::ParseTime(absl::RFC3339_full, labels.at("containerd.io/gc.expire"), &expiry, &error))
        << error;
    EXPECT_GT(expiry, absl::Now() + absl::Hours(23));
    EXPECT_LT(expiry, absl::Now() + absl::Hours(25));
  }
  EXPECT_EQ(find(id).leases_size(), 0);
}

TEST_F(StoreContract, SnapshotsStackUp) {
  SnapshotStore snapshots(containerd_.get());
  const std::string base = ChainId({Sha256Digest("base")});
  ASSERT_OK_AND_ASSIGN(
      const SnapshotStore::Mounts mounts,
      snapshots.Prepare("extract-1", "", {{"crisp.test/kind", "layer"}}, lease_->id()));
  EXPECT_THAT(mounts, SizeIs(1));
  EXPECT_THAT(snapshots.Prepare("extract-1", "", {}, lease_->id()).status(),
              StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(snapshots.Commit(base, "extract-1", {{"crisp.test/kind", "layer"}}, lease_->id()));

  ASSERT_OK_AND_ASSIGN(const SnapshotInfo info, snapshots.Stat(base));
  EXPECT_EQ(info.kind, SnapshotKind::kCommitted);
  EXPECT_THAT(info.labels, Contains(Pair("crisp.test/kind", "layer")));
  EXPECT_THAT(snapshots.Stat("extract-1").status(), StatusIs(absl::StatusCode::kNotFound));

  // A second extraction of the same layer loses, and its snapshot is still there.
  ASSERT_OK(snapshots.Prepare("extract-2", "", {}, lease_->id()).status());
  EXPECT_THAT(snapshots.Commit(base, "extract-2", {}, lease_->id()),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_OK(snapshots.Remove("extract-2"));

  ASSERT_OK(snapshots.Prepare("container", base, {}, lease_->id()).status());
  ASSERT_OK(snapshots.View("view", base, {}, lease_->id()).status());
  EXPECT_EQ(snapshots.Stat("container")->parent, base);
  EXPECT_EQ(snapshots.Stat("view")->kind, SnapshotKind::kView);
  EXPECT_OK(snapshots.MountsOf("container").status());
  EXPECT_OK(snapshots.Usage("container").status());
  ASSERT_OK(snapshots.SetLabels("container", {{"crisp.test/kind", "container"}}));
  ASSERT_OK_AND_ASSIGN(const std::vector<SnapshotInfo> found,
                       snapshots.List({"labels.\"crisp.test/kind\"==container"}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].name, "container");
  EXPECT_EQ(snapshots.List()->size(), 3u);

  EXPECT_THAT(snapshots.Remove(base), StatusIs(absl::StatusCode::kFailedPrecondition));
  for (const std::string& key : {std::string("view"), std::string("container"), base}) {
    EXPECT_OK(snapshots.Remove(key));
    EXPECT_OK(snapshots.Remove(key));
  }
  EXPECT_THAT(snapshots.Prepare("orphan", base, {}, lease_->id()).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("orphan")));
}

}  // namespace
}  // namespace crisp::cri
