#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"

namespace spillway::engine {

/// Calls into a recipe or a service. A std::exception that it throws becomes its error, so that
/// nothing else in the process ends with it.
template <class Call>
auto Guarded(Call&& call) -> decltype(call()) {
  try {
    return std::forward<Call>(call)();
  } catch (const std::bad_alloc&) {
    return FailTransient(ErrorCode::kOutOfSpace, "there was not enough memory");
  } catch (const std::exception& thrown) {
    return Fail(ErrorCode::kInternal, std::string("an unexpected exception: ") + thrown.what());
  }
}

}  // namespace spillway::engine
