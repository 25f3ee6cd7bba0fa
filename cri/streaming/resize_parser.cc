#include "cri/streaming/resize_parser.h"

#include <nlohmann/json.hpp>

namespace crisp::cri {
namespace {

// Many times what a size takes.
constexpr size_t kMaxObjectBytes = 1024;

// 0 if absent or no such number. Go's decoder, which clients rely on, takes any case.
uint16_t Number(const nlohmann::json& object, const char* name, const char* lower) {
  for (const char* key : {name, lower}) {
    const auto it = object.find(key);
    if (it == object.end() || !it->is_number_unsigned()) continue;
    const auto value = it->get<uint64_t>();
    return value <= UINT16_MAX ? static_cast<uint16_t>(value) : 0;
  }
  return 0;
}

}  // namespace

std::vector<TerminalSize> ResizeParser::Feed(absl::string_view bytes) {
  std::vector<TerminalSize> sizes;
  for (const char c : bytes) {
    if (object_.empty() && c != '{') continue;
    object_.push_back(c);
    if (c == '}') {
      const auto object = nlohmann::json::parse(object_, nullptr, /*allow_exceptions=*/false);
      if (object.is_object()) {
        const TerminalSize size{Number(object, "Width", "width"),
                                Number(object, "Height", "height")};
        if (size.width > 0 && size.height > 0) sizes.push_back(size);
      }
      object_.clear();
    } else if (object_.size() > kMaxObjectBytes) {
      object_.clear();
    }
  }
  return sizes;
}

}  // namespace crisp::cri
