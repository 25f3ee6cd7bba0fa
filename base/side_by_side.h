// A few jobs at once, where each waits for something else: a process, a plugin, a disk.
//
// Threads: free function; `work` runs on several threads and must not throw there.
// Errors:  none: where no thread can be started, those that there are do it all.
#ifndef CRISP_BASE_SIDE_BY_SIDE_H_
#define CRISP_BASE_SIDE_BY_SIDE_H_

#include <cstddef>
#include <functional>

namespace crisp {

// Calls `work(i)` for each i below `count`, `most` at a time, the caller's thread being one
// of them. Returns when all have returned.
void SideBySide(size_t count, size_t most, const std::function<void(size_t)>& work);

}  // namespace crisp

#endif  // CRISP_BASE_SIDE_BY_SIDE_H_
