#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/text.h"

namespace goalpost {
namespace {

constexpr double kSmoothing = 0.3;  // weight of the newest interval in the rate, as tqdm

// 24 where nothing is known.
std::size_t terminal_height(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

int terminal_width(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int width = columns == nullptr ? 0 : std::atoi(columns);
  return width > 0 ? width : 80;
}

// Whether it moves its cursor where it is told to. NO_COLOR asks for text without codes.
bool is_screen(int descriptor) {
  const char* terminal = std::getenv("TERM");
  const char* plain = std::getenv("NO_COLOR");
  return ::isatty(descriptor) != 0 && terminal != nullptr && *terminal != '\0' &&
         std::string_view(terminal) != "dumb" && (plain == nullptr || *plain == '\0');
}

// The first of these variables that is set says it, as for setlocale.
bool locale_is_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    std::string text;
    for (const char* c = value; *c != '\0'; ++c)
      if (*c != '-') text += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
    return text.find("utf8") != text.npos;
  }
  return false;
}

double fraction(const ProgressState& s) {
  return s.total > 0 ? std::clamp(static_cast<double>(s.done) / static_cast<double>(s.total), 0.0, 1.0) : 1.0;
}

int percent(const ProgressState& s) { return static_cast<int>(100 * fraction(s)); }  // 100 only when all is done

std::string counts(const ProgressState& s) {
  const double left = static_cast<double>(std::max<std::int64_t>(s.total - s.done, 0));
  return fmt::format("{}/{} [{}<{}, {}{}/s{}{}]", format_count(static_cast<double>(s.done)),
                     format_count(static_cast<double>(s.total)), format_duration(s.elapsed_s),
                     format_duration(left == 0    ? 0
                                     : s.rate > 0 ? left / s.rate
                                                  : -1),
                     s.rate > 0 ? format_count(s.rate) : "?", s.unit, s.postfix.empty() ? "" : ", ", s.postfix);
}

std::string bar(double part, int width, bool unicode) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(part * width * 8);
  const int full = eighths / 8;
  std::string result;
  for (int i = 0; i < full; ++i) result += unicode ? "█" : "#";
  int used = full;
  if (unicode && eighths % 8 > 0) {
    result += kEighths[static_cast<std::size_t>(eighths % 8)];
    ++used;
  }
  return result.append(static_cast<std::size_t>(width - used), ' ');
}

}  // namespace

std::string format_bar(const ProgressState& state, int width, bool unicode) {
  const std::string left = fmt::format("{}: {:3}%|", state.name, percent(state));
  std::string right = fmt::format("| {}", counts(state));
  const auto columns = [](const std::string& text) {  // bytes that do not continue a UTF-8 character
    return static_cast<int>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  };
  const int room = width - columns(left) - columns(right);
  std::string line = left + bar(fraction(state), std::max(room, 0), unicode) + right;
  while (columns(line) > std::max(width, 0)) {
    while ((static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
    line.pop_back();
  }
  return line;
}

std::string format_progress_line(const ProgressState& state) {
  return fmt::format("{}: {}% {}", state.name, percent(state), counts(state));
}

Progress::Progress(std::string name, std::int64_t total, std::string unit, ProgressOptions options)
    : name_(std::move(name)),
      unit_(std::move(unit)),
      total_(total),
      done_(options.first),
      measured_(options.first),
      options_(options),
      terminal_(is_screen(options.descriptor)),
      unicode_(locale_is_utf8()),
      start_(Clock::now()),
      last_(start_) {
  if (terminal_) draw(start_);
}

Progress::~Progress() { finish(); }

void Progress::update(std::int64_t done, std::string_view postfix, std::span<const ProgressState> parts) {
  if (finished_ || options_.quiet) return;
  done_ = done;
  postfix_ = postfix;
  const Clock::time_point now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10))) return;
  measure(now);
  if (terminal_) show_parts(parts);
  draw(now);
}

void Progress::line(std::string_view text) {
  if (options_.quiet) return;
  if (!terminal_ || finished_) return print(fmt::format("{}\n", text));
  print(fmt::format("\r\033[{}{}\n", drawn_below_ > 0 ? "J" : "K", text));
  draw(last_);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  below_.clear();
  const Clock::time_point now = Clock::now();
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  smooth_steps_ = static_cast<double>(done_ - options_.first);  // the last rate shown is the mean of the whole
  smooth_seconds_ = elapsed_s;
  draw(now);
  if (terminal_) print("\n");
}

// An exponentially weighted mean of steps over one of seconds. Their common bias at the start cancels.
void Progress::measure(Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  const double steps = static_cast<double>(done_ - measured_);
  smooth_steps_ += kSmoothing * (steps - smooth_steps_);
  smooth_seconds_ += kSmoothing * (seconds - smooth_seconds_);
  measured_ = done_;
  last_ = now;
}

ProgressState Progress::state(Clock::time_point now) const {
  return {.name = name_,
          .unit = unit_,
          .done = done_,
          .total = total_,
          .elapsed_s = std::chrono::duration<double>(now - start_).count(),
          .rate = smooth_seconds_ > 0 && smooth_steps_ > 0 ? smooth_steps_ / smooth_seconds_ : 0,
          .postfix = postfix_};
}

// As many as fit on the screen.
void Progress::show_parts(std::span<const ProgressState> parts) {
  const std::size_t room = std::max<std::size_t>(terminal_height(options_.descriptor), 2) - 2;
  below_.clear();
  for (const ProgressState& part : parts.first(std::min(parts.size(), room)))
    below_.push_back(format_bar(part, terminal_width(options_.descriptor) - 1, unicode_));
}

void Progress::draw(Clock::time_point now) {
  if (!terminal_) return print(format_progress_line(state(now)) + "\n");
  // One column stays free: a terminal that wraps at once would start a new line.
  std::string text =
      fmt::format("\r{}\033[K", format_bar(state(now), terminal_width(options_.descriptor) - 1, unicode_));
  for (const std::string& line : below_) text += fmt::format("\n{}\033[K", line);
  if (drawn_below_ > below_.size()) text += "\033[J";  // what is left of earlier lines
  if (!below_.empty()) text += fmt::format("\r\033[{}A", below_.size());
  drawn_below_ = below_.size();
  print(text);
}

void Progress::print(std::string_view text) const {
  if (options_.quiet) return;
  while (!text.empty()) {
    const ssize_t written = ::write(options_.descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace goalpost
