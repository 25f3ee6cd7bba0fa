// HTTP/2 frames as a client sends them, for tests that leave what no library would.
#ifndef CRISP_GRPC_SERVER_TEST_FRAMES_H_
#define CRISP_GRPC_SERVER_TEST_FRAMES_H_

#include <string>
#include <utility>
#include <vector>

namespace crisp::grpcserver {

inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// RFC 9113, 6.
inline constexpr char kDataFrame = 0, kHeadersFrame = 1, kResetFrame = 3, kSettingsFrame = 4;
inline constexpr char kEndStream = 1, kEndHeaders = 4;

// `payload` and `stream` are below 128.
inline std::string Frame(char type, char flags, char stream, const std::string& payload) {
  return std::string{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream} +
         payload;
}

// Literals without indexing, no Huffman code (RFC 7541, 6.2.2).
inline std::string Headers(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string headers;
  for (const auto& [name, value] : fields) {
    headers.push_back(0);
    for (const std::string& text : {name, value}) {
      headers.push_back(static_cast<char>(text.size()));
      headers += text;
    }
  }
  return headers;
}

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_TEST_FRAMES_H_
