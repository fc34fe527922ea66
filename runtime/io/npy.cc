#include "runtime/io/npy.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr size_t kMaxNpyHeaderBytes = 65536;

struct TypeName {
  std::string_view name;
  DType dtype;
};

constexpr TypeName kNpyTypes[] = {
    {"<f2", DType::kF16}, {"<f4", DType::kF32}, {"<f8", DType::kF64}, {"|u1", DType::kU8},  {"|i1", DType::kS8},
    {"<u2", DType::kU16}, {"<i2", DType::kS16}, {"<i4", DType::kS32}, {"<i8", DType::kS64}, {"|b1", DType::kU8}};

// A parser of the one literal that NumPy writes: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Result<NpyHeader> Parse() {
    if (!Take('{')) return Error("'{' is missing");
    while (!Take('}')) {
      LQ_ASSIGN_OR_RETURN(const std::string_view key, String());
      if (!Take(':')) return Error("':' is missing");
      LQ_RETURN_IF_ERROR(Value(key));
      if (!Take(',') && Peek() != '}') return Error("',' is missing");
    }
    if (seen_ != 7) return Error("one of descr, fortran_order and shape is missing");
    return header_;
  }

 private:
  Status Error(const char* what) const {
    return InvalidArgument(fmt::format("malformed .npy header: {}, {} bytes before its end", what, rest_.size()));
  }

  char Peek() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool Take(char c) {
    if (Peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool TakeWord(std::string_view word) {
    Peek();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  Result<std::string_view> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Error("a string is missing");
    const size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) return Error("a string does not end");
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  Status Value(std::string_view key) {
    if (key == "descr") return Descr();
    if (key == "fortran_order") return FortranOrder();
    if (key == "shape") return ReadShape();
    return Error("an unknown key");
  }

  Status Descr() {
    seen_ |= 1;
    if (Peek() == '[') return Unsupported("a structured .npy dtype; supported: f2 f4 f8 u1 i1 u2 i2 i4 i8 b1");
    LQ_ASSIGN_OR_RETURN(const std::string_view name, String());
    for (const TypeName& type : kNpyTypes) {
      if (name != type.name) continue;
      header_.dtype = type.dtype;
      return OkStatus();
    }
    return Unsupported(
        fmt::format("NumPy dtype '{}'; supported: little-endian f2 f4 f8 u1 i1 u2 i2 i4 i8 b1", name.substr(0, 32)));
  }

  Status FortranOrder() {
    seen_ |= 2;
    header_.fortran_order = TakeWord("True");
    return header_.fortran_order || TakeWord("False") ? OkStatus() : Error("fortran_order is neither True nor False");
  }

  Status ReadShape() {
    seen_ |= 4;
    if (!Take('(')) return Error("'(' is missing");
    std::vector<int64_t> dims;
    while (!Take(')')) {
      Peek();
      int64_t dim = 0;
      const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dim);
      if (error != std::errc() || dim < 0) return Error("a dimension is not in 0..2^63 - 1");
      rest_.remove_prefix(static_cast<size_t>(stop - rest_.data()));
      dims.push_back(dim);
      if (!Take(',') && Peek() != ')') return Error("')' is missing");
    }
    if (dims.size() > Shape::kMaxRank) {
      return Unsupported(fmt::format("{} dimensions; up to {} are supported", dims.size(), Shape::kMaxRank));
    }
    header_.shape = Shape(dims);
    return OkStatus();
  }

  std::string_view rest_;
  NpyHeader header_;
  unsigned seen_ = 0;  // bits: descr, fortran_order, shape
};

uint8_t ByteAt(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

const char* NumpyName(DType dtype) {
  for (const TypeName& type : kNpyTypes) {
    if (type.dtype == dtype) return type.name.data();
  }
  return "";
}

}  // namespace

Result<size_t> NpyDataOffset(std::string_view prefix) {
  if (prefix.size() < 10 || prefix.substr(0, kNpyMagic.size()) != kNpyMagic) {
    return InvalidArgument("does not begin as a .npy file does");
  }
  const unsigned version = ByteAt(prefix, 6);
  if (version < 1 || version > 3) return Unsupported(fmt::format(".npy version {}; supported: 1, 2, 3", version));
  size_t begin = 10, length = ByteAt(prefix, 8) | size_t{ByteAt(prefix, 9)} << 8;
  if (version > 1) {
    if (prefix.size() < kNpyPrefixBytes) return InvalidArgument("ends inside its .npy header");
    begin = kNpyPrefixBytes;
    length |= size_t{ByteAt(prefix, 10)} << 16 | size_t{ByteAt(prefix, 11)} << 24;
  }
  if (length > kMaxNpyHeaderBytes) {
    return InvalidArgument(fmt::format("a .npy header of {} bytes; up to {} are allowed", length, kMaxNpyHeaderBytes));
  }
  return begin + length;
}

Result<NpyHeader> ParseNpyHeader(std::string_view bytes) {
  LQ_ASSIGN_OR_RETURN(const size_t end, NpyDataOffset(bytes));
  if (bytes.size() < end) return InvalidArgument("ends inside its .npy header");
  const size_t begin = ByteAt(bytes, 6) == 1 ? 10 : kNpyPrefixBytes;
  return HeaderParser(bytes.substr(begin, end - begin)).Parse();
}

Result<uint64_t> NpyDataBytes(const NpyHeader& header) {
  int64_t bytes = 0;
  const int64_t count = header.shape.NumElements();
  if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(SizeOf(header.dtype)), &bytes)) {
    return InvalidArgument(fmt::format("shape {} has more than 2^63 - 1 bytes", header.shape.ToString()));
  }
  return static_cast<uint64_t>(bytes);
}

std::vector<std::byte> FromFortranOrder(const NpyHeader& header, std::span<const std::byte> data) {
  const Shape& shape = header.shape;
  const size_t element = SizeOf(header.dtype), rank = shape.rank();
  std::vector<std::byte> out(data.size());
  std::array<int64_t, Shape::kMaxRank> index{};
  for (size_t to = 0; to < data.size(); to += element) {
    size_t from = 0;
    for (size_t axis = rank; axis-- > 0;)
      from = from * static_cast<size_t>(shape[axis]) + static_cast<size_t>(index[axis]);
    std::memcpy(out.data() + to, data.data() + from * element, element);
    for (size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

std::string MakeNpyHeader(DType dtype, const Shape& shape) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (", NumpyName(dtype));
  for (int64_t dim : shape.dims()) text += fmt::format("{}, ", dim);
  text += "), }";
  text.append(63 - (10 + text.size()) % 64, ' ');  // 10 bytes before it, a newline after it
  text += '\n';
  std::string header(kNpyMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace lq
