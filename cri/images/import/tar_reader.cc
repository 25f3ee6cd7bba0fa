#include "cri/images/import/tar_reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

constexpr int64_t kBlock = 512;
constexpr int kMaxEntries = 100'000;
constexpr int64_t kMaxExtensionBytes = 1 << 20;
constexpr int64_t kMaxEntryBytes = int64_t{1} << 46;

struct Field {
  size_t offset, size;
};
// The ustar header (tar(5)).
constexpr Field kName{0, 100}, kSize{124, 12}, kChecksum{148, 8}, kLinkName{157, 100},
    kMagic{257, 6}, kPrefix{345, 155};
constexpr size_t kTypeOffset = 156;

absl::string_view Raw(absl::string_view header, Field field) {
  return header.substr(field.offset, field.size);
}

// Text up to the first NUL, or the whole field.
absl::string_view Text(absl::string_view header, Field field) {
  const absl::string_view raw = Raw(header, field);
  return raw.substr(0, raw.find('\0'));
}

// Octal digits among spaces and NULs, or GNU's big-endian binary with the top bit set.
absl::optional<int64_t> Number(absl::string_view raw) {
  if ((raw[0] & 0x80) != 0) {
    uint64_t value = raw[0] & 0x7f;
    for (const char c : raw.substr(1)) {
      if (value > static_cast<uint64_t>(kMaxEntryBytes)) return absl::nullopt;
      value = value << 8 | static_cast<unsigned char>(c);
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return absl::nullopt;
    return static_cast<int64_t>(value);
  }
  int64_t value = 0;
  bool ended = false;
  for (const char c : raw) {
    if (c == ' ' || c == '\0') {
      ended = ended || value != 0;
    } else if (c < '0' || c > '7' || ended) {
      return absl::nullopt;
    } else {
      value = value * 8 + (c - '0');
    }
  }
  return value;
}

bool ChecksumHolds(absl::string_view header) {
  int64_t sum = 0;
  for (size_t i = 0; i < header.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return Number(Raw(header, kChecksum)) == sum;
}

// "LENGTH KEY=VALUE\n" records, LENGTH counting itself (pax(1)).
bool ParsePax(absl::string_view text, std::map<std::string, std::string>* out) {
  while (!text.empty()) {
    const size_t space = text.find(' ');
    size_t length = 0;
    if (space == absl::string_view::npos || !absl::SimpleAtoi(text.substr(0, space), &length) ||
        length <= space + 1 || length > text.size() || text[length - 1] != '\n') {
      return false;
    }
    const absl::string_view record = text.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals == absl::string_view::npos) return false;
    (*out)[std::string(record.substr(0, equals))] = std::string(record.substr(equals + 1));
    text.remove_prefix(length);
  }
  return true;
}

TarEntry::Kind KindOf(char type) {
  switch (type) {
    case '0':
    case '7':
    case '\0':
      return TarEntry::Kind::kFile;
    case '1':
      return TarEntry::Kind::kHardlink;
    case '2':
      return TarEntry::Kind::kSymlink;
    case '5':
      return TarEntry::Kind::kDirectory;
    default:
      return TarEntry::Kind::kOther;
  }
}

}  // namespace

absl::Status TarReader::Bad(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat("tar archive, byte ", position_, ": ", what));
}

absl::Status TarReader::Refill() {
  if (used_ < buffer_.size() || source_ended_) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(buffer_, source_->Next());
  used_ = 0;
  source_ended_ = buffer_.empty();
  return absl::OkStatus();
}

absl::StatusOr<std::string> TarReader::Take(size_t size) {
  std::string out;
  while (out.size() < size) {
    CRISP_RETURN_IF_ERROR(Refill());
    if (used_ == buffer_.size()) break;
    const size_t n = std::min(size - out.size(), buffer_.size() - used_);
    out.append(buffer_, used_, n);
    used_ += n;
    position_ += static_cast<int64_t>(n);
  }
  return out;
}

absl::Status TarReader::Skip(int64_t size) {
  while (size > 0) {
    CRISP_RETURN_IF_ERROR(Refill());
    if (used_ == buffer_.size()) return Bad("ends within an entry");
    const int64_t n = std::min<int64_t>(size, static_cast<int64_t>(buffer_.size() - used_));
    used_ += static_cast<size_t>(n);
    position_ += n;
    size -= n;
  }
  return absl::OkStatus();
}

absl::Status TarReader::FinishEntry() {
  CRISP_RETURN_IF_ERROR(Skip(remaining_));
  remaining_ = 0;
  // The last block's padding is often cut off.
  CRISP_ASSIGN_OR_RETURN(const std::string ignored, Take(static_cast<size_t>(padding_)));
  padding_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::string> TarReader::ReadExtension(int64_t size) {
  if (size > kMaxExtensionBytes) return Bad("extended header over 1 MiB");
  CRISP_ASSIGN_OR_RETURN(std::string text, Take(static_cast<size_t>(size)));
  if (text.size() != static_cast<size_t>(size)) return Bad("ends within an extended header");
  CRISP_RETURN_IF_ERROR(Skip((kBlock - size % kBlock) % kBlock));
  return text;
}

absl::StatusOr<absl::optional<TarEntry>> TarReader::Next() {
  CRISP_RETURN_IF_ERROR(FinishEntry());
  PaxRecords pax;
  std::string long_name, long_target;
  while (!ended_) {
    CRISP_ASSIGN_OR_RETURN(const std::string header, Take(kBlock));
    if (header.empty() || header.find_first_not_of('\0') == std::string::npos) {
      // Two blocks of zeros end an archive, and so does its end.
      if (entries_ == 0) return Bad("holds no entry");
      ended_ = true;
      break;
    }
    if (header.size() != kBlock) return Bad("ends within a header");
    if (!ChecksumHolds(header)) {
      return Bad("header checksum is wrong: not a tar archive, or a compressed one");
    }
    if (++entries_ > kMaxEntries) return Bad("more than 100000 entries");
    absl::optional<int64_t> size = Number(Raw(header, kSize));
    if (!size.has_value() || *size < 0 || *size > kMaxEntryBytes) return Bad("bad size");
    const char type = header[kTypeOffset];
    if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
      CRISP_ASSIGN_OR_RETURN(std::string text, ReadExtension(*size));
      if (type == 'x' && !ParsePax(text, &pax)) return Bad("malformed pax header");
      text.resize(std::min(text.find('\0'), text.size()));
      if (type == 'L') long_name = text;
      if (type == 'K') long_target = text;
      continue;
    }
    TarEntry entry;
    entry.kind = KindOf(type);
    entry.name = std::string(Text(header, kName));
    entry.target = std::string(Text(header, kLinkName));
    const absl::string_view prefix = Text(header, kPrefix);
    // GNU's own format keeps other things where ustar keeps the prefix.
    if (Raw(header, kMagic) == absl::string_view("ustar\0", 6) && !prefix.empty()) {
      entry.name = absl::StrCat(prefix, "/", entry.name);
    }
    if (!long_name.empty()) entry.name = long_name;
    if (!long_target.empty()) entry.target = long_target;
    if (const auto it = pax.find("path"); it != pax.end()) entry.name = it->second;
    if (const auto it = pax.find("linkpath"); it != pax.end()) entry.target = it->second;
    if (const auto it = pax.find("size"); it != pax.end()) {
      int64_t value = 0;
      if (!absl::SimpleAtoi(it->second, &value) || value < 0 || value > kMaxEntryBytes) {
        return Bad("bad size in a pax header");
      }
      size = value;
    }
    if (entry.name.empty() || entry.name.find('\0') != std::string::npos) return Bad("bad name");
    if (pax.count("GNU.sparse.major") != 0 || type == 'S') return Bad("sparse file");
    const bool has_content =
        entry.kind == TarEntry::Kind::kFile || entry.kind == TarEntry::Kind::kOther;
    remaining_ = has_content ? *size : 0;
    padding_ = (kBlock - remaining_ % kBlock) % kBlock;
    entry.size = remaining_;
    return absl::optional<TarEntry>(std::move(entry));
  }
  return absl::optional<TarEntry>();
}

absl::Status TarReader::ReadContent(const std::function<absl::Status(absl::string_view)>& sink) {
  while (remaining_ > 0) {
    CRISP_RETURN_IF_ERROR(Refill());
    if (used_ == buffer_.size()) return Bad("ends within an entry");
    const size_t n = std::min<size_t>(static_cast<size_t>(remaining_), buffer_.size() - used_);
    const absl::string_view piece(buffer_.data() + used_, n);
    used_ += n;
    position_ += static_cast<int64_t>(n);
    remaining_ -= static_cast<int64_t>(n);
    CRISP_RETURN_IF_ERROR(sink(piece));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TarReader::ReadText(size_t max_bytes) {
  if (static_cast<size_t>(remaining_) > max_bytes) {
    return Bad(
        absl::StrCat("entry of ", remaining_, " bytes where at most ", max_bytes, " belong"));
  }
  std::string out;
  CRISP_RETURN_IF_ERROR(ReadContent([&out](absl::string_view piece) {
    out.append(piece.data(), piece.size());
    return absl::OkStatus();
  }));
  return out;
}

}  // namespace crisp::cri
