// Runs a fuzz entry without libFuzzer: every file of a corpus as it is, then seeded damages of them.
//
//   fuzz_decode CORPUS_DIRECTORY EXTENSION ROUNDS      such as: fuzz_decode schemas/golden .bin 20000
//
// The same seed (ODOMETER_SEED) gives the same inputs. The input under test is kept in a file if one is named in
// ODOMETER_FUZZ_KEEP, so that a crash leaves it behind.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::vector<std::string> ReadCorpus(const std::filesystem::path& directory, const std::string& extension) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == extension) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // a directory has no order, a seed needs one
  std::vector<std::string> corpus;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  Mutator(uint64_t seed, const std::vector<std::string>& corpus) : random_(seed), corpus_(corpus) {}

  std::string Next() {
    std::string input = corpus_[Below(corpus_.size())];
    for (uint64_t damages = 1 + Below(4); damages > 0 && !input.empty(); --damages) Damage(&input);
    return input;
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void Damage(std::string* input) {
    size_t at = Below(input->size());
    size_t length = 1 + Below(std::min<size_t>(input->size() - at, 16));
    switch (Below(7)) {
      case 0: (*input)[at] ^= static_cast<char>(1 << Below(8)); break;
      case 1: (*input)[at] = static_cast<char>(random_()); break;
      case 2: input->resize(at); break;
      case 3: input->erase(at, length); break;
      case 4: input->insert(at, input->substr(Below(input->size()), length)); break;
      case 5: input->replace(at, 1, Token()); break;
      default: Splice(input, at); break;
    }
  }

  // The front of this one and the back of another one.
  void Splice(std::string* input, size_t at) {
    const std::string& other = corpus_[Below(corpus_.size())];
    input->resize(at);
    *input += other.substr(std::min(other.size(), at));
  }

  // Numbers at the edges of their widths, as bytes and as text, and the tokens of JSON.
  std::string Token() {
    static const std::vector<std::string> tokens = {
        std::string(4, '\0'), std::string(8, '\xff'), std::string("\x00\x00\x00\x80", 4), "\x01\x01\x01\x01", "{", "}",
        "[", "]", ":", ",", "\"", "\\u0000", "\\ud800", "null", "-1", "1e9", "9223372036854775808", "\xc3\x28", "\n"};
    return tokens[Below(tokens.size())];
  }

  std::mt19937_64 random_;
  const std::vector<std::string>& corpus_;
};

void Run(const std::string& input) {
  if (const char* keep = std::getenv("ODOMETER_FUZZ_KEEP")) std::ofstream(keep, std::ios::binary) << input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY EXTENSION ROUNDS\n", argv[0]);
    return 2;
  }
  std::vector<std::string> corpus = ReadCorpus(argv[1], argv[2]);
  if (corpus.empty()) {
    std::fprintf(stderr, "no %s file in %s\n", argv[2], argv[1]);
    return 2;
  }
  const char* text = std::getenv("ODOMETER_SEED");
  uint64_t seed = text == nullptr ? 20'240'229 : std::strtoull(text, nullptr, 10);
  std::printf("ODOMETER_SEED=%llu corpus=%zu rounds=%s\n", static_cast<unsigned long long>(seed), corpus.size(),
              argv[3]);
  std::fflush(stdout);
  Run("");
  for (const std::string& input : corpus) Run(input);
  Mutator mutator(seed, corpus);
  for (uint64_t rounds = std::strtoull(argv[3], nullptr, 10); rounds > 0; --rounds) Run(mutator.Next());
  return 0;
}
