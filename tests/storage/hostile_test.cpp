// Files that somebody damaged or made up: every reader says what is wrong, in bounded memory, or reads all of it. Each
// kind of damage is done to each kind of file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <functional>
#include <random>
#include <system_error>

#include "storage/checkpoint.h"
#include "storage/dataset.h"
#include "storage/dataset_d4rl.h"
#include "storage/dataset_minari.h"
#include "storage/dataset_summary.h"
#include "storage/episode_format.h"
#include "storage/episode_recorder.h"
#include "storage/episode_writer.h"
#include "storage/hdf5_file.h"
#include "storage/try_reading.h"
#include "support/script.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

EnvSpec spec() {
  EnvSpec s = test::script_spec(6);
  s.name = "Script-v0";
  return s;
}

// A state with a counter, a matrix and a vector.
struct State {
  std::uint64_t steps = 3;
  Matrix w = Matrix::Constant(40, 30, Scalar(0.5));
  std::vector<double> sums = std::vector<double>(20, 1.5);
  void visit_state(StateVisitor& v) {
    v.visit("steps", steps);
    if (steps > 100) throw std::runtime_error("State: too many steps");
    const StateVisitor::Scope net(v, "net");
    v.visit("W", w);
    v.visit("sums", std::span(sums));
  }
};

// One of the things that goalpost reads: how it is made, which file of it is damaged, and the names of a column of
// floats, of flags or counters, and of a group in it.
struct Kind {
  std::string name, file, column, flags, group;
  std::function<void(const fs::path&)> read;  // all of it
};
void PrintTo(const Kind& k, std::ostream* out) { *out << k.name; }

void import(const fs::path& path) {
  replay_dataset(path, spec(), [](const StepBatch&) {});
}

const Kind kKinds[] = {
    {"Episodes", "e.h5", "reward", "terminated", "episode", [](const fs::path& dir) { check_dataset(dir / "e.h5"); }},
    {"Minari", "m-v0/data/main_data.hdf5", "episode_1/rewards", "episode_1/terminations", "episode_1/observations",
     [](const fs::path& dir) { import(dir / "m-v0"); }},
    {"D4rl", "d.hdf5", "rewards", "terminals", "infos", [](const fs::path& dir) { import(dir / "d.hdf5"); }},
    {"Checkpoint", "c.h5", "net/W", "steps", "net",
     [](const fs::path& dir) {
       State s;
       load_state(dir / "c.h5", "test", [&](StateVisitor& v) { s.visit_state(v); });
     }},
};

// The sound files, made once.
const fs::path& originals() {
  static const TemporaryDirectory dir;
  if (!fs::is_empty(dir.path())) return dir.path();
  EpisodeFileWriter writer(dir / "e.h5", EpisodeHeader::of(spec(), 3, "name = \"test\"\n"), false);
  test::Script script(spec(), 2);
  EpisodeStage stage(spec(), 2, EpisodePurpose::training);
  EpisodeBlock block;
  for (int t = 0; t < 40; ++t) {
    const StepBatch& step = script.next();
    for (std::size_t lane = 0; lane < 2; ++lane) {
      stage.add(step, lane);
      if (step.ended(lane)) stage.move_episode(lane, 0, block);
    }
  }
  writer.append(block);
  writer.close();
  export_minari(dir / "e.h5", dir / "m-v0", false);
  export_d4rl(dir / "e.h5", dir / "d.hdf5", false);
  State s;
  save_state(dir / "c.h5", "test", [&](StateVisitor& v) { s.visit_state(v); });
  return dir.path();
}

class Hostile : public testing::TestWithParam<Kind> {
 protected:
  Hostile() {
    fs::copy(originals(), dir_.path(), fs::copy_options::recursive);
    whole_ = content(file());
  }

  fs::path file() const { return dir_ / GetParam().file; }
  // The message with which the file is refused; empty if it is read.
  std::string refusal() {
    return message_of<std::runtime_error>([&] { GetParam().read(dir_.path()); });
  }
  // The same, after a change to the sound file by way of HDF5.
  template <class Change>
  std::string after(Change change) {
    set_content(file(), whole_);
    const hid_t id = H5Fopen(file().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(id, 0);
    change(id);
    EXPECT_GE(H5Fclose(id), 0);
    return refusal();
  }
  // Replaces a dataset by one of another type, shape or storage, without numbers in it unless there are some.
  std::string with(const std::string& name, hid_t type, std::vector<hsize_t> extents, hid_t creation = H5P_DEFAULT,
                   const void* values = nullptr) {
    return after([&](hid_t id) {
      EXPECT_GE(H5Ldelete(id, name.c_str(), H5P_DEFAULT), 0) << name;
      const bool grows = creation != H5P_DEFAULT && H5Pget_layout(creation) == H5D_CHUNKED;
      const std::vector<hsize_t> unlimited(extents.size(), H5S_UNLIMITED);
      const hid_t space =
          H5Screate_simple(static_cast<int>(extents.size()), extents.data(), grows ? unlimited.data() : nullptr);
      const hid_t dataset = H5Dcreate2(id, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
      EXPECT_GE(dataset, 0) << name;
      EXPECT_TRUE(values == nullptr || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
      H5Dclose(dataset);
      H5Sclose(space);
    });
  }
  std::vector<hsize_t> extents(const std::string& name) const {
    const Hdf5Shape shape = Hdf5File::open(file()).shape(name);
    return {shape.begin(), shape.end()};
  }

  TemporaryDirectory dir_;
  std::string whole_;
};

// Properties of a dataset that is to be created.
class Creation {
 public:
  ~Creation() { H5Pclose(id_); }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = H5Pcreate(H5P_DATASET_CREATE);
};

TEST_P(Hostile, SoundIsRead) { EXPECT_EQ(refusal(), ""); }

TEST_P(Hostile, Empty) {
  set_content(file(), "");
  EXPECT_THAT(refusal(), HasSubstr("is not a complete HDF5 file"));
}

TEST_P(Hostile, Truncated) {
  for (std::size_t size = 0; size < whole_.size(); size += 1 + whole_.size() / 12) {
    set_content(file(), std::string_view(whole_).substr(0, size));
    EXPECT_THAT(refusal(), HasSubstr(file().filename().string())) << size << " of " << whole_.size() << " bytes";
  }
}

TEST_P(Hostile, WithBitsFlipped) {
  std::mt19937 random(1);
  for (int i = 0; i < 30; ++i) {
    std::string damaged = whole_;
    const std::size_t at = random() % (i % 2 ? damaged.size() : std::min<std::size_t>(damaged.size(), 4096));
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    set_content(file(), damaged);
    const std::string message = refusal();  // none where nothing refers to the byte, or any number will do
    if (!message.empty()) {
      EXPECT_THAT(message, HasSubstr(file().filename().string())) << "byte " << at;
    }
  }
}

TEST_P(Hostile, OfAnotherType) {
  const Kind& k = GetParam();
  const std::vector<hsize_t> usual = extents(k.column), flags = extents(k.flags);
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  const hid_t field = H5Tcopy(H5T_STD_U64LE);  // 37 bits of eight bytes
  H5Tset_precision(field, 37);
  for (const hid_t type : {text, field, hid_t(H5T_STD_REF_OBJ)})
    EXPECT_THAT(with(k.column, type, usual), HasSubstr(k.column + ": the numbers are ")) << type;
  const std::vector<double> values(1200, 0.5);
  EXPECT_THAT(with(k.flags, H5T_IEEE_F64LE, flags, H5P_DEFAULT, values.data()),
              HasSubstr(k.flags + ": the numbers are float64; expected "));
  EXPECT_THAT(after([&](hid_t id) {
                H5Ldelete(id, k.column.c_str(), H5P_DEFAULT);
                H5Gclose(H5Gcreate2(id, k.column.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
              }),
              HasSubstr(k.column + ": the file has no such dataset"));
  H5Tclose(text);
  H5Tclose(field);
}

TEST_P(Hostile, OfAnotherShape) {
  const Kind& k = GetParam();
  const std::vector<float> values(5000, 0);
  std::vector<hsize_t> longer = extents(k.column), deeper = longer;
  longer[0] += 1;
  deeper.push_back(2);
  for (const std::vector<hsize_t>& other : {longer, deeper, {}, {0}})
    EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, other, H5P_DEFAULT, values.data()),
                testing::AllOf(HasSubstr(file().filename().string()), HasSubstr("expected")));
}

TEST_P(Hostile, WithAShapeThatIsNotStored) {
  const Kind& k = GetParam();
  const std::vector<hsize_t> usual = extents(k.column);
  // Nothing stored at all; a huge extent of which one chunk is; and numbers that are said to be in the file.
  EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, usual), HasSubstr("is beyond the 0 bytes that are stored"));
  for (const hsize_t huge : {hsize_t(1) << 40, hsize_t(1) << 62}) {
    std::vector<hsize_t> wide = usual, chunk(usual.size(), 1);
    wide[0] = huge;
    for (const bool deflate : {false, true}) {
      Creation creation;
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      if (deflate) H5Pset_deflate(creation, 1);
      EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, wide, creation), HasSubstr("is beyond the 0 bytes that are stored"));
    }
  }
  Creation large;
  const std::vector<hsize_t> chunk(usual.size(), usual.size() == 1 ? hsize_t(1) << 25 : 8192);
  H5Pset_chunk(large, static_cast<int>(chunk.size()), chunk.data());
  EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, usual, large), HasSubstr("a chunk holds "));
}

TEST_P(Hostile, WithNumbersInAnotherFile) {
  const Kind& k = GetParam();
  const std::vector<hsize_t> usual = extents(k.column);
  Creation external;
  H5Pset_external(external, "/dev/zero", 0, H5F_UNLIMITED);
  EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, usual, external), HasSubstr("the numbers lie in other files"));
  Creation other;
  const hid_t space = H5Screate_simple(static_cast<int>(usual.size()), usual.data(), nullptr);
  H5Pset_virtual(other, space, "other.h5", "x", space);
  EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, usual, other), HasSubstr("the numbers lie in other files"));
  H5Sclose(space);
}

TEST_P(Hostile, WithUnknownOrRepeatedFilters) {
  const Kind& k = GetParam();
  const std::vector<hsize_t> usual = extents(k.column);
  const auto refused = [&](auto set) {
    Creation creation;
    H5Pset_chunk(creation, static_cast<int>(usual.size()), usual.data());
    set(creation);
    return with(k.column, H5T_IEEE_F32LE, usual, creation);
  };
  EXPECT_THAT(refused([](hid_t c) { H5Pset_scaleoffset(c, H5Z_SO_FLOAT_DSCALE, 2); }), HasSubstr("expected shuffle"));
  EXPECT_THAT(refused([](hid_t c) {
                H5Pset_deflate(c, 1);
                H5Pset_deflate(c, 9);  // a file of a thousand bytes could grow to a gigabyte
              }),
              HasSubstr("each once at most"));
}

TEST_P(Hostile, WithLinksInCircles) {
  const Kind& k = GetParam();
  const auto replaced = [&](const std::string& name, auto link) {
    return after([&](hid_t id) {
      EXPECT_GE(H5Ldelete(id, name.c_str(), H5P_DEFAULT), 0);
      EXPECT_GE(link(id, name.c_str()), 0);
    });
  };
  const std::string here = file().filename().string();
  for (const std::string& name : {k.column, k.group}) {
    EXPECT_THAT(replaced(name,
                         [&](hid_t id, const char* n) {
                           return H5Lcreate_soft(("/" + name).c_str(), id, n, H5P_DEFAULT, H5P_DEFAULT);
                         }),
                HasSubstr(name + ": this is a link to another place"));
    EXPECT_THAT(replaced(name,
                         [&](hid_t id, const char* n) {
                           return H5Lcreate_external(here.c_str(), ("/" + name).c_str(), id, n, H5P_DEFAULT,
                                                     H5P_DEFAULT);
                         }),
                HasSubstr(name + ": this is a link to another place"));
    EXPECT_THAT(replaced(name,
                         [&](hid_t id, const char* n) {
                           return H5Lcreate_hard(id, "/", id, n, H5P_DEFAULT, H5P_DEFAULT);  // the root lies in itself
                         }),
                testing::AllOf(HasSubstr(here), testing::AnyOf(HasSubstr("no such dataset"), HasSubstr("another name"),
                                                               HasSubstr("there are no"))));
  }
}

TEST_P(Hostile, FullOfNaN) {
  const Kind& k = GetParam();
  const std::vector<float> values(5000, std::nanf(""));
  EXPECT_THAT(with(k.column, H5T_IEEE_F32LE, extents(k.column), H5P_DEFAULT, values.data()),
              testing::AllOf(HasSubstr(k.column), testing::ContainsRegex("nan|NaN")));
}

INSTANTIATE_TEST_SUITE_P(Files, Hostile, testing::ValuesIn(kKinds), [](const auto& i) { return i.param.name; });

// Minari's index is its metadata.
class HostileMetadata : public Hostile {
 protected:
  std::string with_metadata(const std::string& text) {
    set_content(dir_ / "m-v0/data/metadata.json", text);
    return refusal();
  }
};
TEST_P(HostileMetadata, OutsideTheData) {
  const auto totals = [&](const std::string& episodes, const std::string& steps) {
    return with_metadata(R"({"data_format": "hdf5", "total_episodes": )" + episodes + R"(, "total_steps": )" + steps +
                         "}");
  };
  EXPECT_THAT(totals("1000000000000000000", "3"), HasSubstr("there is no group episode_"));
  EXPECT_THAT(totals("2", "3"), HasSubstr("there is a group episode_2; expected none from 2 on"));
  EXPECT_THAT(totals("-1", "3"), HasSubstr("total_episodes = -1; expected a count"));
  EXPECT_THAT(totals("\"two\"", "3"), HasSubstr("total_episodes = \"two\"; expected a count"));
  EXPECT_THAT(with_metadata(""), HasSubstr("this is no metadata of a Minari dataset"));
  EXPECT_THAT(with_metadata(std::string(100'000, '[')), HasSubstr("this is no metadata of a Minari dataset"));
  EXPECT_THAT(with_metadata("\xff\xfe{}"), HasSubstr("this is no metadata of a Minari dataset"));
  EXPECT_THAT(with_metadata(R"({"data_format": "arrow"})"), HasSubstr("data_format = \"arrow\"; expected \"hdf5\""));
  fs::remove(dir_ / "m-v0/data/metadata.json");
  EXPECT_THAT(refusal(), HasSubstr("metadata.json: there is no such file"));
}
INSTANTIATE_TEST_SUITE_P(Files, HostileMetadata, testing::Values(kKinds[1]),
                         [](const auto& i) { return i.param.name; });

// The index of the others is in the file.
class HostileIndex : public Hostile {};
TEST_P(HostileIndex, OutsideTheData) {
  const auto ends = [&](std::vector<std::uint64_t> end) {
    end.resize(extents("episode/end")[0], end.back());
    return with("episode/end", H5T_STD_U64LE, {end.size()}, H5P_DEFAULT, end.data());
  };
  EXPECT_THAT(ends({1, 100}), HasSubstr("episode/end[1] = 100 after 1; expected an episode of 1 to 6 steps within"));
  EXPECT_THAT(ends({~std::uint64_t(0)}), HasSubstr("episode/end[0]"));
  EXPECT_THAT(ends({0}), HasSubstr("episode/end[0] = 0 after 0"));
}
INSTANTIATE_TEST_SUITE_P(Files, HostileIndex, testing::Values(kKinds[0]), [](const auto& i) { return i.param.name; });

class HostileCounter : public Hostile {};
TEST_P(HostileCounter, BeyondWhatItCounts) {
  const std::uint64_t many = 1'000'000, other = 4;
  EXPECT_THAT(after([&](hid_t id) {
                const hid_t dataset = H5Dopen2(id, "steps", H5P_DEFAULT);
                H5Dwrite(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &many);
                H5Dclose(dataset);
              }),
              HasSubstr("State: too many steps"));
  EXPECT_THAT(after([&](hid_t id) {
                const hid_t dataset = H5Dopen2(id, "steps", H5P_DEFAULT);
                H5Dwrite(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &other);
                H5Dclose(dataset);
              }),
              HasSubstr("the numbers are not those that were saved"));
  EXPECT_THAT(after([&](hid_t id) {  // more groups in each other than a stack could follow
                hid_t group = H5Gopen2(id, "/", H5P_DEFAULT);
                for (int i = 0; i < 100; ++i) {
                  const hid_t inner = H5Gcreate2(group, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
                  H5Gclose(group);
                  group = inner;
                }
                H5Gclose(group);
              }),
              HasSubstr("this group lies in 32 others"));
}
INSTANTIATE_TEST_SUITE_P(Files, HostileCounter, testing::Values(kKinds[3]), [](const auto& i) { return i.param.name; });

TEST(TryReading, EndsWhenItIsStopped) {
  EXPECT_EQ(message_of<std::runtime_error>([] {
              try_reading(
                  "x.h5", [] { ::pause(); }, [] { return true; });
            }),
            "");
}

TEST(TryReading, PassesErrorsOfTheSystemOn) {
  try {
    try_reading("x.h5", [] { throw std::system_error(EMFILE, std::generic_category(), "cannot open x.h5"); });
    FAIL() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::too_many_files_open);
    EXPECT_STREQ(e.what(), "cannot open x.h5: Too many open files");
  }
}

TEST(TryReading, TellsHowItEnds) {
  EXPECT_EQ(message_of<std::runtime_error>([] { try_reading("x.h5", [] {}); }), "");
  EXPECT_EQ(message_of<std::runtime_error>([] { try_reading("x.h5", [] { throw std::runtime_error("no rows"); }); }),
            "no rows");
  EXPECT_THAT(message_of<std::runtime_error>([] { try_reading("x.h5", [] { raise(SIGKILL); }); }),
              HasSubstr("x.h5 is damaged in a way that HDF5 does not survive: reading it ended with signal 9"));
  EXPECT_THAT(message_of<std::runtime_error>([] { Hdf5File::open("/dev/zero"); }), HasSubstr("/dev/zero is no file"));
}

}  // namespace
}  // namespace goalpost
