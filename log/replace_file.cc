#include "log/replace_file.h"

#include <memory>

namespace odometer {

Status ReplaceFile(FileSystem& files, const std::string& directory, const std::string& path, std::string_view text) {
  std::string temporary = path + ".tmp";
  Result<bool> exists = files.Exists(temporary);
  if (!exists.ok()) return exists.status();
  if (*exists) ODOMETER_RETURN_IF_ERROR(files.Remove(temporary));
  Result<std::unique_ptr<File>> file = files.Open(temporary, FileSystem::Mode::kCreate);
  if (!file.ok()) return file.status();
  ODOMETER_RETURN_IF_ERROR((*file)->WriteAt(0, text));
  ODOMETER_RETURN_IF_ERROR((*file)->Sync());
  ODOMETER_RETURN_IF_ERROR(files.Rename(temporary, path));
  return files.SyncDirectory(directory);
}

}  // namespace odometer
