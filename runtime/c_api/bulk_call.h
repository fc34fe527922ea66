// CallBulk: what the functions that take (in, quantizer, out, options) share, whatever the quantizer.
#ifndef LANEQUANT_RUNTIME_C_API_BULK_CALL_H_
#define LANEQUANT_RUNTIME_C_API_BULK_CALL_H_

#include "lanequant/c_quantize.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"

namespace lq::c_api {

template <class CQuantizer>
struct BulkArguments {
  const char* in_name;
  const lq_tensor* in;
  const CQuantizer* quantizer;
  const char* out_name;
  const lq_tensor* out;
  const lq_bulk_options* options;
};

// ReadQuantizer(const CQuantizer*) of the calling file gives the C++ quantizer.
template <class CQuantizer, class Quantizer>
lq_status CallBulk(Status (&function)(const ConstTensorView&, const Quantizer&, const TensorView&, const BulkOptions&),
                   Result<Quantizer> (&read_quantizer)(const CQuantizer*), const BulkArguments<CQuantizer>& arguments,
                   lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_ASSIGN_OR_RETURN(const TensorView in, ReadTensor(arguments.in_name, arguments.in));
    LQ_ASSIGN_OR_RETURN(const Quantizer quantizer, read_quantizer(arguments.quantizer));
    LQ_ASSIGN_OR_RETURN(const TensorView out, ReadTensor(arguments.out_name, arguments.out));
    LQ_ASSIGN_OR_RETURN(const BulkOptions options, ReadBulkOptions(arguments.options));
    return function(in, quantizer, out, options);
  });
}

}  // namespace lq::c_api

#endif  // LANEQUANT_RUNTIME_C_API_BULK_CALL_H_
