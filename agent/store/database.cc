#include "agent/store/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::agent {
namespace {

constexpr int64_t kSchemaVersion = 1;

constexpr char kSchema[] = R"sql(
CREATE TABLE objects (
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  object TEXT NOT NULL,
  PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE versions (id INTEGER PRIMARY KEY CHECK (id = 0), last INTEGER NOT NULL);
INSERT INTO versions VALUES (0, 0);
PRAGMA user_version = 1;
)sql";

absl::StatusOr<UniqueFd> Lock(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd("open " + path, [&] {
                           return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                         0600);
                         }));
  const absl::Status locked =
      Sys("lock " + path, [&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); });
  if (ErrnoOf(locked) == EWOULDBLOCK) {
    return absl::FailedPreconditionError(
        absl::StrCat("another crisp agent uses the same root (", path, " is locked)"));
  }
  CRISP_RETURN_IF_ERROR(locked);
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  CRISP_RETURN_IF_ERROR(MakeDirs(path.substr(0, path.rfind('/')), 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock, Lock(path + ".lock"));
  // Secrets are in it. SQLite gives the files beside it the same mode.
  CRISP_RETURN_IF_ERROR(SysFd("open " + path, [&] {
                          return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                        0600);
                        }).status());
  std::unique_ptr<Database> database(new Database(path, std::move(lock)));
  CRISP_RETURN_IF_ERROR(database->Connect());
  CRISP_RETURN_IF_ERROR(database->CheckIntegrity());
  CRISP_RETURN_IF_ERROR(database->CheckSchema());
  CRISP_RETURN_IF_ERROR(database->PrepareWrites());
  return database;
}

absl::Status Database::Error(const std::string& doing) const {
  const int code = sqlite3_errcode(db_.get());
  const std::string text = absl::StrCat(path_, ": ", doing, ": ", sqlite3_errmsg(db_.get()));
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(
          absl::StrCat("the agent's database ", path_, " is damaged (", sqlite3_errmsg(db_.get()),
                       "): put back a copy, or move it away to begin without objects"));
    default:
      return absl::InternalError(text);
  }
}

absl::Status Database::Run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return Error("set up");
}

absl::StatusOr<Database::Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return Error("prepare");
  }
  return Statement(statement);
}

absl::StatusOr<int64_t> Database::Number(const char* sql) {
  CRISP_ASSIGN_OR_RETURN(const Statement statement, Prepare(sql));
  if (sqlite3_step(statement.get()) != SQLITE_ROW) return Error("read");
  return sqlite3_column_int64(statement.get(), 0);
}

absl::Status Database::Connect() {
  sqlite3* db = nullptr;
  // One thread at a time uses it (the store's write lock): SQLite needs no lock of its own.
  const int opened =
      sqlite3_open_v2(path_.c_str(), &db,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  db_.reset(db);
  if (opened != SQLITE_OK) return Error("open");
  return Run(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
      "PRAGMA trusted_schema = OFF;");
}

absl::Status Database::CheckIntegrity() {
  CRISP_ASSIGN_OR_RETURN(const Statement check, Prepare("PRAGMA quick_check(1)"));
  if (sqlite3_step(check.get()) != SQLITE_ROW) return Error("check");
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(check.get(), 0));
  if (text != nullptr && absl::string_view(text) == "ok") return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the agent's database ", path_, " is damaged (", text == nullptr ? "?" : text,
                   "): put back a copy, or move it away to begin without objects"));
}

absl::Status Database::CheckSchema() {
  CRISP_ASSIGN_OR_RETURN(const int64_t version, Number("PRAGMA user_version"));
  if (version == kSchemaVersion) return absl::OkStatus();
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the agent's database ", path_, " has version ", version,
                     ", written by a newer crisp; this one knows ", kSchemaVersion));
  }
  const absl::Status made = Run(absl::StrCat("BEGIN IMMEDIATE;", kSchema, "COMMIT;").c_str());
  if (!made.ok()) (void)Run("ROLLBACK");
  return made;
}

absl::Status Database::PrepareWrites() {
  const std::pair<Statement*, const char*> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&rollback_, "ROLLBACK"},
      {&put_, "INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4)"},
      {&delete_, "DELETE FROM objects WHERE kind = ?1 AND namespace = ?2 AND name = ?3"},
      {&set_version_, "UPDATE versions SET last = ?1"}};
  for (const auto& [statement, sql] : statements) {
    CRISP_ASSIGN_OR_RETURN(*statement, Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status Database::ReadAll(absl::FunctionRef<absl::Status(const std::string&)> row) {
  CRISP_ASSIGN_OR_RETURN(const Statement all, Prepare("SELECT object FROM objects"));
  while (true) {
    const int step = sqlite3_step(all.get());
    if (step == SQLITE_DONE) return absl::OkStatus();
    if (step != SQLITE_ROW) return Error("read");
    const auto* text = static_cast<const char*>(sqlite3_column_blob(all.get(), 0));
    const int size = sqlite3_column_bytes(all.get(), 0);
    const std::string object = text == nullptr ? "" : std::string(text, static_cast<size_t>(size));
    CRISP_RETURN_IF_ERROR(Annotate(row(object), path_));
  }
}

absl::StatusOr<int64_t> Database::LastVersion() { return Number("SELECT last FROM versions"); }

absl::Status Database::Step(sqlite3_stmt* statement, const std::string& doing) {
  const int step = sqlite3_step(statement);
  absl::Status status = step == SQLITE_DONE ? absl::OkStatus() : Error(doing);
  sqlite3_reset(statement);  // Repeats the error of the step, which is told already.
  return status;
}

absl::Status Database::Write(sqlite3_stmt* statement, const ObjectKey& key, const std::string* text,
                             int64_t version) {
  // The values stay alive until the statement is reset below.
  const auto bind = [&](int at, const std::string& value) {
    sqlite3_bind_text64(statement, at, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  };
  bind(1, key.kind);
  bind(2, key.ns);
  bind(3, key.name);
  if (text != nullptr) bind(4, *text);
  sqlite3_bind_int64(set_version_.get(), 1, version);
  const std::string doing = absl::StrCat("write ", key.kind, " ", key.name);
  absl::Status written = Step(begin_.get(), doing);
  if (written.ok()) {
    written = Step(statement, doing);
    if (written.ok()) written = Step(set_version_.get(), doing);
    if (written.ok()) written = Step(commit_.get(), doing);
    // Some errors have rolled back by themselves; then there is nothing to take back.
    if (!written.ok()) (void)Step(rollback_.get(), doing);
  }
  sqlite3_clear_bindings(statement);
  return written;
}

absl::Status Database::Put(const ObjectKey& key, const std::string& text, int64_t version) {
  return Write(put_.get(), key, &text, version);
}

absl::Status Database::Delete(const ObjectKey& key, int64_t version) {
  return Write(delete_.get(), key, nullptr, version);
}

}  // namespace crisp::agent
