#include "cri/images/registry/challenge.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {
namespace {

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
}

class Scanner {
 public:
  explicit Scanner(absl::string_view rest) : rest_(rest) {}

  void SkipSpaceAndCommas() {
    while (!rest_.empty() && (absl::ascii_isspace(rest_[0]) || rest_[0] == ',')) Step();
  }
  void SkipSpace() {
    while (!rest_.empty() && absl::ascii_isspace(rest_[0])) Step();
  }
  bool AtEnd() const { return rest_.empty(); }
  bool Eat(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    Step();
    return true;
  }
  std::string Token() {
    std::string out;
    for (; !rest_.empty() && IsTokenChar(rest_[0]); Step()) out.push_back(rest_[0]);
    return out;
  }
  // A quoted string after its opening quote; false if it does not end.
  bool Quoted(std::string* out) {
    for (; !rest_.empty(); Step()) {
      if (Eat('"')) return true;
      if (rest_[0] == '\\' && rest_.size() > 1) Step();
      out->push_back(rest_[0]);
    }
    return false;
  }

 private:
  void Step() { rest_.remove_prefix(1); }
  absl::string_view rest_;
};

void ParseLine(absl::string_view line, std::vector<AuthChallenge>* out) {
  Scanner in(line);
  const size_t first = out->size();
  for (in.SkipSpaceAndCommas(); !in.AtEnd(); in.SkipSpaceAndCommas()) {
    const std::string word = absl::AsciiStrToLower(in.Token());
    if (word.empty()) return;
    in.SkipSpace();
    if (!in.Eat('=')) {
      out->push_back({word, {}});  // A word alone is the next scheme.
      continue;
    }
    if (out->size() == first) return;  // A parameter of no scheme.
    in.SkipSpace();
    std::string value;
    if (in.Eat('"')) {
      if (!in.Quoted(&value)) return;
    } else {
      value = in.Token();
    }
    out->back().parameters[word] = value;
  }
}

}  // namespace

std::vector<AuthChallenge> ParseChallenges(const std::vector<std::string>& lines) {
  std::vector<AuthChallenge> out;
  for (const std::string& line : lines) ParseLine(line, &out);
  return out;
}

const AuthChallenge* PreferredChallenge(const std::vector<AuthChallenge>& challenges) {
  for (const char* scheme : {"bearer", "basic"}) {
    for (const AuthChallenge& challenge : challenges) {
      if (challenge.scheme == scheme) return &challenge;
    }
  }
  return nullptr;
}

}  // namespace crisp::cri
