// Walks the blocks of a packed LPBQ panel (PackedS4 in packing.h).
#ifndef LANEQUANT_KERNELS_MATMUL_S4_BLOCKS_H_
#define LANEQUANT_KERNELS_MATMUL_S4_BLOCKS_H_

#include <cstddef>
#include <cstdint>

#include "kernels/packing.h"

namespace lq::kernels {

// The quads of one block, in order: perhaps one in the high nibbles of a row, pairs of quads, perhaps one in the low
// nibbles. With an even number of quads there are only pairs.
struct S4Block {
  const uint8_t* w;      // the first of these rows: 64 bytes per group
  const uint8_t* scale;  // 16 per group
  size_t pairs;
  bool leading_high, trailing_low;
};

// The blocks of one panel. All that depends on the layout is worked out once: a block of 64 is done in 80 cycles, so
// that an address calculation per block would show. One object serves all panels of as many groups, for the divisions
// would show too.
class S4Blocks {
 public:
  S4Blocks(const PackedS4& layout, const uint8_t* panel, size_t groups)
      : panel_(panel),
        groups_(groups),
        count_(layout.blocks()),
        last_in_superblock_(layout.blocks_per_superblock() - 1) {
    const size_t quads = layout.block / 4;
    const size_t odd = quads % 2;
    superblock_bytes_ = layout.SuperblockBytes(groups);
    const size_t rows_bytes = (quads * (odd + 1) + 1) / 2 * groups * 64;
    parts_[0] = {0, rows_bytes, quads / 2, false, odd != 0};
    parts_[1] = {quads / 2 * groups * 64, rows_bytes + groups * kGroupChannels, quads / 2, true, false};
    // A last superblock of one odd block has rows of its own.
    last_ = parts_[0];
    last_.scale = (quads + 1) / 2 * groups * 64;
  }

  void MoveTo(const uint8_t* panel) { panel_ = panel; }

  size_t groups() const { return groups_; }
  size_t count() const { return count_; }
  // FullCursor serves.
  bool full_pairs() const { return groups_ == kPanelChannels / kGroupChannels && last_in_superblock_ == 0; }

  class Cursor {
   public:
    explicit Cursor(const S4Blocks& blocks) : blocks_(blocks), base_(blocks.panel_), left_(blocks.count_) {}

    S4Block Next() {
      --left_;
      const Part& part = part_ == 0 && left_ == 0 ? blocks_.last_ : blocks_.parts_[part_];
      const S4Block block = {base_ + part.w, base_ + part.scale, part.pairs, part.leading_high, part.trailing_low};
      if (part_ == blocks_.last_in_superblock_) {
        base_ += blocks_.superblock_bytes_;
        part_ = 0;
      } else {
        part_ = 1;
      }
      return block;
    }

   private:
    const S4Blocks& blocks_;
    const uint8_t* base_;
    size_t left_, part_ = 0;
  };

  // For the common case, a full panel of blocks with an even number of quads: little more than one pointer.
  class FullCursor {
   public:
    explicit FullCursor(const S4Blocks& blocks)
        : w_(blocks.panel_), pairs_(blocks.parts_[0].pairs), bytes_(blocks.superblock_bytes_) {}

    S4Block Next() {
      const S4Block block = {w_, w_ + bytes_ - kPanelChannels, pairs_, false, false};
      w_ += bytes_;
      return block;
    }

   private:
    const uint8_t* w_;
    size_t pairs_, bytes_;
  };

 private:
  // A block of a superblock; offsets from its first byte.
  struct Part {
    size_t w, scale, pairs;
    bool leading_high, trailing_low;
  };

  const uint8_t* panel_;
  size_t groups_, count_, last_in_superblock_, superblock_bytes_;
  Part parts_[2], last_;
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_MATMUL_S4_BLOCKS_H_
