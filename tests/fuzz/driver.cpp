// A small fuzzer for compilers without libFuzzer: hands the files of a corpus to the target, then mutations of them for
// a bounded time. What crashes, throws, or takes longer than half a minute, is left in crash-<target>.bin in the
// working directory, because the input is written there before it is tried.
// Usage: <target> CORPUS... [-max_total_time=SECONDS] [-seed=S]; the options are libFuzzer's.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <vector>

#include "fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

Bytes read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void mutate(Bytes& bytes, const Bytes& other, std::mt19937& random) {
  static constexpr std::uint8_t kTelling[] = {0,   1,   0x7f, 0x80, 0xff, ',', '"', '\n',
                                              '[', ']', '=',  '.',  '-',  'e', '9'};
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t i = 1 + below(8); i > 0; --i) {
    const std::size_t at = below(bytes.size());
    switch (below(7)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << below(8)));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = kTelling[below(std::size(kTelling))];
        break;
      case 2:
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), kTelling[below(std::size(kTelling))]);
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:  // a number of eight bytes, as counts and addresses are
        for (std::size_t k = 0; k < 8 && at + k < bytes.size(); ++k)
          bytes[at + k] = static_cast<std::uint8_t>(random());
        break;
      case 5: {
        const std::size_t count = below(bytes.size() - at);
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + std::min<std::size_t>(count, 64)));
        break;
      }
      default: {
        const std::size_t from = below(other.size()), count = std::min<std::size_t>(below(other.size() - from), 256);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(from + count));
        break;
      }
    }
  }
  if (bytes.size() > (1u << 18)) bytes.resize(1u << 18);
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 10;
  std::mt19937 random(1);
  std::vector<Bytes> corpus = {{}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("-max_total_time=")) {
      seconds = std::atof(word.c_str() + 16);
    } else if (word.starts_with("-seed=")) {
      random.seed(static_cast<unsigned>(std::atoi(word.c_str() + 6)));
    } else if (word.starts_with("-")) {  // libFuzzer's other options
    } else if (fs::is_directory(word)) {
      for (const auto& entry : fs::directory_iterator(word))
        if (entry.is_regular_file()) corpus.push_back(read(entry.path()));
    } else {
      corpus.push_back(read(word));
    }
  }
  const fs::path kept = "crash-" + fs::path(argv[0]).filename().string() + ".bin";
  const auto try_input = [&](const Bytes& bytes) {
    goalpost::write_input(kept, bytes.data(), bytes.size());
    alarm(30);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  };
  for (const Bytes& bytes : corpus) try_input(bytes);

  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::size_t inputs = 0;
  for (; std::chrono::steady_clock::now() < end; ++inputs) {
    Bytes bytes = corpus[random() % corpus.size()];
    mutate(bytes, corpus[random() % corpus.size()], random);
    try_input(bytes);
  }
  fs::remove(kept);
  std::printf("%zu inputs from %zu files, nothing found\n", inputs, corpus.size() - 1);
  return 0;
}
