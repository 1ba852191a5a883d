#pragma once

#include <string_view>

namespace spillway::aws {

/// The domain in which a region's services are, "amazonaws.com.cn" for "cn-north-1". AWS is cut
/// into partitions that know nothing of each other; the names of its regions tell them apart
/// (partitions.json of AWS's SDKs).
std::string_view DomainOf(std::string_view region);

}  // namespace spillway::aws
