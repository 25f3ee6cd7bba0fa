#include "agent/objects/merge.h"

#include "agent/objects/test_store.h"

namespace crisp::agent {
namespace {

std::string Merged(const std::string& original, const std::string& modified,
                   const std::string& current) {
  return ThreeWayMerge(original.empty() ? Json() : FromYaml(original), FromYaml(modified),
                       FromYaml(current))
      .dump();
}

TEST(MergeTest, FieldsThatTheManifestNeverNamedStay) {
  EXPECT_EQ(Merged("{a: 1, b: 2}", "{a: 3}", "{a: 1, b: 2, c: 4}"), R"({"a":3,"c":4})");
  EXPECT_EQ(Merged("", "{a: 3}", "{a: 1, b: 2}"), R"({"a":3,"b":2})");
  EXPECT_EQ(Merged("", "{a: null, d: {e: null}}", "{a: 1, b: 2}"), R"({"b":2,"d":{}})");
  EXPECT_EQ(Merged("{m: {x: '1'}}", "{m: {y: '2'}}", "{m: {x: '1', z: '3'}}"),
            R"({"m":{"y":"2","z":"3"}})");
}

TEST(MergeTest, ListsGoByTheNameOfTheirElements) {
  EXPECT_EQ(Merged("{containers: [{name: a, image: '1'}, {name: b, image: '1'}]}",
                   "{containers: [{name: a, image: '2'}, {name: d, image: '4'}]}",
                   "{containers: [{name: a, image: '1', tty: true}, {name: b, image: '1'}, {name: "
                   "c, image: '3'}]}"),
            R"({"containers":[{"image":"2","name":"a","tty":true},{"image":"4","name":"d"},)"
            R"({"image":"3","name":"c"}]})");
  // A port is known by number and protocol, which is TCP if it does not say.
  EXPECT_EQ(
      Merged("", "{ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP, name: u}]}",
             "{ports: [{containerPort: 53, protocol: TCP, hostPort: 1}, {containerPort: 53, "
             "protocol: UDP}]}"),
      R"({"ports":[{"containerPort":53,"hostPort":1,"protocol":"TCP"},)"
      R"({"containerPort":53,"name":"u","protocol":"UDP"}]})");
}

TEST(MergeTest, OtherListsAreReplaced) {
  EXPECT_EQ(Merged("{args: [a]}", "{args: [b]}", "{args: [a, c]}"), R"({"args":["b"]})");
  EXPECT_EQ(Merged("", "{tolerations: []}", "{tolerations: [{key: a}]}"), R"({"tolerations":[]})");
}

TEST(MergeTest, AnotherChoiceOfAUnionLeavesNothingBehind) {
  EXPECT_EQ(Merged("", "{strategy: {type: Recreate}}",
                   "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}"),
            R"({"strategy":{"type":"Recreate"}})");
  EXPECT_EQ(Merged("", "{volumes: [{name: v, emptyDir: {}}]}",
                   "{volumes: [{name: v, configMap: {name: m, defaultMode: 420}}]}"),
            R"({"volumes":[{"emptyDir":{},"name":"v"}]})");
  EXPECT_EQ(Merged("", "{volumes: [{name: v, configMap: {name: n}}]}",
                   "{volumes: [{name: v, configMap: {name: m, defaultMode: 420}}]}"),
            R"({"volumes":[{"configMap":{"defaultMode":420,"name":"n"},"name":"v"}]})");
}

}  // namespace
}  // namespace crisp::agent
