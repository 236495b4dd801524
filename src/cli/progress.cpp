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

#include "cli/output.h"
#include "core/text.h"

namespace goalpost {
namespace {

constexpr int kLogSeconds = 10;     // between two lines where there is no terminal
constexpr double kSmoothing = 0.3;  // weight of the newest interval in the rate, as tqdm

// 24 where nothing is known.
std::size_t terminal_height(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
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

// "success=0.71 train: "
std::string head(const ProgressState& s) {
  return fmt::format("{}{}{}{}", s.result, s.result.empty() ? "" : " ", s.name, s.name.empty() ? "" : ": ");
}

// "5.03kstep/s"; below one per second "12.3s/run", as tqdm.
std::string rate_text(const ProgressState& s) {
  if (s.rate <= 0) return fmt::format("?{}/s", s.unit);
  return s.rate < 1 ? fmt::format("{}s/{}", format_count(1 / s.rate), s.unit)
                    : fmt::format("{}{}/s", format_count(s.rate), s.unit);
}

// Times, rate and further numbers, the most important first.
std::vector<std::string> details(const ProgressState& s) {
  const double left = static_cast<double>(std::max<std::int64_t>(s.total - s.done, 0));
  const double seconds_left = left == 0 ? 0 : !std::isnan(s.left_s) ? s.left_s : s.rate > 0 ? left / s.rate : -1;
  std::vector<std::string> list = {fmt::format("{}<{}", format_duration(s.elapsed_s), format_duration(seconds_left)),
                                   rate_text(s)};
  for (std::string_view rest = s.postfix; !rest.empty();) {
    const std::size_t end = rest.find(", ");
    list.emplace_back(rest.substr(0, end));
    rest = end == rest.npos ? "" : rest.substr(end + 2);
  }
  return list;
}

// "420k/1.00M [01:23<01:55, 5.03kstep/s]"
std::string counts(const ProgressState& s, std::span<const std::string> details) {
  std::string text =
      fmt::format("{}/{}", format_count(static_cast<double>(s.done)), format_count(static_cast<double>(s.total)));
  return details.empty() ? text : text + fmt::format(" [{}]", fmt::join(details, ", "));
}

int columns(std::string_view text) {  // bytes that do not continue a UTF-8 character
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string bar(double part, int width, bool unicode) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(part * width * 8);
  const int full = eighths / 8;
  std::string result;
  for (int i = 0; i < full; ++i) result += unicode ? "█" : "#";
  int used = full;
  if (unicode && eighths % 8 > 0) {
    result += kEighths[eighths % 8];
    ++used;
  }
  return result.append(width - used, ' ');
}

}  // namespace

std::string format_bar(const ProgressState& state, int width, bool unicode) {
  const std::string left = fmt::format("{}{:3}%|", head(state), percent(state));
  std::vector<std::string> numbers = details(state);
  const auto right = [&] { return fmt::format("| {}", counts(state, numbers)); };
  const auto room = [&] { return width - columns(left) - columns(right()); };
  while (!numbers.empty() && room() < 0) numbers.pop_back();
  std::string line = left + bar(fraction(state), std::max(room(), 0), unicode) + right();
  while (columns(line) > std::max(width, 0)) {
    while ((static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
    line.pop_back();
  }
  return line;
}

std::string format_progress_line(const ProgressState& state) {
  return fmt::format("{}{}% {}", head(state), percent(state), counts(state, details(state)));
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
      shown_(start_),
      last_(start_) {
  if (terminal_) draw(start_);
}

Progress::~Progress() { finish(); }

void Progress::update(std::int64_t done, std::string_view postfix, std::span<const ProgressState> parts) {
  if (finished_ || options_.quiet) return;
  done_ = done;
  postfix_ = postfix;
  const Clock::time_point now = Clock::now();
  if (!is_due(now)) return;
  measure(now);
  if (terminal_) show_parts(parts);
  draw(now);
}

// The rate is not measured: the part is none of what is counted.
void Progress::update_part(const ProgressState& part) {
  if (finished_ || options_.quiet) return;
  const Clock::time_point now = Clock::now();
  if (!terminal_ && part.elapsed_s < kLogSeconds) return;  // a log has the whole task's lines
  if (!is_due(now)) return;
  if (!terminal_) return print(format_progress_line(part) + "\n");
  show_parts({&part, 1});
  draw(now);
}

void Progress::line(std::string_view text) {
  if (options_.quiet) return;
  if (!terminal_ || finished_) return print(fmt::format("{}\n", text));
  print(fmt::format("\r\033[{}{}\n", drawn_below_ > 0 ? "J" : "K", wrapped(text, text_width(options_.descriptor), 2)));
  draw(shown_);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  below_.clear();
  if (options_.vanishes) {
    if (terminal_) print("\r\033[J");
    return;
  }
  const Clock::time_point now = Clock::now();
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  smooth_steps_ = static_cast<double>(done_ - options_.first);  // the last rate shown is the mean of the whole
  smooth_seconds_ = elapsed_s;
  draw(now);
  if (terminal_) print("\n");
}

// Whether it is time to show something again.
bool Progress::is_due(Clock::time_point now) {
  if (now - shown_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(kLogSeconds))) return false;
  shown_ = now;
  return true;
}

// An exponentially weighted mean of steps over one of seconds. Their common bias at the start cancels. An interval ends
// with a step, as in tqdm: while a slow one is under way, rate and estimate stay.
void Progress::measure(Clock::time_point now) {
  if (done_ == measured_) return;
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
          .left_s = left_s_,
          .result = result_,
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
    text.remove_prefix(written);
  }
}

}  // namespace goalpost
