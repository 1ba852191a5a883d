#include "recipe/recipients.h"

#include <string>

namespace spillway::recipe {

nlohmann::ordered_json WithoutSecrets(nlohmann::ordered_json record) {
  const auto concealed = record.find(kConcealed);
  if (!record.is_object() || concealed == record.end()) return record;
  for (const auto& pointer : nlohmann::ordered_json(*concealed)) {
    const nlohmann::ordered_json::json_pointer at(pointer.get<std::string>());
    if (record.contains(at)) record[at] = "(secret)";
  }
  record.erase(kConcealed);
  return record;
}

}  // namespace spillway::recipe
