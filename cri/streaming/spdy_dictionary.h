// The preset dictionary of SPDY/3's header compression.
#ifndef CRISP_CRI_STREAMING_SPDY_DICTIONARY_H_
#define CRISP_CRI_STREAMING_SPDY_DICTIONARY_H_

#include <string>

namespace crisp::cri {

// 1423 bytes, Adler-32 0xe3c6a7c2.
const std::string& SpdyDictionary();

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_DICTIONARY_H_
