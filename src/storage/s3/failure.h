#pragma once

#include <optional>
#include <span>
#include <string>

#include "aws/service_caller.h"

namespace spillway::storage::s3 {

/// What S3's error codes mean: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
std::span<const aws::CodeMeaning> ErrorCodes();

/// What has to be allowed, and where: `action` is "s3:PutObject".
std::string PermissionOf(const std::string& action);

/// As aws::Service's. The body of a success may be an <Error> all the same, as Copy, Complete and
/// UploadPartCopy answer when they fail after the status was sent; or it was cut short, where it is
/// no whole document of the element `call.answer`.
std::optional<aws::Refusal> ReadRefusal(const aws::Call& call, const http::Response& response);

/// Judges the refusal of one key that is inside the answer to DeleteObjects.
Error JudgeDelete(const std::string& what, const std::string& code, const std::string& message);

}  // namespace spillway::storage::s3
