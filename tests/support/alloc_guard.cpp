#include "support/alloc_guard.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace goalpost {
bool allocations_are_counted() { return false; }
std::uint64_t allocation_count() { return 0; }
std::uint64_t thread_allocation_count() { return 0; }
}  // namespace goalpost

#else

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {
constinit std::atomic<std::uint64_t> allocations{0};
constinit thread_local std::uint64_t thread_allocations = 0;
void count() {
  allocations.fetch_add(1, std::memory_order_relaxed);
  ++thread_allocations;
}
}  // namespace

// operator new of libstdc++ comes through malloc and aligned_alloc; free stays the C library's own.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count();
  void* p = __libc_memalign(alignment, size);
  if (p == nullptr) return ENOMEM;
  *memory = p;
  return 0;
}
}

namespace goalpost {
bool allocations_are_counted() { return true; }
std::uint64_t allocation_count() { return allocations.load(std::memory_order_relaxed); }
std::uint64_t thread_allocation_count() { return thread_allocations; }
}  // namespace goalpost

#endif
