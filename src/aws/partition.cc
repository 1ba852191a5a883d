#include "aws/partition.h"

#include <array>
#include <utility>

namespace spillway::aws {

std::string_view DomainOf(std::string_view region) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPartitions = {{
      {"cn-", "amazonaws.com.cn"},
      {"eusc-", "amazonaws.eu"},
      {"us-iso-", "c2s.ic.gov"},
      {"us-isob-", "sc2s.sgov.gov"},
      {"us-isof-", "csp.hci.ic.gov"},
      {"eu-isoe-", "cloud.adc-e.uk"},
  }};
  for (const auto& [prefix, domain] : kPartitions) {
    if (region.starts_with(prefix)) return domain;
  }
  return "amazonaws.com";
}

}  // namespace spillway::aws
