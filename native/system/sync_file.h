// Waits until a file's bytes are on the disk.
#ifndef NNINIT_SYSTEM_SYNC_FILE_H_
#define NNINIT_SYSTEM_SYNC_FILE_H_

namespace nninit {

// Of a descriptor of Node.js's, a folder's too. Returns 0, or the system's number of the error (errno).
int SyncFile(int descriptor);

}  // namespace nninit

#endif  // NNINIT_SYSTEM_SYNC_FILE_H_
