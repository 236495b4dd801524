#include "report/figure.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/check.h"
#include "report/collect.h"
#include "report/figure_config.h"
#include "report/group.h"
#include "report/page.h"
#include "report/page_figures.h"
#include "report/plot.h"
#include "run/experiment.h"
#include "support/run_files.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

FigureConfig figure_over(const std::string& key, const std::vector<std::string>& values) {
  FigureConfig config;
  config.title = "T";
  config.key = key;
  config.values = values;
  config.experiments = {"bit_flip_her"};
  return config;
}

MeasuredFigure drawn(const FigureConfig& config, const std::filesystem::path& here) {
  for (const std::string& value : config.values)
    make_run(here / "runs" / folder(value), {"env.bits=9", config.key + "=" + value}, 1, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  MeasuredFigure figure = measured_figure(config, summarize(runs), "figure");
  if (!gnuplot_is_installed()) return figure;
  set_content(here / "figure.csv", figure.csv);
  EXPECT_TRUE(draw(std::vector{figure.plot}, here, "figure")) << content(here / "figure.log");
  EXPECT_EQ(content(here / "figure.log"), "");
  return figure;
}

TEST(Figure, ReadsNumbersAndTextsAsValues) {
  const TemporaryDirectory here;
  const auto values = [&](const std::string& list) {
    set_content(here / "f.toml",
                "title = \"T\"\nkey = \"agent.dqn.gamma\"\nvalues = " + list + "\nquick_values = [1]\n");
    return load_figure((here / "f.toml").string()).values;
  };
  EXPECT_THAT(values("[1, 2_000]"), ElementsAre("1", "2000"));
  EXPECT_THAT(values("[0.5, 1e-3, 2]"), ElementsAre("0.5", "0.001", "2"));
  EXPECT_THAT(values("[\"future\", \"[64, 64]\"]"), ElementsAre("future", "[64, 64]"));
  EXPECT_THAT(message_of<UsageError>([&] { values("[true]"); }), HasSubstr("values"));
}

TEST(Figure, RefusesAMeasureThatNoCurveShowsWhenItIsRead) {
  const TemporaryDirectory here;
  set_content(here / "f.toml",
              "title = \"T\"\nexperiments = [\"bit_flip_her\"]\nmeasures = [\"success\", \"moved\"]\n");
  EXPECT_THAT(message_of<UsageError>([&] { load_figure((here / "f.toml").string()); }),
              AllOf(HasSubstr("no learning curve shows \"moved\"; expected one of: success,"), HasSubstr("f.toml:3")));
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory() / "figures"))
    EXPECT_NO_THROW(load_figure(entry.path().string())) << entry.path();
}

TEST(Figure, SplitsListsOutsideOfBracketsAndQuotes) {
  EXPECT_THAT(split_list("10,20"), ElementsAre("10", "20"));
  EXPECT_THAT(split_list("[64, 64],[256,256]"), ElementsAre("[64, 64]", "[256,256]"));
  EXPECT_THAT(split_list("\"a,b\",c,"), ElementsAre("\"a,b\"", "c"));
}

TEST(Figure, HasRealValuesAlongItsAxis) {
  const TemporaryDirectory here;
  const MeasuredFigure figure = drawn(figure_over("agent.dqn.gamma", {"0.5", "0.75"}), here.path());
  EXPECT_THAT(figure.csv, HasSubstr("bit_flip_her,0.5,1,1.0000,"));
  EXPECT_THAT(figure.csv, HasSubstr("bit_flip_her,0.75,1,1.0000,"));
  ASSERT_EQ(figure.solved.size(), 1u);
  EXPECT_EQ(figure.solved[0], 0.75);
  EXPECT_EQ(figure.plot.settings.find("logscale"), std::string::npos);
}

TEST(Figure, HasALogarithmicAxisForValuesOfSeveralMagnitudes) {
  const TemporaryDirectory here;
  const MeasuredFigure figure = drawn(figure_over("agent.dqn.adam.lr", {"1e-05", "0.001", "0.01"}), here.path());
  EXPECT_THAT(figure.plot.settings, HasSubstr("set logscale x"));
}

TEST(Figure, HasTextsSideBySideInTheFiguresOrder) {
  const TemporaryDirectory here;
  const MeasuredFigure figure = drawn(figure_over("agent.her.strategy", {"future", "final"}), here.path());
  EXPECT_THAT(figure.csv, HasSubstr("bit_flip_her,future,1,"));
  EXPECT_THAT(figure.plot.settings, HasSubstr("set xtics ('future' 0, 'final' 1)"));
  EXPECT_TRUE(figure.solved.empty());
}

TEST(Figure, HasListsSideBySide) {
  const TemporaryDirectory here;
  const MeasuredFigure figure = drawn(figure_over("agent.dqn.q.hidden", {"[64,64]", "[8, 8, 8]"}), here.path());
  EXPECT_THAT(figure.csv, HasSubstr("bit_flip_her,[64;64],1,"));
  EXPECT_THAT(figure.plot.settings, HasSubstr("set xtics ('[64,64]' 0, '[8, 8, 8]' 1)"));
}

TEST(Figure, IsDrawnAsPdfWithItsWidthAndFont) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  const std::vector<Plot> plots = {{.name = "a", .drawing = "plot x title 'label'\n", .width = 600, .height = 300}};
  ASSERT_TRUE(draw(plots, here.path(), "plots", PdfFormat{.width = 4, .font = "sans", .size = 8}));
  const std::string pdf = content(here / "a.pdf"), script = content(here / "plots.gp");
  EXPECT_TRUE(pdf.starts_with("%PDF"));
  EXPECT_THAT(script,
              HasSubstr("set terminal pdfcairo noenhanced color size 4.0000in,2.0000in font 'sans,8' fontscale 0.75 "))
      << "gnuplot counts 96 points per inch";
  EXPECT_TRUE(std::filesystem::exists(here / "a.svg"));
  const TemporaryDirectory without;
  ASSERT_TRUE(draw(plots, without.path(), "plots"));
  EXPECT_FALSE(std::filesystem::exists(without / "a.pdf"));
}

// Text does not shrink with the width: labels are wrapped, and the figure becomes higher.
TEST(Figure, OfRowsIsAsHighAsItsLabelsNeedInANarrowPdf) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  Comparison c{};
  c.x = "total_steps=2000, sac.gamma=0.9";
  c.y = "SAC's \"own\" `settings`";
  c.probability = 0.6;
  c.interval = {0.1, 0.8};
  const Figure figure = improvement_figure({c}, "x");
  set_content(here / "improvement_x.csv", figure.csv);
  for (const double width : {2.0, 3.25, 7.0}) {
    testing::internal::CaptureStderr();
    ASSERT_TRUE(draw({&figure.plot, 1}, here.path(), "plots", PdfFormat{.width = width, .font = "sans", .size = 8}));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(content(here / "plots.log"), "") << width;
    const std::string script = content(here / "plots.gp");
    const std::size_t size = script.find(fmt::format("pdfcairo noenhanced color size {:.4f}in,", width));
    ASSERT_NE(size, std::string::npos);
    EXPECT_GT(std::stod(script.substr(script.find(',', size) + 1)), 0.9) << width;
    const std::string wrapped = "set ytics ('total_steps=2000,'.\"\\n\".'sac.gamma=0.9  over'.\"\\n\".";
    EXPECT_EQ(script.find(wrapped) != std::string::npos, width == 3.25) << script;
  }
}

// A program first in PATH, which is a shell script, as long as this lives.
class Replaced {
 public:
  Replaced(const std::string& program, const std::string& script) {
    set_content(here_ / program, "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(here_ / program, std::filesystem::perms(0755));
    ::setenv("PATH", (here_.path().string() + ":" + path_).c_str(), 1);
  }
  ~Replaced() { ::setenv("PATH", path_.c_str(), 1); }

 private:
  TemporaryDirectory here_;
  std::string path_ = std::getenv("PATH");
};

TEST(Figure, SaysWhereThereIsTooLittleRoom) {
  const Replaced gnuplot("gnuplot", R"(
for name in a b; do echo '<svg></svg>' > $name.svg; done
line=$(grep -n "b.pdf" plots.gp | cut -d: -f1)
echo "\"plots.gp\" line $((line + 1)): warning: Terminal canvas area too small to hold plot."
echo "	    Check plot boundary and font sizes."
echo "\"plots.gp\" line $((line + 1)): warning: Warning - difficulty fitting plot titles into key")");
  const TemporaryDirectory here;
  const std::vector<Plot> plots = {{.name = "a", .drawing = "plot x\n"}, {.name = "b", .drawing = "plot x\n"}};
  testing::internal::CaptureStderr();
  ASSERT_TRUE(draw(plots, here.path(), "plots", PdfFormat{.width = 2}));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            fmt::format("goalpost: {}: gnuplot has too little room for the plot; expected a larger --width, or a "
                        "smaller font by --font\n",
                        (here / "b.pdf").string()));
}

TEST(Figure, KnowsAFontThatIsReplaced) {
  {
    const Replaced fontconfig("fc-match", "echo 'DejaVu Sans,DejaVu Sans Condensed'");
    EXPECT_EQ(replacement_of_font("Times"), "DejaVu Sans");
    EXPECT_EQ(replacement_of_font("it's"), "DejaVu Sans");
    for (const char* there : {"dejavu sans", "DejaVu Sans Condensed", "DejaVu Sans Bold", "DejaVu Sans:Bold", "serif"})
      EXPECT_EQ(replacement_of_font(there), "") << there;
  }
  const Replaced none("fc-match", "exit 127");
  EXPECT_EQ(replacement_of_font("Times"), "");
}

TEST(Figure, SaysWhenGnuplotHasNoPdf) {
  const Replaced gnuplot("gnuplot", "exit 1");
  EXPECT_THAT(message_of<UsageError>([] { expect_pdf_terminal(); }),
              HasSubstr("--pdf: this gnuplot was built without its terminal pdfcairo"));
}

TEST(ReportPage, ListsItsContentsAndScrollsFiguresInTheirBoxes) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryDirectory here;
  for (int seed = 1; seed <= 2; ++seed) make_run(here / "runs" / std::to_string(seed), {"env.bits=9"}, seed, 1);
  const std::vector<MeasuredRun> runs = find_runs({here / "runs"});
  const std::string page = content(write_report_page(summarize(runs), here / "page", {.pdf = PdfFormat()}));
  EXPECT_THAT(page, HasSubstr("<li class=l2><a href=\"#s1\">BitFlip-v0: success rate</a></li>"));
  EXPECT_THAT(page, HasSubstr("<h2 id=s1>BitFlip-v0: success rate</h2>"));
  EXPECT_THAT(page, HasSubstr("<div class=scroll><div style=\"min-width: 468px\"><svg"));
  EXPECT_THAT(page, HasSubstr("<a href=\"steps_BitFlip-v0.pdf\">pdf</a>"));
  EXPECT_TRUE(content(here / "page/steps_BitFlip-v0.pdf").starts_with("%PDF"));
  EXPECT_THAT(page, HasSubstr(">Learning speed</h3>"));
  for (std::size_t at = 0; (at = page.find("href=\"#s", at)) != page.npos; ++at) {  // every entry leads somewhere
    const std::string id = page.substr(at + 7, page.find('"', at + 7) - at - 7);
    EXPECT_THAT(page, HasSubstr(" id=" + id + ">")) << id;
  }
}

}  // namespace
}  // namespace goalpost
