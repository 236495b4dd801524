// A progress bar on a terminal, plain lines elsewhere, on TERM=dumb, and where NO_COLOR is set. It reads the clock and
// writes to stderr, nothing else: results do not depend on it.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {

/// What a bar shows.
struct ProgressState {
  std::string_view name;  ///< may be empty
  std::string_view unit;  ///< what is counted, e.g. "step"
  std::int64_t done = 0, total = 0;
  double elapsed_s = 0;
  double rate = 0;                ///< per second; 0 = not known yet
  double left_s = std::nan("");   ///< NaN: as the rate says
  std::string_view result = {};   ///< the most important number, e.g. "success=0.71"; may be empty
  std::string_view postfix = {};  ///< further numbers, separated by ", ", the important ones first; may be empty
};

/// `success=0.71 name:  42%|████▏     | 420k/1.00M [01:23<01:55, 5.03kstep/s, 1.20kupdate/s]` in at most `width`
/// columns. Where that is too narrow, numbers are left out from the right, down to `420k/1.00M`.
std::string format_bar(const ProgressState& state, int width, bool unicode);
/// The same without the bar, in whole: `success=0.71 name: 42% 420k/1.00M [01:23<01:55, 5.03kstep/s, 1.20kupdate/s]`.
std::string format_progress_line(const ProgressState& state);

struct ProgressOptions {
  std::int64_t first = 0;  ///< where a resumed run starts; the rate counts from here
  bool quiet = false;      ///< write nothing at all
  bool vanishes = false;   ///< at its end a bar is wiped off the terminal; elsewhere there is no last line
  int descriptor = 2;      ///< where to write: stderr
};

/// Shows how far long work has come. A failed write is ignored: progress never ends a run.
class Progress {
 public:
  Progress(std::string name, std::int64_t total, std::string unit, ProgressOptions options = {});
  ~Progress();  ///< finish()
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows `done` of `total`; on a terminal at most every 0.1 s, elsewhere a line at most every 10 s.
  /// @param parts of the work that are under way: a bar each below, on a terminal only
  void update(std::int64_t done, std::string_view postfix = {}, std::span<const ProgressState> parts = {});
  /// Shows the one part that is under way while `done` stands: a bar below, or where there is no terminal a line every
  /// 10 s of the part.
  void update_part(const ProgressState& part);
  /// What is shown as ProgressState::result from the next update on.
  void set_result(std::string_view result) { result_ = result; }
  /// Seconds until all is done, where the parts are too unequal for a rate to tell. NaN: as the rate says.
  void set_time_left(double seconds) { left_s_ = seconds; }
  bool on_terminal() const { return terminal_ && !options_.quiet; }
  /// There was less to do than `total`: what is done is all.
  void end_here() { total_ = done_; }
  /// Prints a line of text, above the bar if there is one.
  void line(std::string_view text);
  /// Shows the last state and leaves it on the screen. Later calls do nothing.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  ProgressState state(Clock::time_point now) const;
  bool is_due(Clock::time_point now);
  void measure(Clock::time_point now);
  void show_parts(std::span<const ProgressState> parts);
  void draw(Clock::time_point now);
  void print(std::string_view text) const;

  std::string name_, unit_, result_, postfix_;
  std::vector<std::string> below_;        // lines below the bar
  std::size_t drawn_below_ = 0;           // of these, on the screen
  std::int64_t total_, done_, measured_;  // measured_: `done` at the last measurement of the rate
  ProgressOptions options_;
  bool terminal_, unicode_, finished_ = false;
  Clock::time_point start_, shown_, last_;  // last_: when the rate was last measured
  double left_s_ = std::nan("");
  double smooth_steps_ = 0, smooth_seconds_ = 0;
};

}  // namespace goalpost
