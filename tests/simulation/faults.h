#pragma once

#include "base/random.h"

namespace spillway::simulation {

/// How often what goes wrong, as probabilities of each call.
struct Faults {
  double fail_before = 0;     ///< The call fails and nothing has happened.
  double fail_after = 0;      ///< It has happened, but the answer is lost.
  double crash = 0;           ///< The process dies, before or after it has happened.
  double pause = 0;           ///< The process stands still, for up to a few leases.
  double partition = 0;       ///< The process reaches nothing, for up to two leases.
  double lose_message = 0;    ///< A message that was sent never arrives.
  double double_message = 0;  ///< It arrives once more, later.
  double delay_message = 0;   ///< It arrives late, after others.
  double lose_deletion = 0;   ///< A message that was deleted arrives again.
  double tear_append = 0;     ///< A part of the bytes is staged, and the call fails.

  // Of each second of the simulated time.
  double kill = 0;
  double stop = 0;
  double reboot = 0;

  /// The faults of one run: none, few or many, of some kinds.
  static Faults Draw(Random& random);
};

}  // namespace spillway::simulation
