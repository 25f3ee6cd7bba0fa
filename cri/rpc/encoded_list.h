// The answer to a list RPC as bytes. Thousands of objects are listed every second and few
// of them change in between: each one's message is encoded when its facts have changed,
// and an answer is put together by copying bytes. The answer without a filter is kept.
//
// An entry is a whole field 1 of the response: tag, length, message. That is where every
// list RPC and its streaming twin have their objects, so entries joined are a response.
//
// Ownership: owns the bytes; answers share them.
// Threads:   safe. Changes wait for one another, not readers of a kept answer for long:
//            the lock is held while an answer is put together.
#ifndef CRISP_CRI_RPC_ENCODED_LIST_H_
#define CRISP_CRI_RPC_ENCODED_LIST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cri/messages/message_field.h"
#include "cri/records/kept_encoding.h"

namespace crisp::cri {

// `Store` has changes() and All(); its objects have id(), listed() and facts().
template <typename Store, typename Object, typename Message>
class EncodedList {
 public:
  // `fill` makes an object's message.
  EncodedList(const Store* store, void (*fill)(const Object&, Message*))
      : store_(*store), fill_(fill) {}

  // Every listed object.
  Encoded All() {
    absl::MutexLock lock(&mu_);
    // Read first: what changes from here on makes the next call encode anew.
    const uint64_t changes = store_.changes();
    if (all_ == nullptr || changes != all_at_) {
      Refresh();
      size_t size = 0;
      for (const auto& [id, entry] : entries_) size += entry.bytes.size();
      auto all = std::make_shared<std::string>();
      all->reserve(size);
      for (const auto& [id, entry] : entries_) all->append(entry.bytes);
      all_ = std::move(all);
      all_at_ = changes;
    }
    return all_;
  }

  // The listed objects that `matches`, in parts of about `part_bytes` each; at least one
  // part, which may be empty.
  template <typename F>  // bool F(const Object&)
  std::vector<Encoded> Matching(F matches, size_t part_bytes) {
    absl::MutexLock lock(&mu_);
    Refresh();
    std::vector<Encoded> parts;
    std::string part;
    for (const auto& [id, entry] : entries_) {
      if (entry.bytes.empty() || !matches(*entry.object)) continue;
      part.append(entry.bytes);
      if (part.size() >= part_bytes) {
        parts.push_back(std::make_shared<const std::string>(std::exchange(part, {})));
      }
    }
    if (parts.empty() || !part.empty()) {
      parts.push_back(std::make_shared<const std::string>(std::move(part)));
    }
    return parts;
  }

 private:
  struct Entry {
    std::shared_ptr<const Object> object;
    uint64_t version = 0;
    bool encoded = false;
    std::string bytes;  // Empty: not listed.
  };

  // Makes entries_ what the store has now. Both are in the order of the ids.
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto objects = store_.All();
    auto at = entries_.begin();
    for (const auto& object : objects) {
      while (at != entries_.end() && at->first < object->id()) at = entries_.erase(at);
      if (at == entries_.end() || at->first != object->id()) {
        at = entries_.emplace_hint(at, object->id(), Entry{.object = object});
      }
      Encode(at->second);
      ++at;
    }
    entries_.erase(at, entries_.end());
  }

  void Encode(Entry& entry) {
    const uint64_t version = entry.object->facts().version();
    if (entry.encoded && entry.version == version) return;
    entry.encoded = true;
    entry.version = version;
    entry.bytes.clear();
    if (!entry.object->listed()) return;
    Message message;
    fill_(*entry.object, &message);
    AppendField<1>(message.SerializeAsString(), &entry.bytes);
  }

  const Store& store_;
  void (*const fill_)(const Object&, Message*);
  absl::Mutex mu_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
  Encoded all_ ABSL_GUARDED_BY(mu_);
  uint64_t all_at_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RPC_ENCODED_LIST_H_
