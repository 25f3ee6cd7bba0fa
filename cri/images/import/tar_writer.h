// Tar archives for tests: ustar, with GNU long names.
#ifndef CRISP_CRI_IMAGES_IMPORT_TAR_WRITER_H_
#define CRISP_CRI_IMAGES_IMPORT_TAR_WRITER_H_

#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace crisp::cri {

class TarWriter {
 public:
  void File(const std::string& name, absl::string_view content, int mode = 0644) {
    Entry(name, '0', "", content, mode);
  }
  void Directory(const std::string& name) { Entry(name, '5', "", "", 0755); }
  void Symlink(const std::string& name, const std::string& target) {
    Entry(name, '2', target, "", 0777);
  }
  void Hardlink(const std::string& name, const std::string& target) {
    Entry(name, '1', target, "", 0644);
  }
  void Entry(const std::string& name, char type, const std::string& target,
             absl::string_view content, int mode) {
    if (name.size() >= 100) Entry("././@LongLink", 'L', "", name + std::string(1, '\0'), 0);
    char header[512] = {};
    std::strncpy(header, name.c_str(), 99);
    std::snprintf(header + 100, 8, "%07o", mode);
    std::snprintf(header + 108, 8, "%07o", 0);
    std::snprintf(header + 116, 8, "%07o", 0);
    std::snprintf(header + 124, 12, "%011llo", static_cast<unsigned long long>(content.size()));
    std::snprintf(header + 136, 12, "%011o", 0);
    header[156] = type;
    std::strncpy(header + 157, target.c_str(), 99);
    std::memcpy(header + 257, "ustar", 6);
    std::memcpy(header + 263, "00", 2);
    std::memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header + 148, 8, "%06o", sum);
    out_.append(header, sizeof(header));
    out_.append(content.data(), content.size());
    out_.append((512 - content.size() % 512) % 512, '\0');
  }
  std::string Finish() const { return out_ + std::string(1024, '\0'); }

 private:
  std::string out_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_TAR_WRITER_H_
