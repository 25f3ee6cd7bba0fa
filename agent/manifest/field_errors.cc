#include "agent/manifest/field_errors.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"

namespace crisp::agent {

void FieldErrors::Keep(std::string text, bool unsupported, std::vector<Error>* out) {
  ++count_;
  if (invalid_.size() + undecodable_.size() >= kMostErrors) return;
  if (text.size() > kLongestError) {
    text = absl::StrCat(Utf8Prefix(text, kLongestError), "...");
  }
  out->push_back({std::move(text), unsupported});
}

void FieldErrors::Add(std::string error) { Keep(std::move(error), false, &invalid_); }

void FieldErrors::AddUnsupported(absl::string_view path) {
  Keep(std::string(path), true, &invalid_);
}

void FieldErrors::AddUndecodable(std::string error) {
  Keep(std::move(error), false, &undecodable_);
}

// kubectl says the same thing once.
std::vector<std::string> FieldErrors::Texts(const std::vector<Error>& errors) const {
  std::vector<std::string> texts;
  std::set<std::string> seen;
  for (const Error& error : errors) {
    std::string text =
        error.unsupported ? absl::StrCat(error.text, ": Forbidden: not supported yet") : error.text;
    if (seen.insert(text).second) texts.push_back(std::move(text));
  }
  const size_t kept = invalid_.size() + undecodable_.size();
  if (count_ > kept) texts.push_back(absl::StrCat("and ", count_ - kept, " more errors"));
  return texts;
}

std::string FieldErrors::Undecodable() const {
  return absl::StrCat("strict decoding error: ", absl::StrJoin(Texts(undecodable_), ", "));
}

absl::Status FieldErrors::ToStatus() const {
  if (empty()) return absl::OkStatus();
  if (!undecodable_.empty()) return absl::InvalidArgumentError(Undecodable());
  if (invalid_.size() == 1 && invalid_[0].unsupported) {
    return absl::UnimplementedError(absl::StrCat(invalid_[0].text, ": not supported yet"));
  }
  const std::vector<std::string> texts = Texts(invalid_);
  const std::string all =
      texts.size() == 1 ? texts[0] : absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
  const bool unsupported = std::all_of(invalid_.begin(), invalid_.end(),
                                       [](const Error& error) { return error.unsupported; });
  return unsupported ? absl::UnimplementedError(all) : absl::InvalidArgumentError(all);
}

absl::Status FieldErrors::ToStatus(absl::string_view kind, absl::string_view name,
                                   absl::string_view api_version) const {
  if (empty()) return absl::OkStatus();
  if (!undecodable_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(kind, " in version \"", api_version,
                                                   "\" cannot be handled as a ", kind, ": ",
                                                   Undecodable()));
  }
  const std::vector<std::string> texts = Texts(invalid_);
  const std::string head = absl::StrCat("The ", kind, " \"", name, "\" is invalid: ");
  if (texts.size() == 1) return absl::InvalidArgumentError(absl::StrCat(head, texts[0]));
  return absl::InvalidArgumentError(absl::StrCat(head, "\n* ", absl::StrJoin(texts, "\n* ")));
}

}  // namespace crisp::agent
