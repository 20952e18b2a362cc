// log/replace_file.h: a small file that is always whole: the old content or the new one, whatever happens.
//
//   Status written = ReplaceFile(files, directory, directory + "/log.manifest", text);
#pragma once

#include <string>
#include <string_view>

#include "log/file_system.h"

namespace odometer {

// Durable on return. `path` lies in the directory; beside it path + ".tmp" is used.
Status ReplaceFile(FileSystem& files, const std::string& directory, const std::string& path, std::string_view text);

}  // namespace odometer
