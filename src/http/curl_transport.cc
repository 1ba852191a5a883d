#include "http/curl_transport.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include <curl/curl.h>
#include <fmt/format.h>

namespace spillway::http {
namespace {

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

constexpr int kPollMilliseconds = 1000;

/// Sets libcurl up for the process, once, before any thread uses it.
bool InitialiseCurl() {
  static const bool kInitialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kInitialised;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

/// The origin of a URL. Errors show no more, since the query may contain a signature.
std::string_view OriginOf(std::string_view url) {
  const size_t host = url.find("://");
  return url.substr(0, url.find_first_of("/?", host == std::string_view::npos ? 0 : host + 3));
}

bool IsTrustFailure(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_CERTPROBLEM;
}

/// One exchange: what libcurl's callbacks read and write.
struct Exchange {
  const Request& request;
  const BodySink& sink;
  Response response;
  std::optional<Error> failure;  // what the sink returned
  size_t piece = 0;
  size_t offset = 0;

  size_t ReadBody(std::span<std::byte> into) {
    size_t filled = 0;
    while (filled < into.size() && piece < request.body.size()) {
      const Bytes rest = request.body[piece].subspan(offset);
      const size_t taken = std::min(rest.size(), into.size() - filled);
      if (taken > 0) std::memcpy(into.data() + filled, rest.data(), taken);
      filled += taken;
      offset += taken;
      if (offset == request.body[piece].size()) {
        ++piece;
        offset = 0;
      }
    }
    return filled;
  }

  Result<> TakeBody(Bytes bytes) {
    if (sink && response.ok()) return sink(bytes);
    if (response.body.size() + bytes.size() > HttpTransport::kMaxBodyBytes) {
      return Fail(ErrorCode::kUnsupported, "the answer is longer than can be taken");
    }
    response.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
};

size_t OnRead(char* into, size_t size, size_t count, void* exchange_pointer) {
  auto& exchange = *static_cast<Exchange*>(exchange_pointer);
  return exchange.ReadBody(std::as_writable_bytes(std::span(into, size * count)));
}

size_t OnBody(char* data, size_t size, size_t count, void* exchange_pointer) {
  auto& exchange = *static_cast<Exchange*>(exchange_pointer);
  Result<> taken = exchange.TakeBody(std::as_bytes(std::span(data, size * count)));
  if (taken.has_value()) return size * count;
  exchange.failure = std::move(taken).error();
  return CURL_WRITEFUNC_ERROR;
}

size_t OnHeader(char* data, size_t size, size_t count, void* exchange_pointer) {
  auto& exchange = *static_cast<Exchange*>(exchange_pointer);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // a new status line: that before it was provisional
    exchange.response = {};
    const size_t space = line.find(' ');
    if (space != std::string_view::npos) {
      exchange.response.status = std::atoi(std::string(line.substr(space + 1, 3)).c_str());
    }
  } else if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
    exchange.response.headers.push_back(
        {std::string(line.substr(0, colon)), std::string(Trim(line.substr(colon + 1)))});
  }
  return line.size();
}

Result<HeaderList> ListHeaders(const Request& request) {
  HeaderList list;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return false;
    if (list == nullptr) list.reset(longer);  // a longer list has the same head
    return true;
  };
  // No waiting for "100 Continue", and no header that would not be signed.
  bool added = add("Expect:") && add("Content-Type:") && add("Accept:");
  for (const Header& header : request.headers) {
    if ((header.name + header.value).find_first_of(std::string_view("\r\n\0", 3)) !=
        std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, "a line break in the header " + header.name);
    }
    // "Name;" is how libcurl is told of an empty value.
    added =
        added && add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  if (!added) return Fail(ErrorCode::kOutOfSpace, "no memory for a request's headers");
  return list;
}

uint64_t BodyBytes(const Request& request) {
  uint64_t bytes = 0;
  for (const Bytes piece : request.body) bytes += piece.size();
  return bytes;
}

void SetMethod(CURL* easy, const Request& request) {
  const uint64_t bytes = BodyBytes(request);
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (bytes > 0 || request.method == "PUT") {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes));
  } else if (request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{0});
  }
  if (request.method != "HEAD" && request.method != "GET")
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void SetLimits(CURL* easy, const CurlOptions& options, const Request& request) {
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  const std::chrono::seconds idle =
      request.idle_timeout.count() > 0 ? request.idle_timeout : options.idle_timeout;
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(idle.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
}

void SetConnection(CURL* easy, const CurlOptions& options, const Request& request) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // A stop does not wait for an answer of DNS: libcurl's resolver thread ends by itself.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  if (request.direct) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
}

void SetCallbacks(CURL* easy, Exchange& exchange) {
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, OnRead);
  curl_easy_setopt(easy, CURLOPT_READDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
}

}  // namespace

/// A libcurl handle and its open connections, used for one request at a time.
class CurlTransport::Connection {
 public:
  Connection() : easy_(curl_easy_init()), multi_(curl_multi_init()) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }

  bool valid() const { return easy_ != nullptr && multi_ != nullptr; }

  Result<Response> Send(const CurlOptions& options, const Request& request, const BodySink& sink,
                        const std::stop_token& stop) {
    const HeaderList headers = TRY(ListHeaders(request));
    Exchange exchange{.request = request, .sink = sink, .response = {}, .failure = {}};
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_reset(easy_);
    SetConnection(easy_, options, request);
    SetLimits(easy_, options, request);
    SetMethod(easy_, request);
    SetCallbacks(easy_, exchange);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers.get());

    const std::optional<CURLcode> code = Perform(stop);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, nullptr);
    if (exchange.failure.has_value()) return std::unexpected(*std::move(exchange.failure));
    if (!code.has_value()) return Fail(ErrorCode::kCancelled, "stopped during an HTTP request");
    if (*code == CURLE_OK) return std::move(exchange.response);
    const std::string message = fmt::format("no answer from {}: {}", OriginOf(request.url),
                                            why[0] != '\0' ? why : curl_easy_strerror(*code));
    if (IsTrustFailure(*code)) return Fail(ErrorCode::kPermissionDenied, message);
    if (*code == CURLE_URL_MALFORMAT || *code == CURLE_UNSUPPORTED_PROTOCOL)
      return Fail(ErrorCode::kInvalidArgument, message);
    return FailTransient(ErrorCode::kUnavailable, message);
  }

 private:
  /// Nothing when stopped.
  std::optional<CURLcode> Perform(const std::stop_token& stop) {
    if (stop.stop_requested()) return std::nullopt;
    if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) return CURLE_FAILED_INIT;
    std::optional<CURLcode> code;
    {
      const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
      code = Drive(stop);
    }
    curl_multi_remove_handle(multi_, easy_);
    return code;
  }

  std::optional<CURLcode> Drive(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      int running = 0;
      if (curl_multi_perform(multi_, &running) != CURLM_OK) return CURLE_FAILED_INIT;
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
      }
      if (curl_multi_poll(multi_, nullptr, 0, kPollMilliseconds, nullptr) != CURLM_OK)
        return CURLE_FAILED_INIT;
    }
    return std::nullopt;
  }

  CURL* easy_;
  CURLM* multi_;
};

CurlTransport::CurlTransport(CurlOptions options) : options_(std::move(options)) {}
CurlTransport::~CurlTransport() = default;

Result<std::unique_ptr<CurlTransport::Connection>> CurlTransport::Take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Connection> warmest = std::move(idle_.back());
      idle_.pop_back();
      return warmest;
    }
  }
  std::unique_ptr<Connection> connection;
  if (InitialiseCurl()) connection = std::make_unique<Connection>();
  if (connection == nullptr || !connection->valid())
    return Fail(ErrorCode::kOutOfSpace, "libcurl could not be started");
  return connection;
}

void CurlTransport::Return(std::unique_ptr<Connection> connection) {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

Result<Response> CurlTransport::Send(const Request& request, const BodySink& sink,
                                     std::stop_token stop) {
  std::unique_ptr<Connection> connection = TRY(Take());
  Result<Response> response = connection->Send(options_, request, sink, stop);
  Return(std::move(connection));
  return response;
}

}  // namespace spillway::http
