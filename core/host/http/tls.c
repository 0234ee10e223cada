/* TLS 1.2 and 1.3 on the sockets of the HTTP server, by OpenSSL. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <string.h>

/* Of TLS 1.2: those with forward secrecy and authenticated encryption. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Reads of the socket in one call of OpenSSL, two for each record. It reads on after records
 * without data (updates of keys, attempts at a renegotiation): a client that sends them without end
 * would hold all others up. */
#define READS_MAX 16

/* ---- certificate and key ----------------------------------------------------------------- */

static bool fail(host_error *error, const char *file, const char *reason) {
  ERR_clear_error();
  return host_error_set(error, HOST_FAILED, "%s: %s", file, reason);
}

/* The reason of the failure that was the cause of the others. */
static const char *first_reason(const char *otherwise) {
  const char *reason = ERR_reason_error_string(ERR_peek_error());
  return reason != NULL ? reason : otherwise;
}

static bool is_readable(const char *file, host_error *error) {
  FILE *opened = fopen(file, "re");
  if (opened == NULL) {
    return fail(error, file, strerror(errno));
  }
  fclose(opened);
  return true;
}

/* There is no terminal to ask for a passphrase. */
static int no_passphrase(char *out, int size, int for_writing, void *context) {
  (void)out;
  (void)size;
  (void)for_writing;
  (void)context;
  return -1;
}

static bool load(SSL_CTX *tls, const char *cert, const char *key, host_error *error) {
  ERR_clear_error();
  SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
  if (!is_readable(cert, error) || !is_readable(key, error)) {
    return false;
  }
  if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1) {
    return fail(error, cert, "not a certificate in PEM");
  }
  if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1) {
    return true;
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
    return fail(error, key, "not the private key of the certificate");
  }
  return fail(error, key, "not a private key in PEM without a passphrase");
}

/* A client that offers protocols must offer HTTP/1.1. */
static int choose_protocol(SSL *session, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *offered, unsigned size, void *context) {
  static const unsigned char ours[] = "\x08http/1.1";
  unsigned char *chosen;
  (void)session;
  (void)context;
  if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, offered, size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *http_tls_new(const char *cert, const char *key, host_error *error) {
  static const unsigned char name[] = "palenca";
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(tls, CIPHERS) != 1 ||
      SSL_CTX_set_session_id_context(tls, name, sizeof name - 1) != 1) {
    fail(error, cert, first_reason("TLS cannot be set up"));
    SSL_CTX_free(tls);
    return NULL;
  }
  /* sessions are resumed by tickets, which cost no memory here */
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
  if (load(tls, cert, key, error)) {
    return tls;
  }
  SSL_CTX_free(tls);
  return NULL;
}

void http_tls_free(SSL_CTX *tls) {
  SSL_CTX_free(tls);
}

/* ---- sessions ------------------------------------------------------------------------------ */

/* As if the socket had nothing more: it stays readable, and the loop comes back to it. */
static long limit_reads(BIO *socket, int operation, const char *data, size_t size, int argument,
                        long other, int result, size_t *done) {
  unsigned *reads = (unsigned *)(void *)BIO_get_callback_arg(socket);
  (void)data;
  (void)size;
  (void)argument;
  (void)other;
  (void)done;
  if (operation != BIO_CB_READ || (*reads)++ < READS_MAX) {
    return result;
  }
  BIO_set_retry_read(socket);
  return -1;
}

SSL *http_tls_open(SSL_CTX *tls, int fd, unsigned *reads) {
  SSL *session = SSL_new(tls);
  if (session != NULL && SSL_set_fd(session, fd) == 1) {
    BIO_set_callback_arg(SSL_get_rbio(session), (char *)(void *)reads);
    BIO_set_callback_ex(SSL_get_rbio(session), limit_reads);
    SSL_set_accept_state(session);
    return session;
  }
  SSL_free(session);
  ERR_clear_error();
  return NULL;
}

void http_tls_close(SSL *session) {
  SSL_free(session);
}

static http_tls_result result_of(SSL *session, int status) {
  switch (SSL_get_error(session, status)) {
  case SSL_ERROR_NONE:
    return HTTP_TLS_DONE;
  case SSL_ERROR_WANT_READ:
    return HTTP_TLS_WANTS_READ;
  case SSL_ERROR_WANT_WRITE:
    return HTTP_TLS_WANTS_WRITE;
  case SSL_ERROR_ZERO_RETURN:
    return HTTP_TLS_ENDED;
  default:
    return HTTP_TLS_FAILED;
  }
}

static void begin_call(SSL *session) {
  *(unsigned *)(void *)BIO_get_callback_arg(SSL_get_rbio(session)) = 0;
  ERR_clear_error();
}

http_tls_result http_tls_handshake(SSL *session, host_error *error) {
  begin_call(session);
  http_tls_result result = result_of(session, SSL_accept(session));
  if (result == HTTP_TLS_FAILED || result == HTTP_TLS_ENDED) {
    const char *reason = first_reason("the connection was closed");
    (void)host_error_set(error, HOST_FAILED, "the handshake of TLS has failed: %s", reason);
  }
  ERR_clear_error();
  return result;
}

http_tls_result http_tls_read(SSL *session, char *out, size_t size, size_t *done) {
  begin_call(session);
  http_tls_result result = result_of(session, SSL_read_ex(session, out, size, done));
  /* an end without notice, as many clients make one: HTTP itself says where a request ends */
  if (result == HTTP_TLS_FAILED &&
      ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    result = HTTP_TLS_ENDED;
  }
  ERR_clear_error();
  return result;
}

http_tls_result http_tls_write(SSL *session, const char *data, size_t size, size_t *done) {
  begin_call(session);
  http_tls_result result = result_of(session, SSL_write_ex(session, data, size, done));
  ERR_clear_error();
  return result;
}

bool http_tls_has_pending(const SSL *session) {
  return SSL_pending(session) > 0;
}

void http_tls_shutdown(SSL *session) {
  begin_call(session);
  (void)SSL_shutdown(session); /* what cannot be sent now is not */
  ERR_clear_error();
}
