/* Tests of what a client of TLS can do to the loop: records that hold nothing for HTTP. */
#include "clock.h"
#include "http/internal.h"
#include "support/unit_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Only against hanging forever. */
#define TIMEOUT_MS 30000
#define UPDATES 3000
#define QUIET_TURNS 10

typedef struct {
  uv_loop_t loop;
  http_server *server;
  http_exchange *deferred[2];
  size_t count;
  char directory[32], cert[64], key[64];
} owner;

typedef struct {
  SSL_CTX *tls;
  SSL *session;
  int fd;
} client;

/* ---- the server ------------------------------------------------------------------------------ */

static void defer_all(void *context, http_exchange *exchange) {
  owner *o = context;
  http_exchange_defer(exchange);
  o->deferred[o->count++] = exchange;
}

static void write_pair(const owner *o) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  FILE *out = fopen(o->key, "w");
  assert_true(key != NULL && cert != NULL && out != NULL);
  assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
  fclose(out);
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
  out = fopen(o->cert, "w");
  assert_non_null(out);
  assert_int_equal(PEM_write_X509(out, cert), 1);
  fclose(out);
  X509_free(cert);
  EVP_PKEY_free(key);
}

static void open_server(owner *o) {
  host_error error;
  memset(o, 0, sizeof *o);
  strcpy(o->directory, "/tmp/palenca-tls-XXXXXX");
  assert_non_null(mkdtemp(o->directory));
  snprintf(o->cert, sizeof o->cert, "%s/cert.pem", o->directory);
  snprintf(o->key, sizeof o->key, "%s/key.pem", o->directory);
  write_pair(o);
  http_server_options options = {.listen = "127.0.0.1:0",
                                 .tls_cert = o->cert,
                                 .tls_key = o->key,
                                 .request_ms = TIMEOUT_MS,
                                 .on_request = defer_all,
                                 .context = o};
  assert_int_equal(uv_loop_init(&o->loop), 0);
  o->server = http_server_new(&o->loop, &options, &error);
  assert_non_null(o->server);
}

static void close_server(owner *o) {
  http_server_close(o->server, NULL, NULL);
  uv_run(&o->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&o->loop), 0);
  unlink(o->cert);
  unlink(o->key);
  rmdir(o->directory);
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
}

/* A turn of the loop, which waits for 50 ms at most. */
static void run_once(owner *o) {
  uv_timer_t timer;
  uv_timer_init(&o->loop, &timer);
  uv_timer_start(&timer, on_timer, 50, 0);
  uv_run(&o->loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&o->loop, UV_RUN_NOWAIT);
}

/* The next turn would not wait. */
static bool has_events(const owner *o) {
  struct pollfd loop = {.fd = uv_backend_fd(&o->loop), .events = POLLIN};
  return poll(&loop, 1, 0) == 1;
}

/* ---- the client ------------------------------------------------------------------------------ */

static void shake_hands(owner *o, client *c, int version) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  const char *port = strchr(http_server_address(o->server), ':') + 1;
  int small = 4096;
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons((uint16_t)atoi(port));
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(c->fd >= 0);
  assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
  c->tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(c->tls, version);
  c->session = SSL_new(c->tls);
  assert_int_equal(SSL_set_fd(c->session, c->fd), 1);
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (SSL_connect(c->session) != 1 && clock_steady_ms() < until) {
    run_once(o);
  }
  assert_true(SSL_is_init_finished(c->session));
  run_once(o); /* the end of the handshake */
}

static void close_client(client *c) {
  SSL_free(c->session);
  SSL_CTX_free(c->tls);
  close(c->fd);
}

static void send_request(client *c, const char *path) {
  char text[128];
  int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
  assert_int_equal(SSL_write(c->session, text, size), size);
}

/* Asks for new keys of both sides, again and again, and reads nothing of what is sent for it. */
static void send_updates(client *c, int count) {
  for (int i = 0; i < count; i++) {
    assert_int_equal(SSL_key_update(c->session, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(c->session), 1);
  }
}

/* ---- tests -------------------------------------------------------------------------------------
 */

UNIT_TEST(reads_others_beside_records_without_data) {
  static owner o;
  client busy, good;
  open_server(&o);
  shake_hands(&o, &busy, TLS1_3_VERSION);
  shake_hands(&o, &good, TLS1_3_VERSION);
  send_updates(&busy, UPDATES);
  send_request(&busy, "/busy");
  send_request(&good, "/good");
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  while (o.count < 2 && clock_steady_ms() < until) {
    run_once(&o);
  }
  assert_int_equal(o.count, 2);
  assert_string_equal(http_exchange_path(o.deferred[0]), "/good");
  assert_string_equal(http_exchange_path(o.deferred[1]), "/busy");
  for (int i = 0; i < 2; i++) {
    http_exchange_abort(o.deferred[i]);
  }
  close_server(&o);
  close_client(&busy);
  close_client(&good);
}

UNIT_TEST(does_not_poll_for_input_that_tls_cannot_read_yet) {
  static owner o;
  client c;
  int small = 4096;
  open_server(&o);
  /* inherited by what is accepted */
  assert_int_equal(setsockopt(o.server->listener.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
                   0);
  shake_hands(&o, &c, TLS1_3_VERSION);
  send_updates(&c, UPDATES);
  int64_t until = clock_steady_ms() + TIMEOUT_MS;
  int quiet = 0;
  while (quiet < QUIET_TURNS && clock_steady_ms() < until) {
    run_once(&o);
    quiet = has_events(&o) ? 0 : quiet + 1;
  }
  assert_int_equal(quiet, QUIET_TURNS);
  close_server(&o);
  close_client(&c);
}
