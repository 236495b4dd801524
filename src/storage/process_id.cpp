#include "storage/process_id.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <istream>
#include <iterator>
#include <system_error>

namespace goalpost {
namespace {

// Empty if there is no such process.
std::string start_of(const std::string& process) {
  std::ifstream in("/proc/" + process + "/stat");
  std::string text{std::istreambuf_iterator<char>(in), {}}, boot;
  std::ifstream boot_file("/proc/sys/kernel/random/boot_id");
  std::getline(boot_file, boot);
  // The name in parentheses may hold anything; the start is the 20th word behind it (proc(5), field 22).
  text.erase(0, text.rfind(')') + 1);
  const bool zombie = text.starts_with(" Z");
  for (int i = 0; i < 19; ++i) text.erase(0, std::min(text.find(' ', 1), text.size()));
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos || zombie) return "";
  return boot + "/" + text.substr(begin, text.find(' ', begin) - begin);
}

}  // namespace

ProcessId ProcessId::self() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"localhost"};
  const std::string process = std::to_string(::getpid());
  std::error_code ignored;
  return {host.data(), process, start_of(process), std::filesystem::read_symlink("/proc/self/ns/pid", ignored)};
}

ProcessId ProcessId::read(std::istream& in) {
  ProcessId id;
  in >> id.host >> id.process >> id.start;
  for (char c; in.get(c) && c != '\n';)  // on the same line, or missing
    if (c != ' ') id.space += c;
  return id;
}

std::string ProcessId::text() const { return fmt::format("{} {} {} {}", host, process, start, space); }

bool ProcessId::is_near() const {
  const ProcessId here = self();
  return host == here.host && !start.empty() && (space.empty() || space == here.space);
}

bool ProcessId::has_ended() const { return is_near() && start_of(process) != start; }

}  // namespace goalpost
