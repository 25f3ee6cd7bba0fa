#include "agent/objects/selector.h"

#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

TEST(SelectorTest, SelectsAsKubectlDoes) {
  const std::map<std::string, std::string> labels = {{"app", "web"}, {"tier", "front"}};
  const struct {
    const char* selector;
    bool matches;
  } cases[] = {{"", true},
               {"app=web", true},
               {"app==web", true},
               {"app=db", false},
               {"app!=db", true},
               {"app!=web", false},
               {"gone!=x", true},
               {"app=web,tier=front", true},
               {"app=web,tier=back", false},
               {"app", true},
               {"gone", false},
               {"!gone", true},
               {"!app", false},
               {"app in (db, web)", true},
               {"app in (db)", false},
               {"app notin (db,cache),tier", true},
               {"gone notin (a)", true}};
  for (const auto& test : cases) {
    ASSERT_OK_AND_ASSIGN(const Selector selector, Selector::Parse(test.selector));
    EXPECT_EQ(selector.Matches(labels), test.matches) << test.selector;
  }
  for (const char* bad : {"=x", "a b", "app in (x", "app of (x)", ",", "a=b=c"}) {
    EXPECT_FALSE(Selector::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace crisp::agent
