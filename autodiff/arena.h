#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace goalpost {

/// Bump allocator with rewind: memory is handed out in order and taken back all at once. Runs no destructors.
/// Blocks are kept over a rewind; after the first pass of a computation a later pass of the same size allocates
/// nothing.
class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;  // one cache line, and the widest vector

  /// Uninitialized memory, aligned to kAlignment, valid until the next rewind.
  void* allocate(std::size_t bytes) {
    bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const std::size_t size = std::max(bytes, blocks_.empty() ? kFirstBlock : 2 * blocks_.back().size);
      blocks_.push_back({std::unique_ptr<std::byte, Free>(
                             static_cast<std::byte*>(::operator new(size, std::align_val_t(kAlignment)))),
                         size});
      used_ = 0;
    }
    void* memory = blocks_[block_].memory.get() + used_;
    used_ += bytes;
    return memory;
  }

  void rewind() { block_ = used_ = 0; }

 private:
  static constexpr std::size_t kFirstBlock = 64 * 1024;
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(kAlignment)); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> memory;
    std::size_t size;
  };
  std::vector<Block> blocks_;
  std::size_t block_ = 0, used_ = 0;  // the block in use, and how much of it
};

}  // namespace goalpost
