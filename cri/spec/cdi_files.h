// The spec files of the Container Device Interface, read and checked.
//
// Threads: a free function.
// Errors:  a file that cannot be used is a line in `problems`, not an error.
#ifndef CRISP_CRI_SPEC_CDI_FILES_H_
#define CRISP_CRI_SPEC_CDI_FILES_H_

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace crisp::cri {

struct CdiDevice {
  // Of the whole file, applied once however many of its devices are used.
  std::shared_ptr<const nlohmann::json> common;
  nlohmann::json edits;  // The device's own.
};

struct CdiFiles {
  std::map<std::string, CdiDevice> devices;  // By full name.
  std::vector<std::string> problems;         // Files left out, names that clash.
};

// Directories that do not exist are empty.
CdiFiles ReadCdiFiles(const std::vector<std::string>& directories);

// "vendor.example/class", as `kind` in a file and before '=' in a name.
bool IsCdiKind(const std::string& text);
// A device's name within its kind.
bool IsCdiDeviceName(const std::string& text);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_CDI_FILES_H_
