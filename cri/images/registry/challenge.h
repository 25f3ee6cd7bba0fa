// The WWW-Authenticate header (RFC 7235): how a server wants to be convinced.
#ifndef CRISP_CRI_IMAGES_REGISTRY_CHALLENGE_H_
#define CRISP_CRI_IMAGES_REGISTRY_CHALLENGE_H_

#include <map>
#include <string>
#include <vector>

namespace crisp::cri {

struct AuthChallenge {
  std::string scheme;                             // In lower case: "bearer", "basic".
  std::map<std::string, std::string> parameters;  // Names in lower case.
};

// All challenges of all header lines, in order. What is malformed ends its line.
std::vector<AuthChallenge> ParseChallenges(const std::vector<std::string>& lines);

// The one to answer: bearer before basic. Null if there is neither.
const AuthChallenge* PreferredChallenge(const std::vector<AuthChallenge>& challenges);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_CHALLENGE_H_
