// A CNI plugin made of a shell script, for tests: it records each call and answers
// as told.
//
// Ownership: the files lie in a directory of the test's.
// Threads:   one. Errors: aborts the test program.
#ifndef CRISP_NETNS_TESTING_FAKE_PLUGIN_H_
#define CRISP_NETNS_TESTING_FAKE_PLUGIN_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace crisp::netns {

class FakePlugin {
 public:
  struct Call {
    std::string command;
    std::vector<std::string> environment;
    nlohmann::json config;
    // "" if the plugin's environment lacks it.
    std::string Env(const std::string& key) const;
  };

  // Writes the executable `name` into `bin_dir`. It supports `versions`.
  FakePlugin(const std::string& bin_dir, const std::string& name,
             const std::vector<std::string>& versions = {"0.3.1", "0.4.0", "1.0.0", "1.1.0"});

  // What `command` does from now on: a shell fragment that has read its stdin
  // already. Commands without one print nothing and exit with 0.
  void On(const std::string& command, const std::string& fragment);
  // `command` prints `text` and exits with `exit_code`.
  void Print(const std::string& command, const std::string& text, int exit_code = 0);

  // Calls so far but VERSION, in order.
  std::vector<Call> Calls() const;
  // Their commands, joined: "ADD DEL".
  std::string Commands() const;

 private:
  std::string state_;
};

// A result of version 1.0.0 with one address on eth0 in `netns_path`.
std::string ResultWith(const std::string& netns_path, const std::string& cidr);

// A directory of its own below the test's temporary one.
std::string FreshDir(const std::string& name);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_TESTING_FAKE_PLUGIN_H_
