// The file format of crispd's records under /run/crisp/pods.
//
// A record is one protobuf message behind a line of text that says which boot
// wrote it and what the bytes must hash to. Records are replaced by rename and
// not fsynced: the pods they describe do not survive a reboot, and the page
// cache survives a crash of crispd.
//
// Threads: free functions.
// Errors:  NotFound when absent; DataLoss when the content is not a record that
//          crispd wrote whole; errno of the file system otherwise.
#ifndef CRISP_CRI_RECORDS_RECORD_FILE_H_
#define CRISP_CRI_RECORDS_RECORD_FILE_H_

#include <google/protobuf/message_lite.h>

#include <string>

#include "absl/status/status.h"

namespace crisp::cri {

absl::Status WriteRecord(const std::string& path, const std::string& boot_id,
                         const google::protobuf::MessageLite& record);

// Sets `*boot_id` to the boot that wrote the record.
absl::Status ReadRecord(const std::string& path, google::protobuf::MessageLite* record,
                        std::string* boot_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECORDS_RECORD_FILE_H_
