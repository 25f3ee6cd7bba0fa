// The file behind the object store: one SQLite database in WAL mode.
//
// Every write is one transaction, in the log before the call returns; it is synced
// when SQLite checkpoints, so a loss of power takes back the last commits at most.
//
// Ownership: holds the lock file next to it until destroyed, so that one process at
//            a time uses the database.
// Threads:   one at a time.
// Errors:    FailedPrecondition while another process holds it, or when a newer crisp
//            wrote it; DataLoss when it is damaged; ResourceExhausted when the disk is
//            full; else Internal. All name the path.
#ifndef CRISP_AGENT_STORE_DATABASE_H_
#define CRISP_AGENT_STORE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/store/object.h"
#include "base/unique_fd.h"

namespace crisp::agent {

class Database {
 public:
  // Makes what is missing: the directory (0700), the file (0600), the tables.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);

  // Every object's text. Stops at the first error of `row`.
  absl::Status ReadAll(absl::FunctionRef<absl::Status(const std::string& text)> row);
  // The version of the last write, 0 before the first.
  absl::StatusOr<int64_t> LastVersion();

  absl::Status Put(const ObjectKey& key, const std::string& text, int64_t version);
  absl::Status Delete(const ObjectKey& key, int64_t version);

  const std::string& path() const { return path_; }

 private:
  struct CloseConnection {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  Database(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  absl::Status Connect();
  absl::Status CheckSchema();
  absl::Status CheckIntegrity();
  absl::Status PrepareWrites();
  absl::Status Error(const std::string& doing) const;
  absl::Status Run(const char* sql);
  absl::StatusOr<Statement> Prepare(const char* sql);
  absl::StatusOr<int64_t> Number(const char* sql);
  absl::Status Step(sqlite3_stmt* statement, const std::string& doing);
  absl::Status Write(sqlite3_stmt* statement, const ObjectKey& key, const std::string* text,
                     int64_t version);

  const std::string path_;
  const UniqueFd lock_;
  std::unique_ptr<sqlite3, CloseConnection> db_;
  Statement begin_, commit_, rollback_, put_, delete_, set_version_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STORE_DATABASE_H_
