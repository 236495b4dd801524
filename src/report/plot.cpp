#include "report/plot.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <stdexcept>

#include "core/check.h"
#include "core/text.h"
#include "storage/file.h"

namespace goalpost {
namespace {

constexpr std::array kStyles = {
    CurveStyle{"#3a7fc1", "1", 7},       CurveStyle{"#d9722e", "(12,5)", 5},
    CurveStyle{"#2a9d78", "(3,4)", 9},   CurveStyle{"#b05cc6", "(12,4,3,4)", 13},
    CurveStyle{"#c29a1c", "(20,6)", 11}, CurveStyle{"#d1495b", "(6,6)", 4},
    CurveStyle{"#6f8f2f", "(3,8)", 6},   CurveStyle{"#8a8a8a", "(16,4,3,4,3,4)", 8},
};

constexpr double kPixelsPerInch = 96, kPointsPerInch = 72;
constexpr double kCharacterWidth = 0.6, kLineHeight = 1.25;  // in units of the font's size, about
constexpr double kPlotHeight = 0.52;                         // of curves in a PDF, in units of the width
constexpr double kPointsPerLine = 6;  // lines and marks grow with the font; pdfcairo's are thin ones, for 6 points

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
}

// gnuplot draws in black; here it becomes the color of the text around the figure. Names of the point types are made
// the figure's own, so that several figures fit into one page.
void adapt(const std::filesystem::path& file, const Plot& plot) {
  std::string svg = read_file(file);
  for (const char* black : {"'black'", "\"black\"", "'rgb(  0,   0,   0)'", "\"rgb(  0,   0,   0)\"", "\"rgb(0,0,0)\""})
    replace_all(svg, black, "'currentColor'");
  for (const char* grid : {"stroke='rgb(221, 221, 221)'", "stroke=\"rgb(221, 221, 221)\""})
    replace_all(svg, grid, "stroke='currentColor' stroke-opacity='0.15'");
  for (const char* id : {"gpPt", "gpDot", "textbox", "greybox", "gnuplot_"})
    for (const char* before : {"id='", "id=\"", "href='#", "href=\"#", "url(#"})
      replace_all(svg, std::string(before) + id, fmt::format("{}{}_{}", before, plot.name, id));
  replace_all(svg, "<title>Gnuplot</title>", fmt::format("<title>{}</title>", plot.name));
  const std::size_t head = svg.find("<svg");
  svg.insert(svg.find('>', head), fmt::format(" class=\"plot\" role=\"img\" style=\"background: none\""));
  svg.insert(
      svg.find('>', head) + 1,
      "\n<style>svg.plot { color: #222 } @media (prefers-color-scheme: dark) { svg.plot { color: #ddd } }</style>");
  write_file_atomically(file, svg);
}

// A text in lines of at most so many characters, broken at blanks where there are some.
std::vector<std::string> wrapped(std::string_view text, std::size_t characters) {
  std::vector<std::string> lines;
  for (;;) {
    std::size_t end = 0, count = 0, blank = 0;
    const auto inside = [&] { return end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; };
    for (; end < text.size() && count < characters; ++count) {
      if (text[end] == ' ') blank = end;
      do ++end;
      while (inside());
    }
    if (end < text.size() && text[end] != ' ' && blank > 0) end = blank;
    lines.emplace_back(text.substr(0, text.find_last_not_of(' ', end == 0 ? 0 : end - 1) + 1));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return lines;
  }
}

std::string gnuplot_lines(const std::vector<std::string>& lines) {
  std::string result;
  for (const std::string& line : lines) result += (result.empty() ? "" : ".\"\\n\".") + gnuplot_string(line);
  return result;
}

// Labels of rows and x axis, where at most so many characters fit into a line of them.
struct Labels {
  std::string settings;
  std::size_t row_lines = 1, x_lines = 1;  // of the longest row, and of the x axis
};
Labels labels_of(const Plot& plot, std::size_t row_characters, std::size_t x_characters) {
  Labels labels;
  std::string tics;
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    const std::vector<std::string> lines = wrapped(plot.rows[i], row_characters);
    labels.row_lines = std::max(labels.row_lines, lines.size());
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_lines(lines), -static_cast<int>(i));
  }
  const std::vector<std::string> x = wrapped(plot.x_label, x_characters);
  labels.x_lines = x.size();
  labels.settings = fmt::format("set ytics ({})\nset xlabel {}\n", tics, gnuplot_lines(x));
  return labels;
}

// Of labels of rows beside a figure for the screen: characters of a line, and its height [pixel].
constexpr std::size_t kRowCharacters = 60;
constexpr int kRowLine = 18;

// Below the axis' label, from the figure's left edge on.
constexpr double kKeyLine = 1.1;  // of gnuplot's lines
double lines_below(std::size_t key_lines) { return 3.7 + kKeyLine * static_cast<double>(key_lines); }
std::string key_settings(std::size_t key_lines) {
  return fmt::format(
      "set bmargin {}\nset key at screen 0.01, screen 0.01 left bottom vertical maxcols 1 Left reverse\n",
      lines_below(key_lines));
}

// A drawing whose key's titles have at most so many characters in a line. gnuplot's key has no lines within an entry:
// further ones are entries of their own.
std::string with_wrapped_key(const Plot& plot, std::size_t characters, std::size_t& key_lines) {
  std::string drawing = plot.drawing;
  key_lines = 0;
  for (const std::string& title : plot.key) {
    const std::vector<std::string> lines = wrapped(title, characters);
    key_lines += lines.size();
    std::string entries = "title " + gnuplot_string(lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i)
      entries += ", NaN with points ps 0 title " + gnuplot_string("  " + lines[i]);
    replace_all(drawing, "title " + gnuplot_string(title), entries);
  }
  return drawing;
}

// The commands that draw a plot as PDF.
std::string pdf_drawing(const Plot& plot, const PdfFormat& pdf) {
  const double width = pdf.width > 0 ? pdf.width : plot.width / kPixelsPerInch;
  double height = width * plot.height / plot.width;
  std::string settings, drawing = plot.drawing;
  // Text does not shrink with the width.
  const double characters = width * kPointsPerInch / (kCharacterWidth * pdf.size);
  if (plot.rows.empty() && !plot.key.empty()) {
    constexpr double kSample = 8;  // characters beside an entry
    std::size_t key_lines = 0;
    drawing = with_wrapped_key(plot, static_cast<std::size_t>(std::max(characters - kSample, 12.0)), key_lines);
    settings = key_settings(key_lines);
    const double above = plot.title.empty() ? 1 : 2.5;
    height = kPlotHeight * width + (above + lines_below(key_lines)) * pdf.size / kPointsPerInch;
  } else if (!plot.rows.empty()) {
    const auto part = [&](double share) {
      return std::max<std::size_t>(4, static_cast<std::size_t>(share * characters));
    };
    const Labels labels = labels_of(plot, part(0.42), part(0.5));
    settings = labels.settings;
    const double below = 3.0 + static_cast<double>(labels.x_lines + plot.key.size());
    if (!plot.key.empty())
      settings += fmt::format("set bmargin {}\nset key vertical maxrows {} width 0\n", below, plot.key.size());
    const double rows = static_cast<double>(plot.rows.size()) * (static_cast<double>(labels.row_lines) + 1);
    const double above = plot.title.empty() ? 1 : 3;
    height = std::max(height, (above + rows + below) * kLineHeight * pdf.size / kPointsPerInch);
  }
  return fmt::format(
      // fontscale: gnuplot counts 96 points per inch of the font
      "{6}set terminal pdfcairo noenhanced color size {0:.4f}in,{1:.4f}in font {2} fontscale {7} linewidth {3:.3f} "
      "pointscale {3:.3f}\nset output '{4}.pdf'\n{5}",
      width, height, gnuplot_string(fmt::format("{},{:g}", pdf.font, pdf.size)), pdf.size / kPointsPerLine, plot.name,
      drawing, settings, kPointsPerInch / kPixelsPerInch);
}

// Says which figures gnuplot had too little room for. Its warnings have the script's name and line:
// "figures.gp" line 44: warning: Terminal canvas area too small to hold plot.
void tell_of_too_little_room(const std::filesystem::path& log, const std::string& script) {
  std::set<std::string> told;
  std::istringstream lines(read_file(log));
  for (std::string line; std::getline(lines, line);) {
    const bool plot = line.find("canvas area too small") != line.npos;
    if (!plot && line.find("difficulty fitting plot titles into key") == line.npos) continue;
    const std::size_t at = line.find("line ");
    const int number = at == line.npos ? 0 : std::atoi(line.c_str() + at + 5);
    std::istringstream commands(script);
    std::string command, file = "a figure";
    for (int i = 0; i < number && std::getline(commands, command); ++i)
      if (command.starts_with("set output '")) file = command.substr(12, command.size() - 13);
    if (!told.insert(file).second) continue;
    print_error(fmt::format("goalpost: {}: gnuplot has too little room for {}{}", (log.parent_path() / file).string(),
                            plot ? "the plot" : "all entries of its key",
                            file.ends_with(".pdf") ? "; expected a larger --width, or a smaller font by --font" : ""));
  }
}

}  // namespace

std::string gnuplot_string(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  replace_all(result, "'", "''");
  return "'" + result + "'";
}

CurveStyle curve_style(std::size_t i) { return kStyles[i % kStyles.size()]; }

std::string line_style(std::size_t i) {
  const CurveStyle s = curve_style(i);
  return fmt::format("lc rgb '{}' dt {} pt {}", s.color, s.dash, s.point);
}

bool gnuplot_is_installed() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/bin:/usr/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::filesystem::path file = std::filesystem::path(directory) / "gnuplot";
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string replacement_of_font(const std::string& font) {
  std::string family = font.substr(0, font.find(':'));  // "Times:Bold" is a style of Times
  const auto lower = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  };
  for (const char* generic : {"sans", "serif", "monospace", "mono", "system-ui"})
    if (lower(family).starts_with(generic)) return "";
  replace_all(family, "-", "\\-");  // fontconfig: a size follows
  std::FILE* const pipe = ::popen(("fc-match -f '%{family}\\n' " + shell_quoted(family) + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::array<char, 256> line{};
  const char* const read = std::fgets(line.data(), line.size(), pipe);
  ::pclose(pipe);
  std::istringstream names(read == nullptr ? "" : std::string(line.data(), std::strcspn(line.data(), "\n")));
  std::string first;
  for (std::string name; std::getline(names, name, ',');) {  // a family has several names
    if (lower(font).starts_with(lower(name))) return "";     // a style may follow: "DejaVu Sans Bold"
    if (first.empty()) first = name;
  }
  return first;
}

void expect_pdf_terminal() {
  if (!gnuplot_is_installed())
    throw UsageError("--pdf: gnuplot, which draws the figures, is not installed (Debian: gnuplot-nox)");
  if (std::system("env -u GNUTERM gnuplot -d -e 'set terminal pdfcairo' >/dev/null 2>&1") != 0)
    throw UsageError(
        "--pdf: this gnuplot was built without its terminal pdfcairo; expected one with it (Debian: gnuplot-nox)");
}

bool draw(std::span<const Plot> plots, const std::filesystem::path& directory, const std::string& script,
          const std::optional<PdfFormat>& pdf) {
  std::string text;
  for (const Plot& p : plots) {
    text += fmt::format(
        "reset\nset datafile separator ','\nset encoding utf8\nset grid lc rgb '#dddddd' lt 1\nset border 3 lc rgb "
        "'black'\nset tics nomirror\n");
    if (!p.title.empty()) text += fmt::format("set title {}\n", gnuplot_string(p.title));
    text += p.settings;
    if (p.rows.empty() && !p.key.empty()) text += key_settings(p.key.size());
    int height = p.height;
    if (!p.rows.empty()) {
      const Labels labels = labels_of(p, kRowCharacters, std::string::npos);
      text += labels.settings;
      height += static_cast<int>(p.rows.size() * (labels.row_lines - 1)) * kRowLine;
    }
    text += fmt::format(
        "set terminal svg noenhanced size {0},{1} font 'sans,12'\nset output '{2}.svg'\n{3}"
        "set terminal pngcairo noenhanced size {4},{5} font 'sans,9' fontscale 1.5 linewidth 1.5 pointscale 1.5\n"
        "set output '{2}.png'\n{3}",
        p.width, height, p.name, p.drawing, p.width * 3 / 2, height * 3 / 2);
    if (pdf) text += pdf_drawing(p, *pdf);
  }
  write_file_atomically(directory / (script + ".gp"), text);
  // Neither the user's settings (-d: no ~/.gnuplot) nor variables decide what is drawn.
  const std::string command = fmt::format(
      "cd {0} && env -u GNUTERM -u GNUPLOT_LIB -u GNUPLOT_DEFAULT_GDFONT -u GNUPLOT_FONTPATH -u GDFONTPATH -u "
      "POSIXLY_CORRECT "
      "LC_ALL=C.UTF-8 gnuplot -d {1}.gp > {1}.log 2>&1",
      shell_quoted(directory.string()), shell_quoted(script));
  const int status = std::system(command.c_str());
  if (status == -1)
    throw std::runtime_error(fmt::format("gnuplot cannot be run, or not be waited for: {}", std::strerror(errno)));
  if (status != 0) return false;
  tell_of_too_little_room(directory / (script + ".log"), text);
  for (const Plot& p : plots) adapt(directory / (p.name + ".svg"), p);
  return true;
}

}  // namespace goalpost
