// Names in files: a longer one is an attack, not a name.
#ifndef LANEQUANT_RUNTIME_IO_NAME_LIMIT_H_
#define LANEQUANT_RUNTIME_IO_NAME_LIMIT_H_

#include <cstddef>

namespace lq {

inline constexpr size_t kMaxNameBytes = 4096;

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_NAME_LIMIT_H_
