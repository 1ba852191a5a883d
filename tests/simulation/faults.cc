#include "simulation/faults.h"

#include <cmath>

namespace spillway::simulation {

Faults Faults::Draw(Random& random) {
  Faults faults;
  if (random.Below(10) == 0) return faults;
  // Many orders of magnitude: rare faults let jobs come far, frequent ones meet each other.
  const double scale = 0.05 * std::pow(10.0, -2.0 * random.Fraction());
  const auto draw = [&](double weight) {
    return random.Below(3) == 0 ? 0.0 : scale * weight * random.Fraction();
  };
  faults.fail_before = draw(1);
  faults.fail_after = draw(1);
  faults.crash = draw(0.5);
  faults.pause = draw(0.5);
  faults.partition = draw(0.5);
  faults.lose_message = draw(4);
  faults.double_message = draw(4);
  faults.delay_message = draw(8);
  faults.lose_deletion = draw(2);
  faults.tear_append = draw(1);
  faults.kill = draw(4);
  faults.stop = draw(2);
  faults.reboot = draw(1);
  return faults;
}

}  // namespace spillway::simulation
