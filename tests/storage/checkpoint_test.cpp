#include "storage/checkpoint.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "storage/hdf5_file.h"
#include "support/temporary_directory.h"

#ifdef __SANITIZE_ADDRESS__
// HDF5 1.10 itself loses memory when a full disk keeps it from closing a file.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }
#endif

namespace goalpost {
namespace {

// Everything that a class may hand to a visitor.
struct State {
  Matrix w = Matrix::Zero(2, 3), empty = Matrix::Zero(4, 0), wide = Matrix::Zero(5, 4);
  Vector b = Vector::Zero(3);
  std::uint64_t counter = 0;
  double time = 0;
  std::vector<double> sums = {0, 0}, none;

  void visit_state(StateVisitor& v) {
    v.visit("counter", counter);
    {
      const StateVisitor::Scope q(v, "q");
      v.visit("W", w);
      v.visit("b", b);
      const StateVisitor::Scope inner(v, "inner");
      v.visit("empty", empty);
      v.visit("block", wide.block(1, 1, 2, 3));  // with an outer stride of 5
    }
    v.visit("time", time);
    v.visit("sums", std::span(sums));
    v.visit("none", std::span(none));
  }
  StateTraversal traversal() {
    return [this](StateVisitor& v) { visit_state(v); };
  }
};

State example() {
  State s;
  s.w << 1, 2, 3, 4, 5, 6;
  s.wide.setRandom();
  s.b << -1, Scalar(0.1), std::numeric_limits<Scalar>::infinity();
  s.counter = ~std::uint64_t(0) - 1;
  s.time = 0.1;
  s.sums = {1e300, -0.0};
  return s;
}

TEST(Checkpoint, RestoresEveryBit) {
  const TemporaryDirectory dir;
  State saved = example();
  save_state(dir / "a.h5", "test", saved.traversal());
  State loaded;
  loaded.wide = saved.wide;
  loaded.wide.block(1, 1, 2, 3).setZero();
  load_state(dir / "a.h5", "test", loaded.traversal());
  EXPECT_EQ(loaded.w, saved.w);
  EXPECT_EQ(loaded.b, saved.b);
  EXPECT_EQ(loaded.wide, saved.wide);
  EXPECT_EQ(loaded.counter, saved.counter);
  EXPECT_EQ(loaded.time, saved.time);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(loaded.sums[1]), std::bit_cast<std::uint64_t>(-0.0));
  EXPECT_EQ(state_hash(loaded.traversal()), state_hash(saved.traversal()));
  EXPECT_FALSE(std::filesystem::exists(dir / "a.h5.tmp"));
}

TEST(Checkpoint, StoresASampleAsARow) {
  const TemporaryDirectory dir;
  save_state(dir / "a.h5", "test", example().traversal());
  const Hdf5File file = Hdf5File::open(dir / "a.h5");
  std::vector<Scalar> w(6);
  file.read("q/W", {3, 2}, std::span(w));
  EXPECT_EQ(w, (std::vector<Scalar>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(file.read_text("q/W", "layout"), "row j of the dataset is column j of the matrix");
  EXPECT_EQ(file.read_text("", "kind"), "test");
  EXPECT_EQ(file.read_number("", "schema"), 1u);
  EXPECT_EQ(file.datasets(), (std::vector<std::string>{"counter", "none", "q/W", "q/b", "q/inner/block",
                                                       "q/inner/empty", "sums", "time"}));
}

TEST(Checkpoint, LoadsCountersBeforeWhatTheyCount) {
  const TemporaryDirectory dir;
  struct Ring {
    std::vector<Scalar> data = std::vector<Scalar>(20);
    std::uint64_t stored = 0;
    void visit_state(StateVisitor& v) {
      v.visit("stored", stored);
      v.visit("data", MatrixMap(data.data(), 2, static_cast<Index>(stored)));
    }
  };
  Ring saved, loaded;
  saved.stored = 3;
  saved.data[5] = 7;
  save_state(dir / "a.h5", "ring", [&](StateVisitor& v) { saved.visit_state(v); });
  load_state(dir / "a.h5", "ring", [&](StateVisitor& v) { loaded.visit_state(v); });
  EXPECT_EQ(loaded.stored, 3u);
  EXPECT_EQ(loaded.data, saved.data);
}

TEST(Checkpoint, NamesWhatIsMissingOrDifferent) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.h5").string();
  save_state(path, "test", [](StateVisitor& v) {
    const StateVisitor::Scope q(v, "q");
    Matrix w = Matrix::Zero(2, 3);
    v.visit("W", w);
  });
  const auto load = [&](auto visit) {
    return message_of<std::runtime_error>([&] {
      load_state(path, "test", [&](StateVisitor& v) {
        const StateVisitor::Scope q(v, "q");
        visit(v);
      });
    });
  };
  Matrix w(2, 3), wider(2, 4);
  double number = 0;
  std::uint64_t count = 0;
  EXPECT_EQ(load([&](StateVisitor& v) { v.visit("W", w); }), "");
  EXPECT_EQ(load([&](StateVisitor& v) { v.visit("b", w); }), path + ": q/b: the file has no such dataset");
  EXPECT_EQ(load([&](StateVisitor& v) { v.visit("W", wider); }),
            path + ": q/W: the shape is [3 x 2]; expected [4 x 2]");
  EXPECT_EQ(load([&](StateVisitor& v) { v.visit("W", number); }), path + ": q/W: the shape is [3 x 2]; expected [1]");
  EXPECT_THAT(load([&](StateVisitor& v) { v.visit("W", count); }), testing::HasSubstr(": q/W: "));
  EXPECT_EQ(load([](StateVisitor&) {}),
            path +
                ": q/W: the file holds this, but the state to be read has nothing of this name; expected the same "
                "configuration as when it was saved");
  EXPECT_EQ(message_of<std::runtime_error>([&] { load_state(path, "agent", [](StateVisitor&) {}); }),
            path + ": kind = \"test\"; expected \"agent\"");
}

TEST(Checkpoint, RefusesFilesThatAreNoCheckpoints) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.h5").string();
  State state = example();
  const auto load = [&] {
    return message_of<std::runtime_error>([&] { load_state(path, "test", state.traversal()); });
  };
  EXPECT_TRUE(load().starts_with("cannot open " + path + ": ")) << load();
  set_content(path, "not a checkpoint");
  EXPECT_TRUE(load().starts_with(path + " is not a complete HDF5 file: ")) << load();
  save_state(path, "test", state.traversal());
  EXPECT_EQ(load(), "");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_TRUE(load().starts_with(path + " is not a complete HDF5 file: truncated file")) << load();
  Hdf5File::create(path).close();
  EXPECT_EQ(load(), path + ": /: there is no attribute schema");
}

TEST(Checkpoint, RefusesANameThatIsVisitedTwice) {
  const TemporaryDirectory dir;
  const std::string message = message_of<std::runtime_error>([&] {
    save_state(dir / "a.h5", "test", [](StateVisitor& v) {
      double x = 0;
      v.visit("x", x);
      v.visit("x", x);
    });
  });
  EXPECT_TRUE(message.starts_with((dir / "a.h5.tmp").string() + ": x: cannot create the dataset: ")) << message;
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Checkpoint, KeepsTheEarlierFileWhenTheDiskIsFull) {
  const TemporaryDirectory dir;
  const std::string path = (dir / "a.h5").string();
  State state = example();
  save_state(path, "test", state.traversal());
  const std::string before = content(path);
  const std::uint64_t hash = state_hash(state.traversal());
  Matrix large = Matrix::Ones(1000, 1000);
  for (const rlim_t limit_bytes : {rlim_t(0), rlim_t(1000), rlim_t(100'000)}) {
    const FileSizeLimit limit(limit_bytes);
    const std::string message = message_of<std::runtime_error>(
        [&] { save_state(path, "test", [&](StateVisitor& v) { v.visit("large", large); }); });
    EXPECT_NE(message.find(path), message.npos) << message;
    EXPECT_NE(message.find("File too large"), message.npos) << message;
  }
  EXPECT_EQ(content(path), before);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  load_state(path, "test", state.traversal());
  EXPECT_EQ(state_hash(state.traversal()), hash);
  save_state(path, "test", [&](StateVisitor& v) { v.visit("large", large); });  // HDF5 is still usable
  EXPECT_THROW(save_state(dir / "none/a.h5", "test", state.traversal()), std::runtime_error);
}

TEST(StateHash, SeesEveryDifference) {
  State a = example(), b = a;
  const std::uint64_t hash = state_hash(a.traversal());
  EXPECT_EQ(state_hash(b.traversal()), hash);
  b.wide(0, 0) += 1;  // outside the block
  EXPECT_EQ(state_hash(b.traversal()), hash);
  b.wide(1, 1) = std::nextafter(b.wide(1, 1), Scalar(2));
  EXPECT_NE(state_hash(b.traversal()), hash);
  b = a;
  b.sums[1] = 0.0;  // was -0.0
  EXPECT_NE(state_hash(b.traversal()), hash);
  b = a;
  b.empty.resize(5, 0);
  EXPECT_NE(state_hash(b.traversal()), hash);

  std::uint64_t one = 1;
  const auto named = [&](const char* name) { return state_hash([&](StateVisitor& v) { v.visit(name, one); }); };
  EXPECT_NE(named("a"), named("b"));
  // The same bytes in other shapes.
  Matrix m = Matrix::Zero(2, 3), t = Matrix::Zero(3, 2);
  EXPECT_NE(state_hash([&](StateVisitor& v) { v.visit("m", m); }),
            state_hash([&](StateVisitor& v) { v.visit("m", t); }));
}

}  // namespace
}  // namespace goalpost
