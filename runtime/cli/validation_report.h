// A Validation as a table for people and as JSON for programs.
#ifndef LANEQUANT_RUNTIME_CLI_VALIDATION_REPORT_H_
#define LANEQUANT_RUNTIME_CLI_VALIDATION_REPORT_H_

#include <string>

#include "lanequant/model.h"
#include "runtime/compare/validation.h"

namespace lq::cli {

// At most 120 characters wide; the last line says how it ended.
std::string ValidationTable(const Validation& validation, const SessionOptions& options);

std::string ValidationJson(const Validation& validation, const SessionOptions& options);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_VALIDATION_REPORT_H_
