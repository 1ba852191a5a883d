#include "storage/s3/xml.h"

#include <sstream>

#include <date/date.h>
#include <pugixml.hpp>

#include "http/percent_encoding.h"

namespace spillway::storage::s3 {
namespace {

/// The root element. It must have this name, if one is given.
Result<pugi::xml_node> RootOf(pugi::xml_document& document, const std::string& body,
                              std::string_view name = {}) {
  const pugi::xml_parse_result parsed = document.load_buffer(body.data(), body.size());
  const pugi::xml_node root = document.document_element();
  if (!parsed || !root)
    return FailTransient(ErrorCode::kCorrupt, "the server's answer is no XML document");
  if (!name.empty() && root.name() != name) {
    return FailTransient(ErrorCode::kCorrupt, "the server's answer is no " + std::string(name) +
                                                  ", but " + std::string(root.name()));
  }
  return root;
}

Result<Timestamp> ParseTime(const std::string& text) {
  for (const char* format : {"%FT%TZ", "%FT%T%Ez"}) {
    std::istringstream stream(text);
    date::sys_time<std::chrono::microseconds> time;
    stream >> date::parse(format, time);
    if (!stream.fail()) return Timestamp(time.time_since_epoch());
  }
  return Fail(ErrorCode::kCorrupt,
              "the server's answer has '" + text.substr(0, 40) + "', which is no time");
}

/// pugixml writes to a stream; this is the text without white space between elements.
std::string Write(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text, "", pugi::format_raw);
  return text.str();
}

void AddText(pugi::xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).text().set(text.c_str());
}

bool IsTrue(const pugi::xml_node& node) { return std::string_view(node.child_value()) == "true"; }

}  // namespace

Result<ListPage> ParseList(const std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = TRY(RootOf(document, body, "ListBucketResult"));
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  ListPage page{.objects = {},
                .truncated = IsTrue(root.child("IsTruncated")),
                .next_token = root.child_value("NextContinuationToken")};
  for (const pugi::xml_node& entry : root.children("Contents")) {
    const char* key = entry.child_value("Key");
    const auto modified = TRY(ParseTime(entry.child_value("LastModified")));
    page.objects.push_back({.key = encoded ? http::FormDecode(key) : std::string(key),
                            .bytes = entry.child("Size").text().as_ullong(),
                            .modified = modified,
                            .etag = entry.child_value("ETag")});
  }
  return page;
}

Result<UploadsPage> ParseUploads(const std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = TRY(RootOf(document, body, "ListMultipartUploadsResult"));
  UploadsPage page{.uploads = {},
                   .truncated = IsTrue(root.child("IsTruncated")),
                   .next_key = root.child_value("NextKeyMarker"),
                   .next_upload = root.child_value("NextUploadIdMarker")};
  for (const pugi::xml_node& entry : root.children("Upload")) {
    const auto begun_at = TRY(ParseTime(entry.child_value("Initiated")));
    page.uploads.push_back({.key = entry.child_value("Key"),
                            .id = entry.child_value("UploadId"),
                            .begun_at = begun_at});
  }
  return page;
}

Result<PartsPage> ParseParts(const std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = TRY(RootOf(document, body, "ListPartsResult"));
  PartsPage page{.parts = {}, .truncated = IsTrue(root.child("IsTruncated"))};
  for (const pugi::xml_node& entry : root.children("Part"))
    page.parts.push_back({.number = entry.child("PartNumber").text().as_int(),
                          .bytes = entry.child("Size").text().as_ullong(),
                          .etag = entry.child_value("ETag")});
  return page;
}

Result<std::string> ParseElement(const std::string& body, const char* name) {
  pugi::xml_document document;
  const pugi::xml_node root = TRY(RootOf(document, body));
  std::string text = root.child_value(name);
  if (text.empty())
    return Fail(ErrorCode::kCorrupt, std::string("the server's answer has no ") + name);
  return text;
}

Result<Tags> ParseTags(const std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node root = TRY(RootOf(document, body));
  Tags tags;
  for (const pugi::xml_node& tag : root.child("TagSet").children("Tag"))
    tags[tag.child_value("Key")] = tag.child_value("Value");
  return tags;
}

Result<std::optional<DeleteRefusal>> ParseDeleteRefusal(const std::string& body) {
  pugi::xml_document document;
  const pugi::xml_node error = TRY(RootOf(document, body, "DeleteResult")).child("Error");
  if (!error) return std::optional<DeleteRefusal>();
  return DeleteRefusal{error.child_value("Key"), error.child_value("Code"),
                       error.child_value("Message")};
}

std::string CompleteDocument(const std::vector<UploadedPart>& parts) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (const UploadedPart& part : parts) {
    pugi::xml_node entry = root.append_child("Part");
    if (!part.crc32c.empty()) AddText(entry, "ChecksumCRC32C", part.crc32c);
    AddText(entry, "ETag", part.etag);
    AddText(entry, "PartNumber", std::to_string(part.number));
  }
  return Write(document);
}

std::string DeleteDocument(std::span<const std::string> keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  AddText(root, "Quiet", "true");
  for (const std::string& key : keys) AddText(root.append_child("Object"), "Key", key);
  return Write(document);
}

}  // namespace spillway::storage::s3
