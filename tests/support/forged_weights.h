// Files of packed weights (runtime/io/packed_file.h) with one layer that was changed: its checksum made right again.
#ifndef LANEQUANT_TESTS_SUPPORT_FORGED_WEIGHTS_H_
#define LANEQUANT_TESTS_SUPPORT_FORGED_WEIGHTS_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "runtime/content_hash.h"

namespace lq::testing {

// Where a layer's record has its fields, and the packed bytes behind it.
constexpr size_t kRecordBegin = 64, kPackedBegin = kRecordBegin + 256;

// Nothing where the file is too short for the sizes that it states.
inline std::string WithChecksum(const std::string& changed) {
  std::string file = changed;
  uint64_t groups = 0, group_bytes = 0, packed = 0;
  if (file.size() < kPackedBegin) return file;
  std::memcpy(&groups, &file[kRecordBegin + 48], 8);
  std::memcpy(&group_bytes, &file[kRecordBegin + 56], 8);
  if (__builtin_mul_overflow(groups, group_bytes, &packed) || packed > file.size() - kPackedBegin) return file;
  std::memset(&file[kRecordBegin], 0, 8);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(file));
  ContentHash hash;
  hash.Add(bytes.subspan(kRecordBegin, kPackedBegin - kRecordBegin));
  hash.Add(bytes.subspan(kPackedBegin, packed));
  hash.Add(bytes.subspan(kPackedBegin + packed));
  const uint64_t checksum = hash.value();
  std::memcpy(&file[kRecordBegin], &checksum, 8);
  return file;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_FORGED_WEIGHTS_H_
