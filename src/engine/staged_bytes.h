#pragma once

#include <stop_token>
#include <string_view>
#include <vector>

#include "engine/act.h"
#include "recipe/recipe.h"
#include "storage/object_store.h"

namespace spillway::engine {

/// The remedy where chunks can be repeated.
inline constexpr std::string_view kRedrive = "redrive the job, which exports them again";

/// What it means that staged bytes of `file` are not there: kCorrupt, since no attempt brings them
/// back, unless the whole place is missing. Other errors stay as they are. `remedy` says what to
/// do.
Error ForMissing(storage::ObjectStore& store, Error error, std::string_view file,
                 std::string_view remedy);

/// Makes every staged byte durable; what was staged before the machine's last start is read back
/// first. kCorrupt where any are lost.
Result<> MakeDurable(storage::ObjectStore& store, const std::vector<recipe::OutputFile>& files,
                     const std::stop_token& stop);

/// kCancelled once the finisher is to stop.
Result<> CheckNotStopped(const std::stop_token& stop);

/// Looks for the chunks whose staged bytes, or stored results, are lost and makes them dead, so
/// that a redrive repeats these and no others. `held.job` is the job afterwards.
Result<> MarkLostChunks(Context& context, HeldJob& held, storage::ObjectStore& store,
                        Staging& staging);

}  // namespace spillway::engine
