/* Says what the end of a transfer means: its kind, whether the request was sent, and why. */
#include "protocol/error.h"
#include "transport_internal.h"

#include <netdb.h>

static palenca_kind kind_of(CURLcode code, bool sent) {
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

void transfer_measure(const transfer *one, transport_outcome *outcome) {
  CURL *easy = one->handle.easy;
  long version = 0;
  curl_off_t ready = 0, done = 0;
  one->curl->easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  outcome->http_version = version_of(version);
  if (one->measures) {
    one->curl->easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    one->curl->easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &done);
    outcome->response_us = done > ready ? (int64_t)(done - ready) : 0;
  }
}

/* A proxy may have been spoken to, and the server's TLS not have been agreed on. */
static bool has_no_tls(const transfer *one) {
  CURL *easy = one->handle.easy;
  curl_off_t handshake = 0;
  long connections = 0;
  one->curl->easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections); /* 0: a reused one */
  one->curl->easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
  return one->is_https && connections > 0 && handshake == 0;
}

/* The connection's own failures come before the first byte of the request. */
bool transfer_was_sent(const transfer *one, CURLcode code) {
  long request_bytes = 0;
  if (code == CURLE_OK && one->sink.head_ended) { /* of a response, which a proxy's is not */
    return true;
  }
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
      code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
      code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
      has_no_tls(one)) {
    return false;
  }
  if (one->curl->easy_getinfo(one->handle.easy, CURLINFO_REQUEST_SIZE, &request_bytes) !=
      CURLE_OK) {
    return true;
  }
  return request_bytes > 0;
}

static void describe(const transfer *one, CURLcode code, transport_outcome *outcome) {
  const response_sink *sink = &one->sink;
  if (sink->failure.kind != PALENCA_OK) {
    outcome->error = sink->failure;
  } else if ((code == CURLE_OUT_OF_MEMORY || (int)code == CURL_TOO_LARGE) && sink->head->size > 0 &&
             !sink->head_ended) {
    /* how curl says that a line is longer than its buffer for one may be */
    palenca_error_set(&outcome->error, PALENCA_PROTOCOL, "the response's head has a line too long");
  } else if (code == CURLE_OK) {
    palenca_error_set(&outcome->error, PALENCA_NETWORK,
                      "the connection was closed inside the head of the response");
  } else if (code == CURLE_SSL_CACERT_BADFILE) {
    outcome->is_permanent = true;
    palenca_error_set(&outcome->error, PALENCA_NETWORK,
                      "the CA file %.180s cannot be read or holds no certificates",
                      one->ca_file != NULL ? one->ca_file : "of the system");
  } else {
    const char *text = one->message[0] != '\0' ? one->message : one->curl->easy_strerror(code);
    palenca_error_set(&outcome->error, kind_of(code, outcome->sent), "%s", text);
  }
}

/* Nothing of a proxy's response is the server's, and the request has not left. It may be tried
 * again where the proxy did not get through, and not where it rejected the request. */
static bool is_rejected_by_proxy(const transfer *one, transport_outcome *outcome) {
  CURL *easy = one->handle.easy;
  long status = 0;
  char address[64] = "?", port[8] = "?";
  one->curl->easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (status == 0 || status / 100 == 2 || one->sink.head->size > 0) {
    return false;
  }
  /* curl's own CURLINFO_PRIMARY_IP is empty here in 8.14 */
  (void)getnameinfo((struct sockaddr *)&one->peer, one->peer_size, address, sizeof address, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  outcome->status = 0;
  outcome->sent = false;
  outcome->is_permanent = status / 100 != 5 && status != 408 && status != 429;
  palenca_error_set(&outcome->error, PALENCA_NETWORK,
                    "the proxy at %s port %s rejected the connection with status %ld%s", address,
                    port, status, status == 407 ? " (it requires credentials)" : "");
  return true;
}

void transfer_describe(transfer *one, CURLcode code, transport_outcome *outcome) {
  if (!is_rejected_by_proxy(one, outcome)) {
    describe(one, code, outcome);
  }
}
