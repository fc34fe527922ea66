// Pieces: hands out aligned pieces of a step's scratch memory; without memory it only counts.
#ifndef LANEQUANT_RUNTIME_PLAN_PIECES_H_
#define LANEQUANT_RUNTIME_PLAN_PIECES_H_

#include <cstddef>

#include "runtime/aligned_buffer.h"

namespace lq {

class Pieces {
 public:
  explicit Pieces(std::byte* memory) : memory_(memory) {}
  std::byte* Take(size_t bytes) {
    std::byte* piece = memory_ != nullptr ? memory_ + used_ : nullptr;
    used_ += RoundUp(bytes, kAlignment);
    return piece;
  }
  size_t used() const { return used_; }

 private:
  std::byte* memory_;
  size_t used_ = 0;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_PIECES_H_
