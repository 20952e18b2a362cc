#include "log/log_manifest.h"

#include <charconv>

#include "core/placement.h"
#include "log/crc32c.h"
#include "log/replace_file.h"

namespace odometer {

namespace {

Result<std::string> ReadSmallFile(FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  std::string bytes(4096, '\0');
  Result<size_t> got = (*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!got.ok()) return got.status();
  bytes.resize(*got);
  return bytes;
}

// What follows `name ` on a line of its own.
std::string_view Field(std::string_view text, const std::string& name) {
  size_t at = text.find("\n" + name + " ");
  if (at == std::string_view::npos) return {};
  at += name.size() + 2;
  return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

std::string LogManifest::Encode() const {
  std::string text = "odometer log 1\nlog_id " + log_id.ToString() + "\npartitions " + std::to_string(partitions) +
                     "\nplacement_version " + std::to_string(kPlacementVersion) + "\n";
  if (!copy_of.empty()) text += "copy_of " + copy_of + "\n";
  return text + "crc32c " + std::to_string(Crc32c(0, text)) + "\n";
}

std::string ManifestPath(const std::string& directory) { return directory + "/log.manifest"; }

std::string SegmentsPath(const std::string& directory, uint32_t partition) {
  std::string digits = std::to_string(partition);
  return directory + "/p" + std::string(5 - digits.size(), '0') + digits;
}

Result<LogManifest> ReadManifest(FileSystem& files, const std::string& directory) {
  std::string path = ManifestPath(directory);
  Result<std::string> text = ReadSmallFile(files, path);
  if (!text.ok() && text.status().code() == Code::kNotFound) {
    return Status(Code::kNotFound, directory + ": no log here (no log.manifest)");
  }
  if (!text.ok()) return text.status();
  LogManifest manifest;
  std::optional<Uuid> log_id = Uuid::Parse(Field(*text, "log_id"));
  manifest.copy_of = Field(*text, "copy_of");
  std::string_view partitions = Field(*text, "partitions");
  std::from_chars(partitions.data(), partitions.data() + partitions.size(), manifest.partitions);
  if (log_id) manifest.log_id = *log_id;
  // One text for each content: what does not encode to itself is damaged or of another version.
  if (manifest.Encode() != *text || manifest.partitions == 0 || manifest.partitions > kSlots) {
    return Status(Code::kCorrupt, path + ": damaged, or of a version that this program does not know");
  }
  return manifest;
}

Status WriteManifest(FileSystem& files, const std::string& directory, const LogManifest& manifest) {
  return ReplaceFile(files, directory, ManifestPath(directory), manifest.Encode());
}

}  // namespace odometer
