/* Reads from curl what came of a transfer. */
#include "transfer_outcome.h"

palenca_kind transfer_outcome_kind(CURLcode code, bool sent) {
  switch ((int)code) {
  case CURLE_OPERATION_TIMEDOUT:
    return PALENCA_TIMEOUT;
  case CURLE_OUT_OF_MEMORY:
    return PALENCA_NO_MEMORY;
  case CURLE_URL_MALFORMAT:
    return PALENCA_USAGE;
  case CURLE_UNSUPPORTED_PROTOCOL: /* of the URL, or a response that is not HTTP */
    return sent ? PALENCA_PROTOCOL : PALENCA_USAGE;
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WRITE_ERROR:
  case CURL_TOO_LARGE:
    return PALENCA_PROTOCOL;
  default:
    return PALENCA_NETWORK;
  }
}

static int version_of(long version) {
  switch (version) {
  case CURL_HTTP_VERSION_1_0:
  case CURL_HTTP_VERSION_1_1:
    return 1;
  case CURL_HTTP_VERSION_2_0:
    return 2;
  case CURL_HTTP_VERSION_3:
    return 3;
  default:
    return 0;
  }
}

void transfer_outcome_measure(const lazy_curl *curl, CURL *easy, transport_outcome *outcome) {
  long version = 0;
  curl_off_t ready = 0, done = 0;
  curl->easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  curl->easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  curl->easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &done);
  outcome->http_version = version_of(version);
  outcome->response_us = done > ready ? (int64_t)(done - ready) : 0;
}
