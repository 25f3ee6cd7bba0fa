#include "cri/rpc/encoded_list.h"

#include "base/status_matchers.h"
#include "cri/containers/container_store.h"
#include "cri/containers/one_pod_test_env.h"
#include "cri/messages/container_messages.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class EncodedListTest : public OnePodTestEnv {
 protected:
  std::shared_ptr<Container> Add(const std::string& id, bool created = true) {
    state::v1::ContainerRecord record;
    record.set_id(id);
    record.set_created(created);
    record.mutable_config()->mutable_metadata()->set_name(id);
    (*record.mutable_config()->mutable_labels())["long"] = std::string(300, 'x');
    auto container = std::make_shared<Container>(pod_, "boot", record);
    EXPECT_OK(store_.Add(container));
    return container;
  }

  static std::vector<std::string> Ids(const Encoded& bytes) {
    runtime::v1::ListContainersResponse response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    std::vector<std::string> ids;
    for (const auto& container : response.containers()) ids.push_back(container.id());
    return ids;
  }

  ContainerStore store_;
  EncodedList<ContainerStore, Container, runtime::v1::Container> list_{&store_, &FillContainer};
};

TEST_F(EncodedListTest, IsWhatTheMessagesWouldBe) {
  EXPECT_THAT(Ids(list_.All()), ElementsAre());
  const auto one = Add("b");
  Add("a");
  Add("half-made", false);
  EXPECT_THAT(Ids(list_.All()), ElementsAre("a", "b"));
  runtime::v1::ListContainersResponse response, expected;
  ASSERT_TRUE(response.ParseFromString(*list_.All()));
  FillContainer(*one, expected.add_containers());
  EXPECT_EQ(response.containers(1).SerializeAsString(), expected.containers(0).SerializeAsString());
}

TEST_F(EncodedListTest, FollowsEveryChange) {
  const auto a = Add("a");
  const auto c = Add("c", false);
  EXPECT_THAT(Ids(list_.All()), ElementsAre("a"));
  const Encoded before = list_.All();
  EXPECT_EQ(list_.All(), before);  // Kept while nothing changes.
  ASSERT_OK(c->facts().Update([](state::v1::ContainerRecord& facts) { facts.set_created(true); }));
  EXPECT_THAT(Ids(list_.All()), ElementsAre("a", "c"));
  Add("b");
  EXPECT_THAT(Ids(list_.All()), ElementsAre("a", "b", "c"));
  a->RecordExit(0, 5, false);
  runtime::v1::ListContainersResponse response;
  ASSERT_TRUE(response.ParseFromString(*list_.All()));
  EXPECT_EQ(response.containers(0).state(), runtime::v1::CONTAINER_EXITED);
  store_.Remove("a");
  store_.Remove("c");
  EXPECT_THAT(Ids(list_.All()), ElementsAre("b"));
  EXPECT_THAT(Ids(before), ElementsAre("a"));  // An answer under way is not touched.
}

TEST_F(EncodedListTest, FiltersAndParts) {
  for (const char* id : {"a", "b", "c", "d"}) Add(id);
  const auto not_b = [](const Container& container) { return container.id() != "b"; };
  const std::vector<Encoded> whole = list_.Matching(not_b, SIZE_MAX);
  ASSERT_THAT(whole, SizeIs(1));
  EXPECT_THAT(Ids(whole[0]), ElementsAre("a", "c", "d"));
  const std::vector<Encoded> parts = list_.Matching(not_b, 500);
  ASSERT_THAT(parts, SizeIs(2));
  EXPECT_THAT(Ids(parts[0]), ElementsAre("a", "c"));
  EXPECT_THAT(Ids(parts[1]), ElementsAre("d"));
  const std::vector<Encoded> none =
      list_.Matching([](const Container&) { return false; }, SIZE_MAX);
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_EQ(*none[0], "");
}

}  // namespace
}  // namespace crisp::cri
