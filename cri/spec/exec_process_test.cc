#include "cri/spec/exec_process.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(BuildExecProcess, IsTheContainersWithAnotherCommand) {
  const auto spec = nlohmann::json::parse(R"({"process": {
      "args": ["a"], "terminal": false, "env": ["A=1"], "cwd": "/x", "user": {"uid": 5, "gid": 6},
      "noNewPrivileges": true, "consoleSize": {"height": 1, "width": 1}}})");
  ASSERT_OK_AND_ASSIGN(auto process, BuildExecProcess(spec, {"ls", "-l"}, false));
  EXPECT_EQ(process, nlohmann::json::parse(R"({
      "args": ["ls", "-l"], "terminal": false, "env": ["A=1"], "cwd": "/x",
      "user": {"uid": 5, "gid": 6}, "noNewPrivileges": true})"));
  ASSERT_OK_AND_ASSIGN(process, BuildExecProcess(spec, {"sh"}, true));
  EXPECT_EQ(process["terminal"], true);
  EXPECT_EQ(process["env"], nlohmann::json({"A=1", "TERM=xterm"}));
}

TEST(BuildExecProcess, RefusesABadCommand) {
  const nlohmann::json spec = {{"process", nlohmann::json::object()}};
  EXPECT_THAT(BuildExecProcess(spec, {}, false),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cmd")));
  EXPECT_FALSE(BuildExecProcess(spec, {""}, false).ok());
  EXPECT_FALSE(BuildExecProcess(spec, {"a", "\xff"}, false).ok());
  EXPECT_FALSE(BuildExecProcess(spec, {std::string("a\0b", 3)}, false).ok());
  EXPECT_FALSE(BuildExecProcess(nlohmann::json(), {"a"}, false).ok());
}

}  // namespace
}  // namespace crisp::cri
