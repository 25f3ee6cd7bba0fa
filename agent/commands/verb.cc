#include "agent/commands/verb.h"

#include <CLI/CLI.hpp>
#include <limits>
#include <utility>

namespace crisp::cli {
namespace {

// What CLI11 calls a positional argument; people see its option_text (cli.cc).
constexpr char kWords[] = "WORDS";

}  // namespace

Verb::Flag& Verb::Flag::Required() {
  option_->required();
  return *this;
}

Verb::Flag& Verb::Flag::OneOf(std::initializer_list<const char*> values) {
  option_->check(CLI::IsMember(std::vector<std::string>(values.begin(), values.end())));
  std::string all;
  for (const char* value : values) all += (all.empty() ? "" : "|") + std::string(value);
  option_->type_name(all);
  return *this;
}

Verb::Flag& Verb::Flag::AtMost(int count) {
  option_->expected(0, count);
  return *this;
}

Verb Verb::Add(const std::string& name, const std::string& help,
               std::initializer_list<const char*> aliases) {
  CLI::App* verb = app_->add_subcommand(name, help);
  for (const char* alias : aliases) verb->alias(alias);
  return Verb(verb, action_);
}

void Verb::Hide() { app_->group(""); }

Verb::Flag Verb::Word(const std::string& name, std::string* value, const std::string& help) {
  return Flag(app_->add_option(kWords, *value, help)->option_text(name));
}

Verb::Flag Verb::Words(const std::string& name, std::vector<std::string>* values,
                       const std::string& help) {
  return Flag(app_->add_option(kWords, *values, help)->option_text(name));
}

Verb::Flag Verb::Option(const std::string& names, std::string* value, const std::string& help,
                        const std::string& type) {
  return Flag(app_->add_option(names, *value, help)->type_name(type));
}

Verb::Flag Verb::Option(const std::string& names, std::vector<std::string>* values,
                        const std::string& help, const std::string& type) {
  return Flag(app_->add_option(names, *values, help)->allow_extra_args(false)->type_name(type));
}

Verb::Flag Verb::Option(const std::string& names, int64_t* value, const std::string& help,
                        const std::string& type, int64_t least) {
  return Flag(app_->add_option(names, *value, help)
                  ->check(CLI::Range(least, std::numeric_limits<int64_t>::max() / 2))
                  ->type_name(type));
}

Verb::Flag Verb::Option(const std::string& names, std::optional<int64_t>* value,
                        const std::string& help, const std::string& type) {
  return Flag(app_->add_option_function<int64_t>(
                      names, [value](const int64_t& given) { *value = given; }, help)
                  ->type_name(type));
}

Verb::Flag Verb::Switch(const std::string& names, bool* value, const std::string& help) {
  return Flag(app_->add_flag(names, *value, help));
}

void Verb::Namespace(std::string* ns) {
  Option("-n,--namespace", ns, "The namespace of the objects (default)", "NAMESPACE");
}

void Verb::Notes(const std::string& text) { app_->footer(text); }

void Verb::Runs(Action action) {
  app_->callback([app = app_, chosen = action_, action = std::move(action)] {
    // A verb's own work is not that of a verb below it, whose callback came first.
    if (app->get_subcommands().empty()) *chosen = action;
  });
}

}  // namespace crisp::cli
