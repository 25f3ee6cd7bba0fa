#include "agent/literal_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class LiteralSourcesTest : public ::testing::Test {
 protected:
  LiteralSourcesTest() {
    char name[] = "/tmp/crisp-sources-XXXXXX";
    dir_ = ::mkdtemp(name);
  }
  ~LiteralSourcesTest() override { (void)RemoveTree(dir_); }
  std::string Write(const std::string& name, const std::string& text) {
    EXPECT_OK(WriteFileAtomic(dir_ + "/" + name, text, 0600));
    return dir_ + "/" + name;
  }
  std::string dir_;
};

TEST_F(LiteralSourcesTest, FilesAndLiterals) {
  const std::string file = Write("server.xml", "<x/>\n");
  EXPECT_THAT(ReadDataSources({{"k=v=w", "e="}, {file, "other=" + file}, {}}),
              IsOkAndHolds(ElementsAre(Pair("e", ""), Pair("k", "v=w"), Pair("other", "<x/>\n"),
                                       Pair("server.xml", "<x/>\n"))));
}

TEST_F(LiteralSourcesTest, DirectoryTakesItsRegularFilesOnly) {
  Write("a", "1");
  Write("b.txt", "2");
  ASSERT_OK(MakeDirs(dir_ + "/sub", 0700));
  ASSERT_EQ(::symlink("a", (dir_ + "/link").c_str()), 0);
  EXPECT_THAT(ReadDataSources({{}, {dir_}, {}}),
              IsOkAndHolds(ElementsAre(Pair("a", "1"), Pair("b.txt", "2"))));
  EXPECT_THAT(ReadDataSources({{}, {"k=" + dir_}, {}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name their keys")));
}

TEST_F(LiteralSourcesTest, BadArguments) {
  const std::string file = Write("ok", "1");
  const std::string odd = Write("a b", "1");
  const DataSources cases[] = {
      {{"novalue"}, {}, {}}, {{"=x"}, {}, {}},          {{"a=1", "a=2"}, {}, {}},
      {{"..a=1"}, {}, {}},   {{"a/b=1"}, {}, {}},       {{}, {"=" + file}, {}},
      {{}, {"k="}, {}},      {{}, {"a=b=" + file}, {}}, {{}, {odd}, {}},
      {{"a=1"}, {}, {file}}, {{"ok=1"}, {file}, {}},    {{std::string(254, 'a') + "=1"}, {}, {}},
  };
  for (const DataSources& sources : cases) {
    EXPECT_THAT(ReadDataSources(sources), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(ReadDataSources({{}, {dir_ + "/gone"}, {}}), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(LiteralSourcesTest, ASecretIsNotRepeatedInAnError) {
  const auto result = ReadDataSources({{"hunter2"}, {}, {}});
  EXPECT_THAT(std::string(result.status().message()), ::testing::Not(HasSubstr("hunter2")));
}

TEST_F(LiteralSourcesTest, EnvFile) {
  ASSERT_EQ(::setenv("CRISP_TEST_FROM_ENV", "here", 1), 0);
  EXPECT_THAT(ParseEnvFile("\xEF\xBB\xBF# comment\n\n  A=1\nB= \"q\" \r\nC.d-e=x=y\n"
                           "CRISP_TEST_FROM_ENV\nEMPTY=\n"),
              IsOkAndHolds(ElementsAre(Pair("A", "1"), Pair("B", " \"q\" "), Pair("C.d-e", "x=y"),
                                       Pair("CRISP_TEST_FROM_ENV", "here"), Pair("EMPTY", ""))));
  EXPECT_THAT(ParseEnvFile("A=1\n1B=2\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("line 2: \"1B\"")));
  EXPECT_THAT(ParseEnvFile("A B=2\n"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseEnvFile("A=\xff\n"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace crisp::agent
