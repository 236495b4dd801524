// What h5py and other tools write, made with HDF5's own functions.
#include "storage/hdf5_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <system_error>

#include "storage/checkpoint.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::HasSubstr;

class Foreign : public testing::Test {
 protected:
  // A file that somebody else made.
  template <class Make>
  Hdf5File with(Make make) {
    const hid_t id = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    make(id);
    EXPECT_GE(H5Fclose(id), 0);
    return Hdf5File::open(path_);
  }
  static void attribute(hid_t file, const char* name, hid_t type, const void* value, hsize_t count = 0) {
    const hid_t space = count == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr);
    const hid_t id = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(id, type, value), 0);
    H5Aclose(id);
    H5Sclose(space);
  }
  static void dataset(hid_t file, const char* name, hid_t type, const void* values, std::vector<hsize_t> extents) {
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(id);
    H5Sclose(space);
  }
  static hid_t text_type(std::size_t size, H5T_cset_t set, H5T_str_t pad = H5T_STR_NULLPAD) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, set);
    if (size != H5T_VARIABLE) H5Tset_strpad(type, pad);
    return type;
  }
  template <class F>
  static std::string refusal(F f) {
    return message_of<std::runtime_error>(f);
  }
  TemporaryDirectory dir_;
  std::filesystem::path path_ = dir_ / "f.h5";
};

TEST_F(Foreign, TextOfEveryKindIsRead) {
  const char *words = "café", *none = nullptr, *bad = "caf\xe9";
  const Hdf5File file = with([&](hid_t id) {
    attribute(id, "variable", text_type(H5T_VARIABLE, H5T_CSET_UTF8), &words);
    attribute(id, "variable_list", text_type(H5T_VARIABLE, H5T_CSET_UTF8), &words, 1);
    attribute(id, "ascii", text_type(H5T_VARIABLE, H5T_CSET_ASCII), &words);
    attribute(id, "empty", text_type(H5T_VARIABLE, H5T_CSET_UTF8), &none);
    attribute(id, "fixed", text_type(5, H5T_CSET_UTF8), "caf\xc3\xa9");
    attribute(id, "spaces", text_type(6, H5T_CSET_ASCII, H5T_STR_SPACEPAD), "word  ");
    attribute(id, "bad", text_type(H5T_VARIABLE, H5T_CSET_UTF8), &bad);
    const char* two[] = {"a", "b"};
    attribute(id, "two", text_type(H5T_VARIABLE, H5T_CSET_UTF8), two, 2);
    const std::int64_t number = 3;
    attribute(id, "number", H5T_STD_I64LE, &number);
  });
  for (const char* name : {"variable", "variable_list", "ascii", "fixed"})
    EXPECT_EQ(file.read_text("", name), "café") << name;
  EXPECT_EQ(file.read_text("", "empty"), "");
  EXPECT_EQ(file.read_text("", "spaces"), "word");
  EXPECT_THAT(refusal([&] { file.read_text("", "bad"); }), HasSubstr("attribute bad is not UTF-8"));
  EXPECT_THAT(refusal([&] { file.read_text("", "two"); }), HasSubstr("attribute two is 2 texts; expected one text"));
  EXPECT_THAT(refusal([&] { file.read_text("", "number"); }),
              HasSubstr("attribute number is a 8-byte integer; expected one text"));
}

TEST_F(Foreign, NumbersOfOtherTypesAreConvertedIfTheyFit) {
  const std::vector<double> reals = {0.5, -2, 1e300}, infinite = {INFINITY, 1, 2};
  const std::vector<std::int64_t> counts = {1, 2, 3}, negative = {1, -2, 3};
  const std::int64_t minus = -1, seven = 7;
  const Hdf5File file = with([&](hid_t id) {
    dataset(id, "reals", H5T_IEEE_F64LE, reals.data(), {2});
    dataset(id, "big", H5T_IEEE_F64LE, reals.data(), {3});
    dataset(id, "infinite", H5T_IEEE_F64LE, infinite.data(), {3});
    dataset(id, "counts", H5T_STD_I64LE, counts.data(), {3});
    dataset(id, "negative", H5T_STD_I64LE, negative.data(), {3});
    attribute(id, "minus", H5T_STD_I64LE, &minus);
    attribute(id, "seven", H5T_STD_I64LE, &seven);
  });
  std::vector<float> two(2), three(3);
  file.read("reals", {2}, std::span(two));
  EXPECT_EQ(two, (std::vector<float>{0.5F, -2}));
  EXPECT_THAT(refusal([&] { file.read("big", {3}, std::span(three)); }),
              HasSubstr("big: number 2 is 1e+300; expected one that fits into float32"));
  file.read("infinite", {3}, std::span(three));
  EXPECT_TRUE(std::isinf(three[0]));
  std::vector<std::uint64_t> n(3);
  file.read("counts", {3}, std::span(n));
  EXPECT_EQ(n, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_THAT(refusal([&] { file.read("negative", {3}, std::span(n)); }),
              HasSubstr("negative: number 1 is -2; expected one that fits into uint64"));
  EXPECT_THAT(refusal([&] { file.read("reals", {2}, std::span(n).first(2)); }),
              HasSubstr("the numbers are float64; expected uint64"));
  EXPECT_EQ(file.read_number("", "seven"), 7u);
  EXPECT_EQ(file.read_real("", "seven"), 7);
  EXPECT_THAT(refusal([&] { file.read_number("", "minus"); }),
              HasSubstr("attribute minus is -1; expected a number >= 0"));
}

TEST_F(Foreign, WeightsOfFloat64MakeAPolicy) {
  const std::vector<double> w = {1, 2, 3, 4, 5, 6};
  const char* kind = "test";
  with([&](hid_t id) {
    const std::uint64_t schema = 1;
    attribute(id, "schema", H5T_STD_U64LE, &schema);
    attribute(id, "kind", text_type(H5T_VARIABLE, H5T_CSET_UTF8), &kind);
    dataset(id, "W", H5T_IEEE_F64LE, w.data(), {3, 2});
  });
  Matrix weights = Matrix::Zero(2, 3);
  load_state(path_, "test", [&](StateVisitor& v) { v.visit("W", weights); });
  EXPECT_EQ(weights(1, 2), 6);
}

TEST_F(Foreign, FileThatCannotBeOpenedIsNotCalledIncomplete) {
  with([](hid_t) {});
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const std::string message = message_of<std::system_error>([&] { Hdf5File::open(path_); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(message, "cannot open " + path_.string() + ": unable to open file: Too many open files");
}

TEST_F(Foreign, FileInUseIsNotCalledIncomplete) {
  with([](hid_t) {});
  const int file = ::open(path_.c_str(), O_RDWR);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  EXPECT_EQ(refusal([&] { Hdf5File::open(path_); }), path_.string() + " is in use by another process");
  ::close(file);
  EXPECT_EQ(refusal([&] { Hdf5File::open(path_); }), "");
  const int other = ::open((dir_ / "new.h5").c_str(), O_CREAT | O_RDWR, 0666);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_EQ(refusal([&] { Hdf5File::create(dir_ / "new.h5"); }),
            (dir_ / "new.h5").string() + " is in use by another process");
  ::close(other);
}

}  // namespace
}  // namespace goalpost
