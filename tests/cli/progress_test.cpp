#include "cli/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/text.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

TEST(FormatCount, HasThreeDigits) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1.00k");
  EXPECT_EQ(format_count(5030), "5.03k");
  EXPECT_EQ(format_count(42'000), "42.0k");
  EXPECT_EQ(format_count(420'000), "420k");
  EXPECT_EQ(format_count(999'700), "1.00M");
  EXPECT_EQ(format_count(1'000'000), "1.00M");
  EXPECT_EQ(format_count(0.25), "0.25");
  EXPECT_EQ(format_count(12.34), "12.3");
  EXPECT_EQ(format_count(999.6), "1.00k");
  EXPECT_EQ(format_count(2e15), "2000T");
}

TEST(FormatDuration, IsAClock) {
  EXPECT_EQ(format_duration(0), "00:00");
  EXPECT_EQ(format_duration(83.9), "01:23");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(1.0 / 0.0), "?");
}

const ProgressState kState{.name = "train",
                           .unit = "step",
                           .done = 420'000,
                           .total = 1'000'000,
                           .elapsed_s = 83,
                           .rate = 5043,
                           .result = "success=0.71",
                           .postfix = "1.20kupdate/s, training success=0.50"};

TEST(FormatBar, FillsTheWidth) {
  // 10 columns are left for the bar: 0.42 of them is 4 whole cells and, in eighths, 1 more.
  ProgressState s = kState;
  s.postfix = "1.20kupdate/s";
  EXPECT_EQ(format_bar(s, 89, true),
            "success=0.71 train:  42%|████▏     | 420k/1.00M [01:23<01:55, 5.04kstep/s, 1.20kupdate/s]");
  EXPECT_EQ(format_bar(s, 89, false),
            "success=0.71 train:  42%|####      | 420k/1.00M [01:23<01:55, 5.04kstep/s, 1.20kupdate/s]");
  s.result = s.postfix = "";
  EXPECT_EQ(format_bar(s, 61, true), "train:  42%|████▏     | 420k/1.00M [01:23<01:55, 5.04kstep/s]");
}

TEST(FormatBar, ShowsTheTimeLeftThatIsKnownOtherwise) {
  ProgressState s = kState;
  s.left_s = 7;
  EXPECT_EQ(format_bar(s, 55, false), "success=0.71 train:  42%|#   | 420k/1.00M [01:23<00:07]");
  s.done = s.total;
  EXPECT_EQ(format_bar(s, 55, false), "success=0.71 train: 100%|###| 1.00M/1.00M [01:23<00:00]");
}

TEST(FormatBar, LeavesOutFromTheRightWhatDoesNotFit) {
  EXPECT_EQ(format_bar(kState, 79, false),
            "success=0.71 train:  42%|| 420k/1.00M [01:23<01:55, 5.04kstep/s, 1.20kupdate/s]");
  EXPECT_EQ(format_bar(kState, 78, false),
            "success=0.71 train:  42%|#####         | 420k/1.00M [01:23<01:55, 5.04kstep/s]");
  EXPECT_EQ(format_bar(kState, 55, false), "success=0.71 train:  42%|#   | 420k/1.00M [01:23<01:55]");
  EXPECT_EQ(format_bar(kState, 40, false), "success=0.71 train:  42%|#  | 420k/1.00M");
  EXPECT_EQ(format_bar(kState, 30, true), "success=0.71 train:  42%|| 420");
  EXPECT_EQ(format_bar(kState, 0, true), "");
  ProgressState accent = kState;
  accent.result = "";
  accent.name = "é";
  EXPECT_EQ(format_bar(accent, 1, true), "é");
}

TEST(FormatBar, OfATrainingRunShowsSuccessAndUpdatesIn80Columns) {
  const ProgressState long_run{.name = "",
                               .unit = "step",
                               .done = 9'990'000,
                               .total = 10'000'000,
                               .elapsed_s = 35'999,
                               .rate = 277,
                               .result = "return=-151.3",
                               .postfix = "1.20kupdate/s, training return=-151.3"};
  EXPECT_EQ(format_bar(long_run, 79, false),
            "return=-151.3  99%|#### | 9.99M/10.0M [9:59:59<00:36, 277step/s, 1.20kupdate/s]");
}

TEST(FormatBar, ShowsStartAndEnd) {
  ProgressState s{.name = "a", .unit = "it", .done = 0, .total = 10, .elapsed_s = 0, .rate = 0};
  EXPECT_EQ(format_bar(s, 35, false), "a:   0%|    | 0/10 [00:00<?, ?it/s]");
  s.done = 10;
  s.rate = 2.5;
  s.elapsed_s = 4;
  EXPECT_EQ(format_bar(s, 43, false), "a: 100%|####| 10/10 [00:04<00:00, 2.50it/s]");
  s.done = 999;
  s.total = 1000;
  EXPECT_EQ(format_progress_line(s), "a: 99% 999/1.00k [00:04<00:00, 2.50it/s]");
}

TEST(FormatBar, ShowsSecondsPerUnitWhereAUnitTakesLonger) {
  const ProgressState s{.name = "runs", .unit = "run", .done = 3, .total = 6, .elapsed_s = 37, .rate = 1 / 12.34};
  EXPECT_EQ(format_progress_line(s), "runs: 50% 3/6 [00:37<00:37, 12.3s/run]");
}

TEST(Progress, WritesALineAtTheEndIfThereIsNoTerminal) {
  const TemporaryDirectory dir;
  const int file = ::open((dir / "log").c_str(), O_RDWR | O_CREAT, 0600);
  {
    Progress progress("train", 1000, "step", {.first = 500, .descriptor = file});
    for (int i = 501; i <= 1000; ++i) progress.update(i, "success=1");
    progress.line("saved");
    progress.finish();
    progress.finish();
  }
  const std::string text = content(dir / "log");
  EXPECT_TRUE(text.starts_with("saved\ntrain: 100% 1.00k/1.00k [00:00<00:00, ")) << text;
  EXPECT_TRUE(text.ends_with("step/s, success=1]\n")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  ::close(file);
}

TEST(Wrapped, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrapped("one two three", 0, 2), "one two three");
  EXPECT_EQ(wrapped("one two three", 13, 2), "one two three");
  EXPECT_EQ(wrapped("one two three", 12, 2), "one two\n  three");
  EXPECT_EQ(wrapped("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrapped("  one two three", 5, 4), "  one\n    two\n    three");
  EXPECT_EQ(wrapped("muchtoolong word", 5, 1), "muchtoolong\n word");
  EXPECT_EQ(wrapped("muchtoolong", 5, 1), "muchtoolong");
  // Commands can be copied.
  EXPECT_EQ(wrapped("next: `a b c d` e", 9, 2), "next:\n  `a b c d`\n  e");
  EXPECT_EQ(wrapped("a `b c d e` f", 3, 2), "a\n  `b c d e`\n  f");
  EXPECT_EQ(wrapped("a `b c", 3, 0), "a\n`b\nc");
  EXPECT_EQ(wrapped("", 5, 1), "");
}

TEST(JsonProblem, LeavesOutTheLibrarysCode) {
  EXPECT_EQ(json_problem("[json.exception.out_of_range.403] key 'seed' not found"), "key 'seed' not found");
  EXPECT_EQ(json_problem("something else"), "something else");
}

TEST(ShellQuoted, IsOneWord) { EXPECT_EQ(shell_quoted("a 'b' $c"), "'a '\\''b'\\'' $c'"); }

TEST(AsTyped, NamesTheLaunchersCommand) {
  const std::string text = "next: `goalpost report a`, or `goalpost list`; goalpost says `no goalpost`";
  ::unsetenv("GOALPOST_COMMAND");
  EXPECT_EQ(as_typed(text), text);
  EXPECT_EQ(program_as_typed(), "goalpost");
  ::setenv("GOALPOST_COMMAND", "./goalpost", 1);
  EXPECT_EQ(as_typed(text), "next: `./goalpost report a`, or `./goalpost list`; goalpost says `no goalpost`");
  EXPECT_EQ(program_as_typed(), "./goalpost");
  ::unsetenv("GOALPOST_COMMAND");
}

TEST(Progress, IsSilentIfAsked) {
  const TemporaryDirectory dir;
  const int file = ::open((dir / "log").c_str(), O_RDWR | O_CREAT, 0600);
  {
    Progress progress("train", 10, "step", {.quiet = true, .descriptor = file});
    progress.update(10);
    progress.line("saved");
    Progress brief("evaluating", 10, "episode", {.vanishes = true, .descriptor = file});
    brief.update(10);
  }
  EXPECT_EQ(content(dir / "log"), "");
  ::close(file);
}

// What `write` writes to a terminal of its own. @param write is given the terminal's descriptor
std::string on_terminal(const std::function<void(int terminal)>& write) {
  EXPECT_EQ(::setenv("TERM", "xterm", 1), 0);
  const int controller = ::posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_GE(controller, 0);
  EXPECT_EQ(::grantpt(controller), 0);
  EXPECT_EQ(::unlockpt(controller), 0);
  const int terminal = ::open(::ptsname(controller), O_RDWR | O_NOCTTY);
  EXPECT_GE(terminal, 0);
  write(terminal);
  ::close(terminal);
  std::string text;  // one read may give a part; when the other end is closed, the last one fails
  std::array<char, 4096> buffer;
  for (ssize_t size; (size = ::read(controller, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  ::close(controller);
  return text;
}

// What a bar writes there, with a variable of the environment set.
std::string on_terminal(const char* variable, const char* value) {
  const std::string text = on_terminal([&](int terminal) {
    EXPECT_EQ(::setenv(variable, value, 1), 0);
    Progress progress("train", 1000, "step", {.descriptor = terminal});
    progress.update(1000);
    progress.line("saved");
  });
  EXPECT_EQ(::unsetenv(variable), 0);
  return text;
}

TEST(Progress, WritesNoCodesWhereTheyAreNotWanted) {
  EXPECT_NE(on_terminal("NO_COLOR", "").find('\033'), std::string::npos);
  for (const auto& [variable, value] : {std::pair{"TERM", "dumb"}, std::pair{"TERM", ""}, std::pair{"NO_COLOR", "1"}}) {
    const std::string text = on_terminal(variable, value);
    EXPECT_EQ(text.find('\033'), text.npos) << variable << "=" << value << ": " << text;
    EXPECT_NE(text.find("saved\r\n"), text.npos) << text;
  }
}

TEST(Progress, RedrawsALineOnATerminal) {
  const std::string text = on_terminal([&](int terminal) {
    Progress progress("train", 1000, "step", {.descriptor = terminal});
    for (int i = 1; i <= 1000; ++i) progress.update(i);  // faster than the bar is drawn
    progress.line("saved");
  });
  EXPECT_TRUE(text.starts_with("\rtrain:   0%|")) << text;
  EXPECT_NE(text.find("\r\033[Ksaved\r\n\rtrain: 100%|"), text.npos) << text;
  EXPECT_TRUE(text.ends_with("\033[K\r\n")) << text;
  EXPECT_LE(std::count(text.begin(), text.end(), '\r'), 3 + 2 + 2);
}

TEST(Progress, KeepsItsEstimateWhileASlowUnitIsUnderWay) {
  const std::string text = on_terminal([&](int terminal) {
    Progress progress("runs", 6, "run", {.descriptor = terminal});
    for (int i = 0; i < 6; ++i) {  // the first three runs end at once, the fourth takes long
      ::usleep(110'000);
      progress.update(3);
    }
  });
  std::vector<std::string> rates;
  for (std::size_t at = text.find("3/6 ["); at != text.npos; at = text.find("3/6 [", at + 1)) {
    const std::size_t comma = text.find(", ", at);
    rates.push_back(text.substr(comma, text.find(']', at) - comma));
  }
  ASSERT_GE(rates.size(), 4u) << text;
  rates.pop_back();  // the last is the mean of the whole
  EXPECT_EQ(rates.back(), rates.front()) << text;
}

TEST(Progress, RedrawsALineForEachPartBelow) {
  ASSERT_EQ(::setenv("TERM", "xterm", 1), 0);
  const int controller = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(controller, 0);
  ASSERT_EQ(::grantpt(controller), 0);
  ASSERT_EQ(::unlockpt(controller), 0);
  const int terminal = ::open(::ptsname(controller), O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  const ProgressState one{.name = "one", .unit = "step", .done = 5, .total = 10};
  const ProgressState other{.name = "other", .unit = "step", .done = 2, .total = 10};
  {
    Progress progress("runs", 3, "run", {.descriptor = terminal});
    EXPECT_TRUE(progress.on_terminal());
    ::usleep(110'000);
    progress.update(0, "", std::array{one, other});
    progress.line("saved");
    ::usleep(110'000);
    progress.update(1, "", std::array{other});
  }
  ::close(terminal);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t size; (size = ::read(controller, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(size));
  auto expect_next = [&text, at = std::size_t{0}](std::string_view piece) mutable {
    at = text.find(piece, at);
    EXPECT_NE(at, text.npos) << piece << "\n" << text;
  };
  for (const char* piece : {"\rruns:   0%|", "\r\none:  50%|", "\r\nother:  20%|", "\r\033[2A", "\r\033[Jsaved\r\n",
                            "\rruns:   0%|", "\r\none:  50%|", "\r\nother:  20%|", "\033[2A", "\rruns:  33%|",
                            "\r\nother:  20%|", "\033[J\r\033[1A", "\rruns:  33%|", "\033[K\033[J\r\n"})
    expect_next(piece);
  ::close(controller);
}

TEST(Progress, ShowsAnEvaluationBelowAndTheResultFirst) {
  const std::string text = on_terminal([&](int terminal) {
    Progress progress("", 3, "step", {.vanishes = true, .descriptor = terminal});
    ::usleep(110'000);
    progress.update_part({.name = "evaluating", .unit = "episode", .done = 37, .total = 100});
    progress.set_result("success=0.71");
    ::usleep(110'000);
    progress.update(1);
  });
  auto expect_next = [&text, at = std::size_t{0}](std::string_view piece) mutable {
    at = text.find(piece, at);
    EXPECT_NE(at, text.npos) << piece << "\n" << text;
  };
  for (const char* piece :
       {"\r  0%|", "\r\nevaluating:  37%|", "| 37/100 [", "\033[1A", "\rsuccess=0.71  33%|", "\033[K\033[J"})
    expect_next(piece);
  EXPECT_TRUE(text.ends_with("\r\033[J")) << "the bar is wiped off: " << text;
}

TEST(Progress, ALogShowsOnlyLongEvaluations) {
  const std::string path = testing::TempDir() + "progress.log";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(file, 0);
  {
    Progress progress("train", 3, "step", {.vanishes = true, .descriptor = file});
    progress.update_part({.name = "short", .unit = "episode", .done = 37, .total = 100, .elapsed_s = 9});
  }
  EXPECT_EQ(::lseek(file, 0, SEEK_END), 0);
  ::close(file);
  ::unlink(path.c_str());
}

TEST(Progress, IgnoresThatItCannotWrite) {
  const int full = ::open("/dev/full", O_WRONLY);
  Progress progress("train", 10, "step", {.descriptor = full});
  EXPECT_NO_THROW(progress.finish());
  ::close(full);
}

}  // namespace
}  // namespace goalpost
