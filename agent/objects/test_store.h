// A store in a directory of its own, and objects from YAML: what tests begin with.
#ifndef CRISP_AGENT_OBJECTS_TEST_STORE_H_
#define CRISP_AGENT_OBJECTS_TEST_STORE_H_

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "agent/manifest/yaml.h"
#include "agent/store/object_store.h"
#include "base/clock.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {

// The one document of `text`.
inline Json FromYaml(const std::string& text) {
  const auto documents = ParseYaml(text);
  EXPECT_OK(documents);
  return documents.ok() && !documents->empty() ? documents->front() : Json();
}

class TestStore {
 public:
  TestStore() {
    char pattern[] = "/tmp/crisp-agent.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    auto opened = ObjectStore::Open(directory_ + "/agent.db", &clock);
    EXPECT_OK(opened);
    store_ = *std::move(opened);
  }
  ~TestStore() {
    store_.reset();
    EXPECT_OK(RemoveTree(directory_));
  }

  ObjectStore* get() const { return store_.get(); }
  ObjectStore* operator->() const { return store_.get(); }

  FakeClock clock{absl::FromUnixSeconds(1'800'000'000)};

 private:
  std::string directory_;
  std::unique_ptr<ObjectStore> store_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_TEST_STORE_H_
