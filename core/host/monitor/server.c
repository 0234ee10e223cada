/* Responds to whoever watches the process, on a thread of its own: nothing here waits for the loop
 * or the disk, so that it responds while those hang. */
#include "server.h"

#include "common/health.h"
#include "common/host_loop.h"
#include "exposition.h"
#include "http/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct {
  http_queue *queue;
  _Atomic bool is_taken;
} page_requests;

struct monitor {
  host_loop *loop;
  http_server *server;
  host_loop_job stop;
  bool is_tcp, is_local;
  char *build;
  page_requests gets, posts;
};

/* Scrapers keep theirs open; who opens more has lost count of them. With more open than the page
 * may have, its requests are rejected, so that those who watch always find a place. */
#define CONNECTIONS_MAX 64
#define PAGE_CONNECTIONS_MAX 48
#define PAGE_REQUESTS_MAX 8 /* that wait */
#define BODY_MAX 16384
#define IDLE_MS 120000

/* ---- who may ask ------------------------------------------------------------------------- */

static bool is_loopback(const net_address *address) {
  static const unsigned char v6[16] = {[15] = 1};
  return (address->kind == NET_IPV4 && address->bytes[0] == 127) ||
         (address->kind == NET_IPV6 && memcmp(address->bytes, v6, sizeof v6) == 0);
}

static bool is_local_host(const char *host) {
  static const char name[] = "localhost";
  net_address address;
  size_t size = sizeof name - 1;
  if (strncasecmp(host, name, size) == 0 && (host[size] == '\0' || host[size] == ':')) {
    return true;
  }
  return net_address_parse(host, strlen(host), &address) && is_loopback(&address);
}

/* A page of another origin can have its own name resolve to this machine: then Host has that name.
 */
static bool is_rebound(const monitor *m, const http_exchange *exchange) {
  const char *host;
  return m->is_tcp && m->is_local &&
         (http_exchange_values(exchange, "Host", &host, 1) != 1 || !is_local_host(host));
}

static bool is_own(const char *path) {
  return strcmp(path, "/metrics") == 0 || strcmp(path, "/healthz") == 0 ||
         strcmp(path, "/readyz") == 0;
}

static void reject_method(http_exchange *exchange, const char *allowed) {
  char body[64];
  const http_header headers[] = {{"Content-Type", "application/json"}, {"Allow", allowed}};
  int size = snprintf(body, sizeof body, "{\"error\":\"only %s is known here\"}\n", allowed);
  http_exchange_respond(exchange, 405, headers, 2, body, (size_t)size);
}

static void on_head(void *context, http_exchange *exchange) {
  monitor *m = context;
  const char *method = http_exchange_method(exchange);
  bool is_get = strcmp(method, "GET") == 0;
  if (is_rebound(m, exchange)) {
    http_exchange_reject(exchange, 403, "Host must be localhost or a loopback address");
  } else if (is_own(http_exchange_path(exchange))) {
    if (!is_get) {
      reject_method(exchange, "GET");
    }
  } else if (!m->is_local) {
    http_exchange_reject(exchange, 404,
                         "not found: /metrics, /healthz and /readyz are; the page is only where "
                         "no other machine can reach it, at a loopback address or a Unix socket");
  } else if (!is_get && strcmp(method, "POST") != 0) {
    reject_method(exchange, "GET, POST");
  } else if (http_server_connections(m->server) > PAGE_CONNECTIONS_MAX) {
    http_exchange_reject(exchange, 503, "there are too many connections");
  }
}

/* ---- what they ask for ------------------------------------------------------------------- */

static void respond(http_exchange *exchange, int status, const char *type, const char *body,
                    size_t size) {
  const http_header headers[] = {
      {"Content-Type", type}, {"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
  http_exchange_respond(exchange, status, headers, 3, body, size);
}

static void respond_metrics(const monitor *m, http_exchange *exchange) {
  palenca_buffer out = {0};
  if (exposition_write(&out, m->build)) {
    respond(exchange, 200, EXPOSITION_TYPE, out.data, out.size);
  } else {
    http_exchange_reject(exchange, 503, "out of memory");
  }
  palenca_buffer_free(&out);
}

static void respond_health(http_exchange *exchange) {
  char body[128];
  int64_t silence = health_silence_ms();
  bool is_healthy = silence < HEALTH_HUNG_MS;
  int size = is_healthy ? snprintf(body, sizeof body, "{\"status\":\"healthy\"}\n")
                        : snprintf(body, sizeof body,
                                   "{\"status\":\"not healthy\",\"loop_silence_seconds\":%lld}\n",
                                   (long long)silence / 1000);
  respond(exchange, is_healthy ? 200 : 503, "application/json", body, (size_t)size);
}

static void respond_ready(http_exchange *exchange) {
  char body[1024];
  size_t size = 0;
  for (int i = 0; i < HEALTH_PROBLEMS; i++) {
    health_problem problem = (health_problem)i;
    if (health_has(problem)) {
      size += (size_t)snprintf(body + size, sizeof body - size,
                               "%s{\"reason\":\"%s\",\"message\":\"%s\"}",
                               size == 0 ? "{\"status\":\"not ready\",\"reasons\":[" : ",",
                               health_problem_name(problem), health_problem_text(problem));
    }
  }
  bool is_ready = size == 0;
  size += (size_t)snprintf(body + size, sizeof body - size, "%s\n",
                           is_ready ? "{\"status\":\"ready\"}" : "]}");
  respond(exchange, is_ready ? 200 : 503, "application/json", body, size);
}

static void queue_for_page(monitor *m, http_exchange *exchange) {
  bool is_get = strcmp(http_exchange_method(exchange), "GET") == 0;
  page_requests *requests = is_get ? &m->gets : &m->posts;
  if (!atomic_load(&requests->is_taken)) {
    http_exchange_reject(exchange, 503, "the program starts, or ends: nothing is served yet");
  } else if (!http_queue_put(requests->queue, exchange, PAGE_REQUESTS_MAX)) {
    http_exchange_reject(exchange, 503, "too many requests are waiting");
  }
}

static void on_request(void *context, http_exchange *exchange) {
  const char *path = http_exchange_path(exchange);
  if (strcmp(path, "/metrics") == 0) {
    respond_metrics(context, exchange);
  } else if (strcmp(path, "/healthz") == 0) {
    respond_health(exchange);
  } else if (strcmp(path, "/readyz") == 0) {
    respond_ready(exchange);
  } else {
    queue_for_page(context, exchange);
  }
}

/* ---- its beginning and end ----------------------------------------------------------------- */

static bool listen_at(monitor *m, const char *where, host_error *error) {
  const http_server_options options = {.listen = where,
                                       .max_body = BODY_MAX,
                                       .idle_ms = IDLE_MS,
                                       .max_connections = CONNECTIONS_MAX,
                                       .on_head = on_head,
                                       .on_request = on_request,
                                       .context = m};
  net_address address;
  m->server = http_server_new(host_loop_uv(m->loop), &options, error);
  if (m->server == NULL) {
    return false;
  }
  const char *bound = http_server_address(m->server);
  m->is_tcp = net_address_parse(bound, strlen(bound), &address);
  m->is_local = !m->is_tcp || is_loopback(&address);
  return host_loop_start(m->loop, error);
}

static void close_server(host_loop_job *job) {
  monitor *m = (monitor *)(void *)((char *)job - offsetof(monitor, stop));
  http_server_close_listener(m->server);
  http_server_close(m->server, NULL, NULL);
  http_queue_abort_all(m->gets.queue);
  http_queue_abort_all(m->posts.queue);
}

/* There is one at a time: what it responds with is the process's, too. */
static monitor *running;

static void stop_queue(http_queue *queue) {
  if (queue != NULL) {
    http_queue_stop(queue);
  }
}

void monitor_stop(monitor *m) {
  if (m == NULL) {
    return;
  }
  health_watch(false);
  if (m->server != NULL) {
    m->stop.run = close_server;
    host_loop_post(m->loop, &m->stop);
  }
  host_loop_close(m->loop);
  running = NULL;
  stop_queue(m->gets.queue);
  stop_queue(m->posts.queue);
  free(m->build);
  free(m);
}

monitor *monitor_start(const char *listen, const char *build, host_error *error) {
  monitor *m = calloc(1, sizeof *m);
  if (m == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    return NULL;
  }
  m->build = strdup(build);
  m->gets.queue = http_queue_new();
  m->posts.queue = http_queue_new();
  m->loop = host_loop_new(error);
  if (m->build == NULL || m->gets.queue == NULL || m->posts.queue == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
  } else if (m->loop != NULL && listen_at(m, listen, error)) {
    health_watch(true);
    running = m;
    return m;
  }
  monitor_stop(m);
  return NULL;
}

http_queue *monitor_take_requests(bool is_post) {
  page_requests *requests = running == NULL ? NULL : is_post ? &running->posts : &running->gets;
  if (requests == NULL) {
    return NULL;
  }
  atomic_store(&requests->is_taken, true);
  return requests->queue;
}

void monitor_leave_requests(http_queue *queue) {
  if (running == NULL) {
    return;
  }
  page_requests *requests = queue == running->posts.queue ? &running->posts : &running->gets;
  atomic_store(&requests->is_taken, false);
  http_queue_abort_all(queue);
}

const char *monitor_address(const monitor *m) {
  return http_server_address(m->server);
}

bool monitor_is_local(const monitor *m) {
  return m->is_local;
}
