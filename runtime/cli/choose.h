// Options that take one of some names.
#ifndef LANEQUANT_RUNTIME_CLI_CHOOSE_H_
#define LANEQUANT_RUNTIME_CLI_CHOOSE_H_

#include <cstddef>
#include <string>

#include "lanequant/status.h"

namespace lq::cli {

template <class T>
struct Choice {
  const char* name;
  T value;
};

template <class T, size_t kCount>
std::string NamesOf(const Choice<T> (&choices)[kCount]) {
  std::string names;
  for (const Choice<T>& choice : choices) names += (names.empty() ? "" : ", ") + std::string(choice.name);
  return names;
}

// What `name` stands for; the error lists the names that `option` takes.
template <class T, size_t kCount>
Result<T> Choose(const char* option, const std::string& name, const Choice<T> (&choices)[kCount]) {
  for (const Choice<T>& choice : choices) {
    if (name == choice.name) return choice.value;
  }
  return InvalidArgument(std::string(option) + " '" + name + "' does not exist; there are " + NamesOf(choices));
}

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_CHOOSE_H_
