// The only two statement macros: hand an error on.
#ifndef LANEQUANT_RUNTIME_STATUS_MACROS_H_
#define LANEQUANT_RUNTIME_STATUS_MACROS_H_

#include "lanequant/status.h"

// Evaluates a Status; returns it from the function if it is an error.
#define LQ_RETURN_IF_ERROR(expression)                                         \
  do {                                                                         \
    if (::lq::Status lq_error = (expression); !lq_error.ok()) return lq_error; \
  } while (false)

// LQ_ASSIGN_OR_RETURN(const Shape shape, layer.OutputShape(input)); The expression may hold commas only in parentheses.
#define LQ_ASSIGN_OR_RETURN(declaration, expression) \
  LQ_ASSIGN_OR_RETURN_2(LQ_CONCAT(lq_result_, __LINE__), declaration, expression)
#define LQ_ASSIGN_OR_RETURN_2(result, declaration, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) return result.status();                    \
  declaration = *std::move(result)
#define LQ_CONCAT(a, b) LQ_CONCAT_2(a, b)
#define LQ_CONCAT_2(a, b) a##b

#endif  // LANEQUANT_RUNTIME_STATUS_MACROS_H_
