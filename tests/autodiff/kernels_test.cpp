// Every set of kernels that this processor has, against sums in double.
#include "autodiff/kernels.h"

#include <array>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>

#include "autodiff/gemm.h"
#include "core/thread_pool.h"
#include "support/matrices.h"

namespace goalpost::test {
namespace {

using kernels::Kernels;

std::vector<const Kernels*> sets() {
  std::vector<const Kernels*> list;
#ifdef __x86_64__
  if (kernels::best() == &kernels::avx512_kernels) list.push_back(&kernels::avx512_kernels);
  if (kernels::best() != nullptr) list.push_back(&kernels::avx2_kernels);
#endif
  return list;
}

class KernelSet : public ::testing::TestWithParam<const Kernels*> {};

using Exact = Eigen::MatrixXd;

// A matrix inside a larger one, whose other entries must not be read into results or written.
struct Padded {
  Matrix memory;
  Index rows, cols;
  Padded(Index rows, Index cols, std::uint64_t stream)
      : memory(Matrix::Constant(rows + 3, cols + 1, Scalar(1e30))), rows(rows), cols(cols) {
    view() = random_matrix(rows, cols, stream);
  }
  Eigen::Block<Matrix> view() { return memory.topLeftCorner(rows, cols); }
  bool border_is_untouched() const {
    return (memory.bottomRows(3).array() == Scalar(1e30)).all() && (memory.rightCols(1).array() == Scalar(1e30)).all();
  }
};

constexpr Index kSizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 47, 48, 64, 65, 100};

TEST_P(KernelSet, ProductsAgreeWithSumsInDouble) {
  for (const Index m : kSizes) {
    for (const Index n : {1, 2, 5, 6, 8, 13, 24}) {
      for (const Index k : {1, 3, 40}) {
        for (const int variant : {0, 1, 2, 3}) {
          const bool transposed = variant == 1, add = variant == 2, relu = variant == 3;
          Padded a(m, k, 1), b(transposed ? n : k, transposed ? k : n, 2), c(m, n, 3);
          const Matrix bias = random_matrix(m, 1, 4);
          const Index ldb = b.memory.rows();
          Exact expected = a.view().cast<double>() *
                           (transposed ? Exact(b.view().cast<double>().transpose()) : Exact(b.view().cast<double>()));
          if (add) expected += c.view().cast<double>();
          if (relu) expected = (expected.colwise() + bias.col(0).cast<double>()).cwiseMax(0);
          GetParam()->product({a.memory.data(), a.memory.rows(), b.memory.data(), transposed ? ldb : 1,
                               transposed ? 1 : ldb, c.memory.data(), c.memory.rows(), m, n, k, add,
                               relu ? bias.data() : nullptr, relu});
          ASSERT_LT((c.view().cast<double>() - expected).cwiseAbs().maxCoeff(), 1e-5)
              << m << "x" << k << " times " << k << "x" << n << ", variant " << variant;
          ASSERT_TRUE(c.border_is_untouched()) << m << "x" << n;
        }
      }
    }
  }
}

TEST_P(KernelSet, DotProductsAgreeWithSumsInDouble) {
  for (const Index m : {1, 2, 3, 8}) {
    for (const Index n : {1, 3, 4, 9}) {
      for (const Index k : {1, 7, 8, 15, 16, 17, 100}) {
        Padded a(k, m, 1), b(k, n, 2), c(m, n, 3);
        const Matrix bias = random_matrix(m, 1, 4);
        const Exact plain = a.view().cast<double>().transpose() * b.view().cast<double>();
        const Exact expected = (plain.colwise() + bias.col(0).cast<double>()).cwiseMax(0);
        GetParam()->dot_product({a.memory.data(), a.memory.rows(), b.memory.data(), b.memory.rows(), c.memory.data(),
                                 c.memory.rows(), m, n, k, bias.data(), true});
        ASSERT_LT((c.view().cast<double>() - expected).cwiseAbs().maxCoeff(), 1e-5);
        GetParam()->dot_product({a.memory.data(), a.memory.rows(), b.memory.data(), b.memory.rows(), c.memory.data(),
                                 c.memory.rows(), m, n, k, nullptr, false});
        ASSERT_LT((c.view().cast<double>() - plain).cwiseAbs().maxCoeff(), 1e-5);
        ASSERT_TRUE(c.border_is_untouched());
      }
    }
  }
}

TEST_P(KernelSet, TransposesExactly) {
  for (const Index m : kSizes) {
    for (const Index n : kSizes) {
      Padded from(m, n, 1), to(n, m, 2);
      GetParam()->transpose(from.memory.data(), from.memory.rows(), m, n, to.memory.data(), to.memory.rows());
      ASSERT_EQ(to.view(), from.view().transpose()) << m << "x" << n;
      ASSERT_TRUE(to.border_is_untouched());
    }
  }
}

TEST_P(KernelSet, LetNanAndInfinityThroughAsMultiplicationDoes) {
  const Scalar nan = std::numeric_limits<Scalar>::quiet_NaN();
  Matrix a = Matrix::Zero(20, 3), b = Matrix::Zero(3, 2), c = Matrix::Zero(20, 2);
  a(17, 1) = nan;
  b(2, 0) = std::numeric_limits<Scalar>::infinity();
  GetParam()->product({a.data(), 20, b.data(), 1, 3, c.data(), 20, 20, 2, 3, false, nullptr, false});
  EXPECT_TRUE(std::isnan(c(17, 1)));
  EXPECT_TRUE(std::isnan(c(0, 0))) << "0 times infinity";
  EXPECT_EQ(c(0, 1), 0);
}

INSTANTIATE_TEST_SUITE_P(Processor, KernelSet, ::testing::ValuesIn(sets()), [](const auto& info) {
  std::string name = info.param->name;
  std::erase(name, '-');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KernelSet);  // a processor without any

// x rounded to bfloat16: the upper half of a float, to nearest, ties to even.
Scalar rounded(Scalar x) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  bits += 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

class GemmInPrecision : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels::best_for_pairs() == nullptr) GTEST_SKIP() << "this processor has no AVX512-BF16";
  }
  void TearDown() override {
    set_precision(Precision::float32);
    set_compute_threads(1);
  }
  // Largest errors of the four products against sums in double of the factors as they are, and as bfloat16 numbers,
  // relative to the root of the number of terms.
  static std::pair<double, double> errors(Index m, Index n, Index k) {
    Padded a(m, k, 1), at(k, m, 2), b(k, n, 3), bt(n, k, 4), c(m, n, 5);
    const Matrix bias = random_matrix(m, 1, 6);
    double plain = 0, as_rounded = 0;
    const auto compare = [&](const Matrix& x, const Matrix& y, const Exact& offset, bool relu) {
      const auto error = [&](const Matrix& p, const Matrix& q) {
        Exact expected = p.cast<double>() * q.cast<double>() + offset;
        if (relu) expected = expected.cwiseMax(0);
        return (c.view().cast<double>() - expected).cwiseAbs().maxCoeff() / std::sqrt(double(k));
      };
      plain = std::max(plain, error(x, y));
      as_rounded = std::max(as_rounded, error(x.unaryExpr(&rounded), y.unaryExpr(&rounded)));
      EXPECT_TRUE(c.border_is_untouched());
    };
    gemm_bias(a.view(), b.view(), bias.col(0), true, c.view());
    compare(a.view(), b.view(), bias.cast<double>().replicate(1, n), true);
    gemm(a.view(), b.view(), c.view());
    const Exact before = c.view().cast<double>();
    gemm(a.view(), b.view(), c.view(), true);
    compare(a.view(), b.view(), before, false);
    gemm_tn(at.view(), b.view(), c.view());
    compare(at.view().transpose(), b.view(), Exact::Zero(m, n), false);
    gemm_nt(a.view(), bt.view(), c.view());
    compare(a.view(), bt.view().transpose(), Exact::Zero(m, n), false);
    return {plain, as_rounded};
  }
};

TEST_F(GemmInPrecision, RoundsFactorsAndSumsInFloat32) {
  for (const auto& [m, n, k] :
       {std::array<Index, 3>{32, 32, 32}, {256, 256, 256}, {300, 128, 45}, {33, 65, 129}, {48, 47, 64}, {47, 48, 96}}) {
    set_precision(Precision::bfloat16);
    const auto [plain, as_rounded] = errors(m, n, k);
    EXPECT_LT(as_rounded, 2e-6) << m << "x" << k << " times " << k << "x" << n;
    EXPECT_GT(plain, 1e-4);
    set_precision(Precision::bfloat16x3);
    EXPECT_LT(errors(m, n, k).first, 2e-5);
  }
}

TEST_F(GemmInPrecision, LetsNanAndInfinityThrough) {
  set_precision(Precision::bfloat16);
  Matrix a = Matrix::Zero(40, 50), b = Matrix::Zero(50, 60), c(40, 60);
  const Vector bias = Vector::Zero(40);
  a(33, 49) = std::numeric_limits<Scalar>::quiet_NaN();
  b(2, 59) = std::numeric_limits<Scalar>::infinity();
  gemm_bias(a, b, bias, true, c);
  for (Index j = 0; j < 60; ++j)
    for (Index i = 0; i < 40; ++i)
      EXPECT_EQ(std::isnan(c(i, j)), i == 33 || j == 59) << i << ", " << j << ": NaN times 0, 0 times infinity";
}

TEST_F(GemmInPrecision, LeavesNarrowProductsInFloat32) {
  set_precision(Precision::bfloat16);
  EXPECT_LT(errors(256, 256, 31).first, 2e-6);
  EXPECT_LT(errors(8, 256, 256).first, 2e-6);
  EXPECT_LT(errors(256, 1, 256).first, 2e-6);
}

void expect_same_bits_for_all_threads() {
  for (const auto& [m, k, n] : {std::array<Index, 3>{256, 256, 256}, {300, 45, 128}, {8, 300, 513}, {1, 256, 4096}}) {
    const Matrix a = random_matrix(m, k, 1), b = random_matrix(k, n, 2), g = random_matrix(m, n, 3);
    const Matrix bias = random_matrix(m, 1, 4);
    std::vector<Matrix> one, many;
    for (const int threads : {1, 2, 3, 5}) {
      set_compute_threads(threads);
      Matrix forward(m, n), backward(k, n), weights = Matrix::Ones(m, k);
      gemm_bias(a, b, bias.col(0), true, forward);
      gemm_tn(a, g, backward);
      gemm_nt(g, b, weights, true);
      many = {forward, backward, weights};
      if (one.empty()) one = many;
      for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << threads << " threads";
    }
    set_compute_threads(1);
  }
}

TEST(GemmThreads, DoNotChangeABit) { expect_same_bits_for_all_threads(); }

TEST_F(GemmInPrecision, ThreadsDoNotChangeABit) {
  for (const Precision p : {Precision::bfloat16x3, Precision::bfloat16}) {
    set_precision(p);
    expect_same_bits_for_all_threads();
  }
}

// In a process of its own: the kernels are chosen once.
TEST(KernelChoice, IsThatOfTheEnvironmentIfItNamesOne) {
  if (const char* wanted = std::getenv("GOALPOST_KERNELS")) {
    EXPECT_STREQ(gemm_kernels(), wanted);
    return;
  }
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<std::string> names;
  if (kernels::best_for_tiles() != nullptr) names.emplace_back("AMX");
  for (const Kernels* k : sets()) names.emplace_back(k->name);
  for (const std::string& name : names) {
    const std::string command =
        "GOALPOST_KERNELS=" + name + " '" + program + "' '--gtest_filter=KernelChoice.*:GemmInPrecision.*' > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << name;
  }
}

}  // namespace
}  // namespace goalpost::test
