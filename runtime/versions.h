// The versions of the libraries inside, for `lanequant info`.
#ifndef LANEQUANT_RUNTIME_VERSIONS_H_
#define LANEQUANT_RUNTIME_VERSIONS_H_

#include <string>

namespace lq {

// "2021.8" as oneTBB reports at run time; "none" where the library was built without it.
std::string TbbVersion();

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_VERSIONS_H_
