#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "http/transport.h"

namespace spillway::storage::s3 {

/// Why S3 refused.
struct Failure {
  std::string code;  ///< Of the XML body, or "HTTP 503" where there is none.
  Error error;
};

/// Judges an answer that is no success by the code in its body, and where that says nothing by its
/// status: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. `what` starts the message;
/// `action` is what a policy has to allow for it, "s3:PutObject".
Failure Classify(const http::Response& response, const std::string& what,
                 const std::string& action);

/// Judges the refusal of one key that is inside the answer to DeleteObjects.
Error ClassifyDelete(const std::string& what, const std::string& code, const std::string& message);

/// Whether the body of a success is an <Error> all the same, as Copy, Complete and UploadPartCopy
/// answer when they fail after the status was sent.
bool IsErrorDocument(const std::string& body);

/// Whether the body is a whole document of this element.
bool IsDocument(const std::string& body, std::string_view element);

}  // namespace spillway::storage::s3
