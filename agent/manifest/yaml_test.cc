#include "agent/manifest/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json One(const std::string& text) {
  const auto documents = ParseYaml(text);
  if (!documents.ok() || documents->size() != 1) {
    ADD_FAILURE() << documents.status() << " for " << text;
    return json();
  }
  return documents->front();
}

TEST(YamlTest, PlainScalarsMeanWhatKubectlReads) {
  EXPECT_EQ(One("[~, null, true, no, On, 12, -3, 0644, 0x1F, 0o17, 1_000, 1.5, 1e3, .5]"),
            json::parse("[null,null,true,false,true,12,-3,420,31,15,1000,1.5,1000.0,0.5]"));
  EXPECT_EQ(One("['1', \"true\", 1.2.3, 64Mi, 2001-01-01, y, 0x, 08a, .inf, !!str 7]"),
            json::parse(R"(["1","true","1.2.3","64Mi","2001-01-01","y","0x","08a",".inf","7"])"));
}

TEST(YamlTest, LiteralBlockKeepsItsLines) {
  EXPECT_EQ(One("data:\n  a: |\n    x\n      y\n    z\n")["data"]["a"], "x\n  y\nz\n");
}

TEST(YamlTest, DocumentsAreSplit) {
  ASSERT_OK_AND_ASSIGN(const auto documents, ParseYaml("a: 1\n---\n# nothing\n---\nb: 2\n"));
  EXPECT_EQ(documents, (std::vector<json>{{{"a", 1}}, nullptr, {{"b", 2}}}));
}

TEST(YamlTest, AliasesAndMergeKeys) {
  EXPECT_EQ(One("base: &b {x: 1, y: 2}\ncopy: *b\nmore:\n  <<: *b\n  y: 3\n"),
            json::parse(R"({"base":{"x":1,"y":2},"copy":{"x":1,"y":2},"more":{"x":1,"y":3}})"));
}

TEST(YamlTest, JsonIsYaml) {
  EXPECT_EQ(One(R"({"kind": "Pod", "n": [1, {"a": "b\n"}]})"),
            json::parse(R"({"kind":"Pod","n":[1,{"a":"b\n"}]})"));
}

TEST(YamlTest, BadInputIsRefusedWithItsPlace) {
  const struct {
    std::string text;
    const char* why;
  } cases[] = {
      {"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key \"a\" stands twice"},
      {"a: [1, 2\n", "bad YAML: line"},
      {"a: &x [*x]\n", "inside the value"},
      {"? [a]\n: b\n", "a key must be text"},
      {"a: !!python/object x\n", "is not supported"},
      {"a: \xff\n", "not UTF-8"},
      {",+88", "line 1, column 1: no value can begin here"},
      {"a: b\n---\n}\n", "line 3, column 1"},
      {"a: x\x04y\n", "control characters"},
      {std::string("a: x\0y\n", 7), "control characters"},
      {std::string(100, '[') + std::string(100, ']'), "nested more than 64 deep"},
      {std::string((4 << 20) + 1, ' '), "larger than 4 MiB"},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(ParseYaml(test.text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.why)));
  }
}

TEST(YamlTest, AliasBombIsRefusedEarly) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string alias = absl::StrCat("*a", i - 1);
    absl::StrAppend(&text, "a", i, ": &a", i, " [", alias);
    for (int k = 0; k < 9; ++k) absl::StrAppend(&text, ", ", alias);
    text += "]\n";
  }
  EXPECT_THAT(ParseYaml(text),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too many values")));
  std::string wide = absl::StrCat("s: &s \"", std::string(100'000, 'x'), "\"\nl: [*s");
  for (int i = 0; i < 1000; ++i) wide += ", *s";
  EXPECT_THAT(ParseYaml(wide + "]\n"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(YamlTest, WhatIsWrittenReadsBackTheSame) {
  const char* const texts[] = {
      "plain",
      "",
      "true",
      "12",
      "0644",
      "null",
      "y",
      "a: b",
      "x #y",
      "- a",
      "line\n",
      "two\nlines\n",
      "no end\nhere",
      " lead\nx\n",
      "tab\tx\nb\n",
      "trail \nx\n",
      "\n\n",
      "a\n\n",
      "2001-01-01",
      "<<",
      "'q'",
      "\"dq\"",
      "caf\xc3\xa9",
      "*a",
      "&b",
      "%x",
      "@x",
      "1e3",
      "key: |\n  x\n",
      "a\r\nb\n",
      "\x7f",
      "a\n\xe2\x80\xa8z\n",
      "~",
      "=",
      "8080/tcp",
      "64Mi",
      "C:",
      "\xef\xbb\xbfmark\nx\n",
      "x\\y\"z",
      "end:",
      "\xef\xbf\xbf\xc8\xb5",
      "block\n\xf0\x9f\xbf\xbe\n",
      "\xef\xb7\x90",
      "\xef\xbf\xbd",
      "\x01\x1b\xc2\x9f",
  };
  for (const char* text : texts) {
    nlohmann::ordered_json value;
    value["k"] = text;
    value["list"] = {text, {{"inner", text}}};
    if (*text != '\0') value["keys"][text] = 1;
    EXPECT_EQ(One(ToYaml(value)), json::parse(value.dump())) << ToYaml(value);
  }
}

TEST(YamlTest, EscapesAreCharacters) {
  EXPECT_EQ(One(R"("a\Nb\_c\Ld\x85\u00e9")"), json("a\xc2\x85"
                                                   "b\xc2\xa0"
                                                   "c\xe2\x80\xa8"
                                                   "d\xc2\x85\xc3\xa9"));
  EXPECT_EQ(One(R"({"\N": 1})"), json({{"\xc2\x85", 1}}));
}

TEST(YamlTest, TheEndOfADocumentIsNoText) {
  for (const char* text : {"...", "... a", "...a", "---", "..", "a..."}) {
    EXPECT_EQ(One(ToYaml(text)), json(text)) << ToYaml(text);
  }
}

TEST(YamlTest, WhatPrintsBadlyIsEscaped) {
  EXPECT_EQ(ToYaml("\xef\xbf\xbf caf\xc3\xa9 \xf0\x9f\x98\x80\xf0\x9f\xbf\xbe\x7f\"\\\n"),
            "\"\\uFFFF caf\xc3\xa9 \xf0\x9f\x98\x80\\U0001FFFE\\u007F\\\"\\\\\\n\"\n");
}

TEST(YamlTest, ScalarsThatAreNoTextReadBackTheSame) {
  const auto value = nlohmann::ordered_json::parse(
      R"({"a":null,"b":[null,true,false,0,-3,1.5,1e300,18446744073709551615],"c":[],"d":{}})");
  EXPECT_EQ(One(ToYaml(value)), json::parse(value.dump())) << ToYaml(value);
}

TEST(YamlTest, WritesAsPeopleDo) {
  const nlohmann::ordered_json value = {{"apiVersion", "v1"},
                                        {"data", {{"server.xml", "<a>\n  <b/>\n</a>\n"}}},
                                        {"empty", nlohmann::ordered_json::object()}};
  EXPECT_EQ(ToYaml(value),
            "apiVersion: v1\ndata:\n  server.xml: |\n    <a>\n      <b/>\n    </a>\nempty: {}\n");
}

}  // namespace
}  // namespace crisp::agent
