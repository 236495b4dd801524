// The job of mpirun. Compiled with MPI's C interface where meson.build has found one, else without.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/check.h"
#include "core/communicator.h"

#ifdef GOALPOST_MPI
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <climits>
#include <vector>
#endif

namespace goalpost {
namespace {

#ifdef GOALPOST_MPI

// Every call that fails ends the job: MPI's own handler says what has failed.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
    MPI_Comm here{};
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &ranks_here_);
    MPI_Comm_free(&here);
  }
  ~MpiCommunicator() override { MPI_Finalize(); }
  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }
  int ranks_here() const override { return ranks_here_; }

  void all_gather(std::span<const std::byte> mine, std::span<const std::size_t> sizes,
                  std::span<std::byte> all) override {
    set(counts_, places_, sizes);
    MPI_Allgatherv(mine.data(), static_cast<int>(mine.size()), MPI_BYTE, all.data(), counts_.data(), places_.data(),
                   MPI_BYTE, MPI_COMM_WORLD);
  }
  void all_to_all(std::span<const std::byte> out, std::span<const std::size_t> out_sizes, std::span<std::byte> in,
                  std::span<const std::size_t> in_sizes) override {
    set(counts_, places_, out_sizes);
    set(in_counts_, in_places_, in_sizes);
    MPI_Alltoallv(out.data(), counts_.data(), places_.data(), MPI_BYTE, in.data(), in_counts_.data(), in_places_.data(),
                  MPI_BYTE, MPI_COMM_WORLD);
  }
  void send(int to, std::span<const std::byte> bytes) override {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kMost)))
      MPI_Send(bytes.data(), static_cast<int>(std::min(bytes.size(), kMost)), MPI_BYTE, to, 0, MPI_COMM_WORLD);
  }
  void receive(int from, std::span<std::byte> bytes) override {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kMost)))
      MPI_Recv(bytes.data(), static_cast<int>(std::min(bytes.size(), kMost)), MPI_BYTE, from, 0, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE);
  }
  void abort(int status) override {
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
  }

 private:
  static constexpr std::size_t kMost = std::size_t(1) << 30;  // of one message: MPI counts in int
  static void set(std::vector<int>& counts, std::vector<int>& places, std::span<const std::size_t> sizes) {
    counts.clear();
    places.clear();
    std::size_t place = 0;
    for (const std::size_t size : sizes) {
      counts.push_back(static_cast<int>(size));
      places.push_back(static_cast<int>(place));
      place += size;
    }
    GP_CHECK(place <= INT_MAX, "MpiCommunicator: a message of ", place, " bytes; expected at most ", INT_MAX);
  }

  int rank_ = 0, ranks_ = 1, ranks_here_ = 1;
  std::vector<int> counts_, places_, in_counts_, in_places_;
};

#endif

}  // namespace

int launched_processes() {
  if (std::getenv(kNotLaunched) != nullptr) return 1;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"})
    if (const char* size = std::getenv(name)) return std::max(std::atoi(size), 1);
  return 1;
}

void join_job() {
  const int launched = launched_processes();
  if (job().ranks() > 1 || launched == 1) return;
#ifdef GOALPOST_MPI
  static MpiCommunicator mpi;
  set_job(mpi);
  if (mpi.ranks() != launched)
    throw UsageError(
        detail::concatenate("mpirun has started ", launched, " processes, but this program's MPI sees ", mpi.ranks(),
                            ": it was built with another MPI than that of this mpirun; expected the same"));
#else
  throw UsageError(
      detail::concatenate("mpirun has started ", launched,
                          " processes, but this program was built without MPI; expected a build with it (Debian: "
                          "libopenmpi-dev), or a start without mpirun, which gives the same bits"));
#endif
}

}  // namespace goalpost
