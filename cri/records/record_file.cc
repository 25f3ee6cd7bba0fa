#include "cri/records/record_file.h"

#include <fcntl.h>
#include <openssl/sha.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

constexpr char kMagic[] = "crisp-record-1";
// A request is at most 16 MiB on the wire; a record holds one and little else.
constexpr size_t kMaxRecordBytes = 24 << 20;

std::string Digest(absl::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace

absl::Status WriteRecord(const std::string& path, const std::string& boot_id,
                         const google::protobuf::MessageLite& record) {
  std::string payload;
  if (!record.SerializeToString(&payload)) {
    return absl::InternalError(absl::StrCat("encode record ", path));
  }
  return WriteFileAtomic(
      path, absl::StrCat(kMagic, " ", boot_id, " ", Digest(payload), "\n", payload), 0600);
}

absl::Status ReadRecord(const std::string& path, google::protobuf::MessageLite* record,
                        std::string* boot_id) {
  CRISP_ASSIGN_OR_RETURN(const std::string content, ReadFileAt(AT_FDCWD, path, kMaxRecordBytes));
  const size_t end = content.find('\n');
  if (end == std::string::npos) return absl::DataLossError(absl::StrCat(path, ": cut short"));
  const std::vector<std::string> header = absl::StrSplit(content.substr(0, end), ' ');
  if (header.size() != 3 || header[0] != kMagic) {
    return absl::DataLossError(absl::StrCat(path, ": not a crisp record of this version"));
  }
  const std::string payload = content.substr(end + 1);
  if (Digest(payload) != header[2] || !record->ParseFromString(payload)) {
    return absl::DataLossError(absl::StrCat(path, ": checksum does not match"));
  }
  *boot_id = header[1];
  return absl::OkStatus();
}

}  // namespace crisp::cri
