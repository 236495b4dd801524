#include "storage/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using Row = std::vector<CsvLog::Column>;

TEST(Shortest, RestoresTheDoubleWithFewDigits) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(1000), "1000");
  EXPECT_EQ(shortest(1'000'000), "1000000");
  EXPECT_EQ(shortest(-3), "-3");
  EXPECT_EQ(shortest(0), "0");
  EXPECT_EQ(shortest(-0.0), "-0");
  EXPECT_EQ(shortest(1e300), "1e+300");
  EXPECT_EQ(shortest(-std::nan("")), "nan");
  EXPECT_EQ(shortest(-std::numeric_limits<double>::infinity()), "-inf");
  for (const double x : {1.0 / 3, 0.1 + 0.2, 1e-310, 0x1p53 - 1, 0x1p60, 123456.789e-7})
    EXPECT_EQ(std::strtod(shortest(x).c_str(), nullptr), x);
}

TEST(CsvLog, WritesHeaderAndRows) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  EXPECT_EQ(content(dir / "a.csv"), "");
  log.append(Row{{"step", 1000}, {"loss", 0.25}});
  EXPECT_EQ(content(dir / "a.csv"), "step,loss\n1000,0.25\n");
  log.append(Row{{"loss", std::nan("")}, {"step", 2000}});
  EXPECT_EQ(content(dir / "a.csv"), "step,loss\n1000,0.25\n2000,nan\n");
}

TEST(CsvLog, LeavesTheCellOfAMissingColumnEmpty) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  log.append(Row{{"step", 1}, {"a", 2}, {"b", 3}});
  log.append(Row{{"step", 2}, {"b", 4}});
  log.append(Row{{"step", 3}});
  EXPECT_EQ(content(dir / "a.csv"), "step,a,b\n1,2,3\n2,,4\n3,,\n");
}

TEST(CsvLog, AddsANewColumnAtTheEnd) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  log.append(Row{{"step", 1}, {"a", 2}});
  log.append(Row{{"b", 5}, {"step", 2}, {"c", 6}});
  log.append(Row{{"step", 3}, {"a", 7}, {"b", 8}, {"c", 9}});
  EXPECT_EQ(content(dir / "a.csv"), "step,a,b,c\n1,2,,\n2,,5,6\n3,7,8,9\n");
  EXPECT_FALSE(std::filesystem::exists(dir / "a.csv.tmp"));
}

TEST(CsvLog, ContinuesAFileAndRemovesATornLine) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "step,a\n1,2\n2,3.1");
  CsvLog log(dir / "a.csv");
  log.append(Row{{"step", 2}, {"a", 3.14}});
  EXPECT_EQ(content(dir / "a.csv"), "step,a\n1,2\n2,3.14\n");
  set_content(dir / "b.csv", "step,");
  CsvLog torn_header(dir / "b.csv");
  torn_header.append(Row{{"step", 1}});
  EXPECT_EQ(content(dir / "b.csv"), "step\n1\n");
}

TEST(CsvLog, RefusesNamesThatWouldBreakTheFile) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              log.append(Row{{"a,b", 1}});
            }),
            "CsvLog::append: name = \"a,b\"; expected a name without comma, quote and line end");
  EXPECT_THROW(log.append(Row{{"", 1}}), std::invalid_argument);
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              log.append(Row{{"a", 1}, {"a", 2}});
            }),
            "CsvLog::append: column \"a\" is given twice");
  EXPECT_EQ(content(dir / "a.csv"), "");
}

TEST(CsvLog, SaysThatAFileCannotBeOpened) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "none/a.csv").string();
  EXPECT_EQ(message_of<std::runtime_error>([&] { CsvLog log(path); }),
            "cannot open " + path + ": No such file or directory");
}

TEST(CsvLog, SaysThatTheDiskIsFull) {
  CsvLog log("/dev/full");
  EXPECT_EQ(message_of<std::runtime_error>([&] {
              log.append(Row{{"a", 1}});
            }),
            "cannot write to /dev/full: No space left on device");
}

TEST(CsvLog, KeepsTheEarlierRowsWhenTheDiskIsFull) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  log.append(Row{{"step", 1}, {"a", 2}});
  const std::string before = content(dir / "a.csv");
  {
    const FileSizeLimit limit(before.size() + 2);
    EXPECT_EQ(message_of<std::runtime_error>([&] {
                log.append(Row{{"step", 2}, {"a", 3}});
              }),
              "cannot write to " + (dir / "a.csv").string() + ": File too large");
    EXPECT_EQ(content(dir / "a.csv"), before);  // no part of a row
    EXPECT_THROW(log.append(Row{{"step", 2}, {"new", 3}}), std::runtime_error);
    EXPECT_EQ(content(dir / "a.csv"), before);
    EXPECT_FALSE(std::filesystem::exists(dir / "a.csv.tmp"));
  }
  log.append(Row{{"step", 2}, {"new", 3}});
  EXPECT_EQ(content(dir / "a.csv"), "step,a,new\n1,2,\n2,,3\n");
}

TEST(ReadCsv, ReadsWhatCsvLogWrites) {
  const TemporaryDirectory dir;
  CsvLog log(dir / "a.csv");
  log.append(Row{{"step", 1}, {"a", 1.0 / 3}});
  log.append(Row{{"step", 2}, {"b", std::numeric_limits<double>::infinity()}});
  const CsvTable table = read_csv(dir / "a.csv");
  EXPECT_EQ(table.names, (std::vector<std::string>{"step", "a", "b"}));
  EXPECT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.column("step"), (std::vector<double>{1, 2}));
  EXPECT_EQ(table.column("a")[0], 1.0 / 3);
  EXPECT_TRUE(std::isnan(table.column("a")[1]));
  EXPECT_TRUE(std::isnan(table.column("b")[0]));
  EXPECT_TRUE(std::isinf(table.column("b")[1]));
  EXPECT_TRUE(table.has("b"));
  EXPECT_FALSE(table.has("c"));
  EXPECT_EQ(message_of<std::runtime_error>([&] { table.column("stpe"); }),
            (dir / "a.csv").string() + ": no column is called \"stpe\"; did you mean step?");
}

TEST(ReadCsv, LeavesOutALineThatIsNotYetComplete) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "step\n1\n2");
  EXPECT_EQ(read_csv(dir / "a.csv").column("step"), (std::vector<double>{1}));
  set_content(dir / "a.csv", "");
  EXPECT_EQ(read_csv(dir / "a.csv").rows(), 0u);
}

TEST(ReadCsv, NamesFileAndLine) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.csv").string();
  set_content(path, "step,a\n1,2\n2,x3\n");
  EXPECT_EQ(message_of<std::runtime_error>([&] { read_csv(path); }),
            path + ":3: a = \"x3\"; expected a number or nothing");
  set_content(path, "step,a\n1\n");
  EXPECT_EQ(message_of<std::runtime_error>([&] { read_csv(path); }),
            path + ":2: the line has 1 cells; expected 2, as the header");
  EXPECT_EQ(message_of<std::runtime_error>([&] { read_csv(dir / "b.csv"); }),
            "cannot read " + (dir / "b.csv").string() + ": No such file or directory");
  EXPECT_THROW(read_csv(dir.path()), std::runtime_error);
}

TEST(ReadCsv, TakesLinesThatEndInCrLf) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "step,a\r\n1,2\r\n3,\r\n");
  const CsvTable table = read_csv(dir / "a.csv");
  EXPECT_EQ(table.names, (std::vector<std::string>{"step", "a"}));
  EXPECT_EQ(table.column("step"), (std::vector<double>{1, 3}));
  CsvLog(dir / "a.csv").append(Row{{"step", 4}, {"a", 5}});
  EXPECT_EQ(read_csv(dir / "a.csv").column("a").back(), 5) << "no new column";
}

TEST(ReadCsv, ReadsNumbersThatAreTooSmallAsTheNearest) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "a\n1e-400\n-1e-400\n");
  EXPECT_EQ(read_csv(dir / "a.csv").column("a"), (std::vector<double>{0, -0.0}));
  set_content(dir / "a.csv", "a\n1e400\n");
  EXPECT_EQ(message_of<std::runtime_error>([&] { read_csv(dir / "a.csv"); }),
            (dir / "a.csv").string() + ":2: a = \"1e400\"; expected a number or nothing");
}

TEST(ReadCsv, RefusesANameThatTwoColumnsHave) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "a0,a1,a0\n1,2,3\n");
  for (const auto& read : {read_csv, read_user_csv})
    EXPECT_EQ(message_of<std::runtime_error>([&] { read(dir / "a.csv"); }),
              (dir / "a.csv").string() + ":1: two columns are called \"a0\"; expected different names");
}

TEST(ReadUserCsv, TakesWhatEditorsAndSpreadsheetsWrite) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.csv").string();
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r\n1,2\r\n3,4",
                           "\xef\xbb\xbf"
                           "a,b\n1,2\n3,4",
                           "a,b\n1,2\n3,4\n\n", "a,b\n1,2\n3,4\n\r\n \n", "\"a\",\"b\"\n1, 2\n +3\t,\"4\"\n"}) {
    set_content(path, text);
    const CsvTable table = read_user_csv(path);
    EXPECT_EQ(table.names, (std::vector<std::string>{"a", "b"})) << text;
    EXPECT_EQ(table.column("a"), (std::vector<double>{1, 3})) << text;
    EXPECT_EQ(table.column("b"), (std::vector<double>{2, 4})) << text;
  }
  set_content(path, "a\n1\n2");
  EXPECT_EQ(read_user_csv(path).rows(), 2u);
  for (const char* empty : {"", "\n\n", "\xef\xbb\xbf", "a\n"}) {
    set_content(path, empty);
    EXPECT_EQ(read_user_csv(path).rows(), 0u);
  }
}

TEST(ReadUserCsv, NamesTheLineOfWhatIsNoRow) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.csv").string();
  const auto refusal = [&](const char* text) {
    set_content(path, text);
    return message_of<std::runtime_error>([&] { read_user_csv(path); });
  };
  EXPECT_EQ(refusal("a,b\r\n1,2\r\n3\r\n"), path + ":3: the line has 1 cells; expected 2, as the header");
  EXPECT_EQ(refusal("a,b\n1,2,3\n"), path + ":2: the line has 3 cells; expected 2, as the header");
  EXPECT_EQ(refusal("a\n1\n\n2\n"), path + ":3: the line is blank; expected a row");
  EXPECT_EQ(refusal("\na\n1\n"), path + ":1: the line is blank; expected a header");
  EXPECT_EQ(refusal("a\n1\n+-2"), path + ":3: a = \"+-2\"; expected a number or nothing");
}

TEST(CutCsv, RemovesTheRowsAfterAStep) {
  const TemporaryDirectory dir;
  set_content(dir / "a.csv", "step,a\n1,0.5\n2,\n3,1\n4,");
  cut_csv(dir / "a.csv", "step", 2);
  EXPECT_EQ(content(dir / "a.csv"), "step,a\n1,0.5\n2,\n");
  cut_csv(dir / "none.csv", "step", 2);
  EXPECT_FALSE(std::filesystem::exists(dir / "none.csv"));
}

}  // namespace
}  // namespace goalpost
