#include "agent/output/json_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::cli {
namespace {

const Json kList = Json::parse(R"({"kind": "List", "items": [
  {"metadata": {"name": "a", "labels": {"app.io/name": "x"}}, "n": 1,
   "status": {"conditions": [{"type": "Ready", "status": "True"},
                             {"type": "Init", "status": "False"}]}},
  {"metadata": {"name": "b"}, "n": 5, "data": {"server.xml": "<x/>"}}]})");

TEST(JsonPathTest, Templates) {
  const struct {
    const char* text;
    const char* out;
  } cases[] = {
      {"{.kind}", "List"},
      {".kind", "List"},
      {"kind", "List"},
      {"{$.kind}", "List"},
      {"{.items[*].metadata.name}", "a b"},
      {"{.items[0].metadata.name}-{.items[-1].metadata.name}", "a-b"},
      {"{.items[0:1].metadata.name}", "a"},
      {"{.items[1:].metadata.name}", "b"},
      {"{.items[::2].metadata.name}", "a"},
      {"{.items[7].metadata.name}", ""},
      {"{.missing.field}", ""},
      {"{.items[0].metadata.labels.app\\.io/name}", "x"},
      {"{.items[1].data['server.xml']}", "<x/>"},
      {"{.items[1]['metadata','data']}", "{\"name\":\"b\"} {\"server.xml\":\"<x/>\"}"},
      {"{..name}", "a b"},
      {"{.items[*].status.conditions[?(@.type==\"Ready\")].status}", "True"},
      {"{.items[?(@.n>2)].metadata.name}", "b"},
      {"{.items[?(@.n<=1)].metadata.name}", "a"},
      {"{.items[?(@.data)].metadata.name}", "b"},
      {"{.items[?(@.metadata.name!='a')].n}", "5"},
      {"{range .items[*]}{.metadata.name}{\"\\t\"}{.n}{\"\\n\"}{end}", "a\t1\nb\t5\n"},
      {"name: {.items[0].metadata.name}!", "name: a!"},
  };
  for (const auto& test : cases) {
    ASSERT_OK_AND_ASSIGN(const JsonPathTemplate parsed, JsonPathTemplate::Parse(test.text));
    EXPECT_EQ(parsed.Render(kList), test.out) << test.text;
  }
}

TEST(JsonPathTest, Mistakes) {
  for (const char* bad :
       {"{.items[}", "{.items", "{.items[x]}", "{end}", "{range .items[*]}{.n}", "{.a[?(n==1)]}",
        "{.a[?(@.n==x)]}", "{.a[?(@.n=1)]}", "{.a[1:2:3:4]}", "{.a[::0]}", "{.a['x]}"}) {
    EXPECT_EQ(JsonPathTemplate::Parse(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
  // Nesting is bounded.
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "{range .a}";
  EXPECT_FALSE(JsonPathTemplate::Parse(deep).ok());
}

}  // namespace
}  // namespace crisp::cli
