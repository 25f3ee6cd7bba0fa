#include "cri/task/fake_task_driver.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;

TaskSpec Spec(const std::string& id) {
  TaskSpec spec;
  spec.id = id;
  return spec;
}

TEST(FakeTaskDriverTest, ATaskLivesAndEndsOnce) {
  FakeTaskDriver driver;
  std::vector<std::string> exits;
  driver.OnExit([&](const std::string& id, const TaskExit& exit) {
    exits.push_back(absl::StrCat(id, "=", exit.exit_code));
  });
  ASSERT_OK(driver.Create(Spec("a")));
  EXPECT_THAT(driver.Create(Spec("a")), StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(driver.Start("a"));
  EXPECT_THAT(driver.Start("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  driver.Exit("a", TaskExit{3, 1});
  driver.Exit("a", TaskExit{4, 1});
  EXPECT_EQ(driver.State("a")->exit.exit_code, 3);
  EXPECT_THAT(driver.ExecSync("a", "{}", absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(driver.Delete("a"));
  EXPECT_OK(driver.Delete("a"));
  EXPECT_THAT(driver.State("a"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(exits, ElementsAre("a=3"));
}

TEST(FakeTaskDriverTest, FailsWhenTold) {
  FakeTaskDriver driver;
  driver.FailNext("Create", absl::UnavailableError("away"));
  EXPECT_THAT(driver.Create(Spec("a")), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_OK(driver.Create(Spec("a")));
  EXPECT_THAT(driver.calls(), ElementsAre("Create a", "Create a"));
}

TEST(FakeTaskDriverTest, AnAdoptedTaskThatIsGoneIsLost) {
  FakeTaskDriver driver;
  TaskExit got;
  driver.OnExit([&](const std::string&, const TaskExit& exit) { got = exit; });
  EXPECT_OK(driver.Adopt(Spec("a")));
  EXPECT_TRUE(got.lost);
  EXPECT_EQ(got.exit_code, kLostExitCode);
}

TEST(FakeTaskDriverTest, ATestPlaysTheProcessBehindASession) {
  FakeTaskDriver driver;
  ASSERT_OK(driver.Create(Spec("a")));
  EXPECT_THAT(driver.Exec("a", "{}", {}), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(driver.Start("a"));
  ASSERT_OK_AND_ASSIGN(auto session, driver.Exec("a", "{}", {.stdin = true, .stdout = true}));
  const std::shared_ptr<FakeProcess> process = driver.NextProcess();
  int code = -1;
  session->OnExit([&](const absl::StatusOr<int>& exit_code) { code = exit_code.value_or(-2); });
  char byte = 0;
  EXPECT_EQ(::write(session->stdin_fd(), "i", 1), 1);
  EXPECT_EQ(::read(process->stdin.get(), &byte, 1), 1);
  EXPECT_EQ(::write(process->stdout.get(), "o", 1), 1);
  EXPECT_EQ(::read(session->stdout_fd(), &byte, 1), 1);
  EXPECT_EQ(byte, 'o');
  session->Resize(80, 24);
  process->Exit(3);
  EXPECT_EQ(code, 3);
  EXPECT_EQ(::read(session->stdout_fd(), &byte, 1), 0);
  session.reset();
  EXPECT_THAT(process->calls(), ElementsAre("resize 80x24", "close stdin", "destroyed"));
}

}  // namespace
}  // namespace crisp::cri
