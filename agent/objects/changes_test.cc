#include "agent/objects/changes.h"

#include "agent/objects/test_store.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using What = Changed::What;

constexpr char kDeployment[] = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: 'busybox:1'}]
)";

Json Pod(const std::string& name) {
  return FromYaml("{apiVersion: v1, kind: Pod, metadata: {name: " + name +
                  "}, spec: {containers: [{name: c, image: 'b:1'}]}}");
}

class ChangesTest : public ::testing::Test {
 protected:
  TestStore store_;
};

TEST_F(ChangesTest, CreateFillsInWhatAServerDoes) {
  Json pod = Pod("web");
  pod["status"] = {{"phase", "Running"}};
  pod["metadata"]["uid"] = "mine";
  ASSERT_OK_AND_ASSIGN(const Changed made, CreateObject(store_.get(), pod, false));
  EXPECT_EQ(made.what, What::kCreated);
  EXPECT_EQ(TextAt(*made.object, "metadata.namespace"), "default");
  EXPECT_EQ(TextAt(*made.object, "status.phase"), "Pending");
  EXPECT_EQ(TextAt(*made.object, "status.qosClass"), "BestEffort");
  EXPECT_EQ(TextAt(*made.object, "spec.restartPolicy"), "Always");
  EXPECT_NE(UidOf(*made.object), "mine");
  EXPECT_THAT(CreateObject(store_.get(), Pod("web"), false),
              StatusIs(absl::StatusCode::kAlreadyExists, "pods \"web\" already exists"));
  EXPECT_THAT(CreateObject(store_.get(), FromYaml("{apiVersion: v2, kind: Pod}"), false),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "no matches for kind \"Pod\" in version \"v2\""));
  EXPECT_THAT(CreateObject(store_.get(),
                           FromYaml("{apiVersion: v1, kind: Event, metadata: {name: a}}"), false),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "events are made by the agent and cannot be created"));
}

TEST_F(ChangesTest, GeneratedNamesAreUnique) {
  Json pod = Pod("x");
  pod["metadata"] = {{"generateName", "web-"}};
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(const Changed made, CreateObject(store_.get(), pod, false));
    names.insert(TextAt(*made.object, "metadata.name"));
  }
  EXPECT_EQ(names.size(), 20);
  EXPECT_THAT(*names.begin(), ::testing::MatchesRegex("web-[a-z0-9]{5}"));
}

TEST_F(ChangesTest, ADryRunChangesNothing) {
  ASSERT_OK_AND_ASSIGN(Changed made, ApplyObject(store_.get(), Pod("web"), true));
  EXPECT_EQ(made.what, What::kCreated);
  EXPECT_THAT(store_->List("Pod"), IsEmpty());
  ASSERT_OK(ApplyObject(store_.get(), Pod("web"), false));
  Json changed = Pod("web");
  changed["metadata"]["labels"] = {{"a", "b"}};
  ASSERT_OK_AND_ASSIGN(made, ApplyObject(store_.get(), changed, true));
  EXPECT_EQ(made.what, What::kConfigured);
  EXPECT_EQ(LabelOf(*store_->List("Pod")[0], "a"), "");
}

TEST_F(ChangesTest, ApplyIsKubectls) {
  ASSERT_OK_AND_ASSIGN(Changed made, ApplyObject(store_.get(), FromYaml(kDeployment), false));
  EXPECT_EQ(made.what, What::kCreated);
  ASSERT_OK_AND_ASSIGN(made, ApplyObject(store_.get(), FromYaml(kDeployment), false));
  EXPECT_EQ(made.what, What::kUnchanged);

  // Replicas and labels that the manifest never named stay.
  const ObjectKey key = KeyOf(*made.object);
  ASSERT_OK(ScaleObject(store_.get(), key, 3, std::nullopt));
  ASSERT_OK(LabelObject(store_.get(), key, {{{"own", "label"}}, {}, false}));
  Json next = FromYaml(kDeployment);
  next["metadata"]["labels"] = {{"c", "d"}};
  next["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:2";
  ASSERT_OK_AND_ASSIGN(made, ApplyObject(store_.get(), next, false));
  EXPECT_EQ(made.what, What::kConfigured);
  EXPECT_EQ(NumberAt(*made.object, "spec.replicas"), 3);
  EXPECT_EQ(LabelOf(*made.object, "own"), "label");
  EXPECT_EQ(LabelOf(*made.object, "c"), "d");
  EXPECT_EQ(LabelOf(*made.object, "a"), "");
  EXPECT_EQ((*made.object)["spec"]["template"]["spec"]["containers"][0]["image"], "busybox:2");
  EXPECT_EQ(NumberAt(*made.object, "metadata.generation"), 3);
  EXPECT_THAT(AnnotationOf(*made.object, kLastApplied), HasSubstr("busybox:2"));
  EXPECT_THAT(made.warnings, IsEmpty());
}

TEST_F(ChangesTest, ApplyOverACreatedObjectWarns) {
  ASSERT_OK(CreateObject(store_.get(), FromYaml(kDeployment), false));
  ASSERT_OK_AND_ASSIGN(const Changed made, ApplyObject(store_.get(), FromYaml(kDeployment), false));
  EXPECT_THAT(made.warnings,
              ElementsAre(HasSubstr("resource deployments.apps/web is missing the")));
}

// The annotation is anybody's to write; the merge compares and copies what is in it.
TEST_F(ChangesTest, ALastAppliedManifestThatNestsTooDeepIsNone) {
  Json object = FromYaml(kDeployment);
  const std::string deep = std::string(130'000, '[') + std::string(130'000, ']');
  object["metadata"]["annotations"][kLastApplied] =
      R"({"spec":{"template":{"spec":{"containers":[{"name":)" + deep + "}]}}}}";
  ASSERT_OK(CreateObject(store_.get(), object, false));
  ASSERT_OK_AND_ASSIGN(const Changed made, ApplyObject(store_.get(), FromYaml(kDeployment), false));
  EXPECT_THAT(made.warnings, ElementsAre(HasSubstr("is missing the")));
}

TEST_F(ChangesTest, AnInvalidApplyChangesNothing) {
  ASSERT_OK(ApplyObject(store_.get(), Pod("web"), false));
  Json changed = Pod("web");
  changed["spec"]["containers"][0]["image"] = "b:2";
  changed["spec"]["containers"][0]["args"] = {"x"};
  EXPECT_THAT(ApplyObject(store_.get(), changed, false),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("The Pod \"web\" is invalid: spec: Forbidden: pod updates")));
  EXPECT_EQ((*store_->List("Pod")[0])["spec"]["containers"][0]["image"], "b:1");
  // The image alone may change.
  changed["spec"]["containers"][0].erase("args");
  ASSERT_OK(ApplyObject(store_.get(), changed, false));
  EXPECT_EQ((*store_->List("Pod")[0])["spec"]["containers"][0]["image"], "b:2");
  EXPECT_THAT(ApplyObject(store_.get(), FromYaml("{apiVersion: v1, kind: Pod}"), false),
              StatusIs(absl::StatusCode::kInvalidArgument, "resource name may not be empty"));
}

TEST_F(ChangesTest, AJobKnowsItsPods) {
  const Json job = FromYaml(
      "{apiVersion: batch/v1, kind: Job, metadata: {name: sum}, spec: {template: {spec: "
      "{restartPolicy: Never, containers: [{name: c, image: b}]}}}}");
  ASSERT_OK_AND_ASSIGN(const Changed made, ApplyObject(store_.get(), job, false));
  const std::string uid = UidOf(*made.object);
  const Json& spec = (*made.object)["spec"];
  EXPECT_EQ(spec["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"], uid);
  EXPECT_EQ(spec["template"]["metadata"]["labels"]["job-name"], "sum");
  EXPECT_EQ(spec["completions"], 1);
  ASSERT_OK_AND_ASSIGN(const Changed again, ApplyObject(store_.get(), job, false));
  EXPECT_EQ(again.what, What::kUnchanged);
}

TEST_F(ChangesTest, LabelsAndScales) {
  ASSERT_OK(CreateObject(store_.get(), FromYaml(kDeployment), false));
  const ObjectKey key{"Deployment", "default", "web"};
  EXPECT_THAT(LabelObject(store_.get(), key, {{{"a", "c"}}, {}, false}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "'a' already has a value (b), and --overwrite is false"));
  ASSERT_OK_AND_ASSIGN(Changed made, LabelObject(store_.get(), key, {{{"a", "c"}}, {}, true}));
  EXPECT_EQ(made.what, What::kConfigured);
  ASSERT_OK_AND_ASSIGN(made, LabelObject(store_.get(), key, {{}, {"nope"}, false}));
  EXPECT_EQ(made.what, What::kUnchanged);
  ASSERT_OK_AND_ASSIGN(made, LabelObject(store_.get(), key, {{}, {"a"}, false}));
  EXPECT_TRUE(At(*made.object, "metadata.labels").is_null());
  EXPECT_THAT(LabelObject(store_.get(), key, {{{"a", "b c"}}, {}, false}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a valid label must be")));
  EXPECT_THAT(ScaleObject(store_.get(), key, 2, 5),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("Expected replicas to be 5, was 1")));
  EXPECT_THAT(ScaleObject(store_.get(), {"Pod", "default", "web"}, 2, std::nullopt),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ChangesTest, APatchLeavesTheLastAppliedManifest) {
  ASSERT_OK_AND_ASSIGN(const Changed applied,
                       ApplyObject(store_.get(), FromYaml(kDeployment), false));
  const ObjectKey key = KeyOf(*applied.object);
  const Json patch = FromYaml(
      "{spec: {template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: now}}}}}");
  ASSERT_OK_AND_ASSIGN(Changed made, PatchObject(store_.get(), key, patch));
  EXPECT_EQ(made.what, What::kConfigured);
  EXPECT_EQ(NumberAt(*made.object, "metadata.generation"), 2);
  EXPECT_EQ(AnnotationOf(*made.object, kLastApplied), AnnotationOf(*applied.object, kLastApplied));
  ASSERT_OK_AND_ASSIGN(made, PatchObject(store_.get(), key, patch));
  EXPECT_EQ(made.what, What::kUnchanged);
  EXPECT_THAT(PatchObject(store_.get(), key, FromYaml("{metadata: {name: other}}")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("who an object is")));
  EXPECT_THAT(PatchObject(store_.get(), key, FromYaml("{spec: {replicas: -1}}")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.replicas")));
}

TEST_F(ChangesTest, DeleteMarksPodsThatRun) {
  ASSERT_OK(CreateObject(store_.get(), Pod("waits"), false));
  ASSERT_OK(CreateObject(store_.get(), Pod("runs"), false));
  const ObjectKey runs{"Pod", "default", "runs"};
  ASSERT_OK(store_->Update(runs, [](Json& pod) {
    pod["spec"]["nodeName"] = "n1";
    return absl::OkStatus();
  }));
  ASSERT_OK(DeleteObject(store_.get(), &store_.clock, {"Pod", "default", "waits"}, {}));
  EXPECT_EQ(store_->List("Pod").size(), 1);
  ASSERT_OK_AND_ASSIGN(ObjectPtr pod, DeleteObject(store_.get(), &store_.clock, runs, {}));
  EXPECT_EQ(NumberAt(*pod, "metadata.deletionGracePeriodSeconds"), 30);
  EXPECT_EQ(TextAt(*pod, "metadata.deletionTimestamp"), "2027-01-15T08:00:30Z");
  ASSERT_OK_AND_ASSIGN(pod, DeleteObject(store_.get(), &store_.clock, runs, {60}));
  EXPECT_EQ(NumberAt(*pod, "metadata.deletionGracePeriodSeconds"), 30);
  ASSERT_OK_AND_ASSIGN(pod, DeleteObject(store_.get(), &store_.clock, runs, {0}));
  EXPECT_EQ(NumberAt(*pod, "metadata.deletionGracePeriodSeconds"), 0);
  EXPECT_THAT(DeleteObject(store_.get(), &store_.clock, runs, {0, false, "other"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("UID in precondition")));
}

TEST_F(ChangesTest, StaticPodsAreTheirFiles) {
  Json pod = Pod("web");
  pod["metadata"]["annotations"] = {{kConfigSource, "file"},
                                    {kConfigPath, "/etc/crisp/manifests/web.yaml"}};
  ASSERT_OK(CreateObject(store_.get(), pod, false));
  EXPECT_THAT(DeleteObject(store_.get(), &store_.clock, {"Pod", "default", "web"}, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "pods \"web\" is a static pod: remove its file "
                       "/etc/crisp/manifests/web.yaml"));
}

TEST_F(ChangesTest, OrphansLoseTheirOwner) {
  ASSERT_OK_AND_ASSIGN(const Changed owner,
                       CreateObject(store_.get(), FromYaml(kDeployment), false));
  Json pod = Pod("web");
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "Deployment"},
                                                     {"name", "web"},
                                                     {"uid", UidOf(*owner.object)},
                                                     {"controller", true}}});
  ASSERT_OK(CreateObject(store_.get(), pod, false));
  DeleteOptions options;
  options.orphan = true;
  ASSERT_OK(DeleteObject(store_.get(), &store_.clock, {"Deployment", "default", "web"}, options));
  EXPECT_TRUE(At(*store_->List("Pod")[0], "metadata.ownerReferences").is_null());
}

}  // namespace
}  // namespace crisp::agent
