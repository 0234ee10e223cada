/* An HTTP server for tests that sends the raw responses of its script, on a thread of its own. */
#include "stub_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  CONNECTIONS_MAX = 128,
  RESPONSES_MAX = 16,
  REQUEST_MAX = 128 * 1024
};

typedef struct {
  int fd;
  size_t size;
  bool waits;    /* its request has no response yet */
  size_t number; /* of its request */
  char request[REQUEST_MAX];
} connection;

struct stub_server {
  stub_script script;
  stub_response responses[RESPONSES_MAX]; /* its */
  int listen_fd, quit_fd, event_fd;
  char url[64];
  pthread_t thread;
  connection *connections[CONNECTIONS_MAX]; /* the thread's alone */
  size_t connection_count, waiting;
  pthread_mutex_t mutex; /* guards what follows */
  size_t requests, accepted, closed, max_waiting;
  size_t last_size;
  char last[REQUEST_MAX];
};

/* ---- The thread ---- */

static void remove_client(stub_server *server, size_t index) {
  connection *one = server->connections[index];
  server->waiting -= one->waits;
  (void)close(one->fd);
  free(one);
  (void)pthread_mutex_lock(&server->mutex);
  server->closed++;
  (void)pthread_mutex_unlock(&server->mutex);
  server->connections[index] = server->connections[--server->connection_count];
}

static void send_all(int fd, const char *data, size_t size, int flags) {
  while (size > 0) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | flags);
    if (sent <= 0) {
      return; /* the client has gone: what it makes of that is the test */
    }
    data += sent;
    size -= (size_t)sent;
  }
}

/* False: the connection is closed. */
static bool response(stub_server *server, size_t index) {
  connection *one = server->connections[index];
  const stub_script *script = &server->script;
  size_t last = script->response_count - 1;
  const stub_response *what = &script->responses[one->number < last ? one->number : last];
  if (what->data == NULL && what->then == STUB_KEEP) {
    return true; /* it waits for ever */
  }
  /* An end comes along with the response: a client that has read one knows of the other. */
  send_all(one->fd, what->data, what->size, what->then == STUB_KEEP ? 0 : MSG_MORE);
  server->waiting--;
  one->waits = false;
  one->size = 0;
  if (what->then == STUB_KEEP) {
    return true;
  }
  remove_client(server, index);
  return false;
}

static void respond_to_all(stub_server *server) {
  if (server->waiting < server->script.batch) {
    return;
  }
  for (size_t i = 0; i < server->connection_count;) {
    if (!server->connections[i]->waits || response(server, i)) {
      i++;
    }
  }
}

static bool is_whole(const connection *one) {
  const char *head_end = memmem(one->request, one->size, "\r\n\r\n", 4);
  if (head_end == NULL) {
    return false;
  }
  size_t head_size = (size_t)(head_end - one->request) + 4, body_size = 0;
  const char *length = strcasestr(one->request, "\r\ncontent-length:");
  if (length != NULL && length < head_end) {
    body_size = strtoul(length + 17, NULL, 10);
  }
  return one->size >= head_size + body_size;
}

static void count_request(stub_server *server, connection *one) {
  one->waits = true;
  server->waiting++;
  (void)pthread_mutex_lock(&server->mutex);
  one->number = server->requests++;
  if (server->waiting > server->max_waiting) {
    server->max_waiting = server->waiting;
  }
  memcpy(server->last, one->request, one->size);
  server->last_size = one->size;
  (void)pthread_mutex_unlock(&server->mutex);
  (void)eventfd_write(server->event_fd, 1);
}

/* False: the connection is closed. */
static bool receive(stub_server *server, size_t index) {
  connection *one = server->connections[index];
  ssize_t count = recv(one->fd, one->request + one->size, REQUEST_MAX - 1 - one->size, 0);
  if (count <= 0) {
    remove_client(server, index);
    return false;
  }
  one->size += (size_t)count;
  one->request[one->size] = '\0';
  if (!one->waits && is_whole(one)) {
    count_request(server, one);
  }
  return true;
}

static void accept_one(stub_server *server) {
  int fd = accept(server->listen_fd, NULL, NULL);
  connection *one = fd >= 0 ? calloc(1, sizeof *one) : NULL;
  if (one == NULL) {
    return;
  }
  one->fd = fd;
  server->connections[server->connection_count++] = one;
  (void)pthread_mutex_lock(&server->mutex);
  server->accepted++;
  (void)pthread_mutex_unlock(&server->mutex);
}

static void *serve(void *context) {
  stub_server *server = context;
  for (;;) {
    struct pollfd fds[CONNECTIONS_MAX + 2] = {{.fd = server->quit_fd, .events = POLLIN},
                                              {.fd = server->listen_fd, .events = POLLIN}};
    size_t count = server->connection_count;
    if (count == CONNECTIONS_MAX) {
      fds[1].fd = -1;
    }
    for (size_t i = 0; i < count; i++) {
      fds[i + 2] = (struct pollfd){.fd = server->connections[i]->fd, .events = POLLIN};
    }
    (void)poll(fds, (nfds_t)count + 2, -1);
    if (fds[0].revents != 0) {
      return NULL;
    }
    /* backwards, as a closed one is replaced by the last */
    for (size_t i = count; i-- > 0;) {
      if (fds[i + 2].revents != 0) {
        (void)receive(server, i);
      }
    }
    if (fds[1].revents != 0) {
      accept_one(server);
    }
    respond_to_all(server);
  }
}

/* ---- The test's side ---- */

static bool start_listening(stub_server *server) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  server->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
  if (server->listen_fd < 0 ||
      bind(server->listen_fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
      listen(server->listen_fd, CONNECTIONS_MAX) != 0 ||
      getsockname(server->listen_fd, (struct sockaddr *)&address, &size) != 0) {
    return false;
  }
  (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d/",
                 (int)ntohs(address.sin_port));
  return true;
}

stub_server *stub_start(const stub_script *script) {
  stub_server *server = script->response_count <= RESPONSES_MAX ? calloc(1, sizeof *server) : NULL;
  if (server == NULL) {
    return NULL;
  }
  server->script = *script;
  server->script.responses = memcpy(server->responses, script->responses,
                                    script->response_count * sizeof *script->responses);
  (void)pthread_mutex_init(&server->mutex, NULL);
  server->quit_fd = eventfd(0, 0);
  server->event_fd = eventfd(0, EFD_NONBLOCK);
  if (!start_listening(server) || pthread_create(&server->thread, NULL, serve, server) != 0) {
    free(server);
    return NULL;
  }
  return server;
}

void stub_stop(stub_server *server) {
  if (server == NULL) {
    return;
  }
  (void)eventfd_write(server->quit_fd, 1);
  (void)pthread_join(server->thread, NULL);
  while (server->connection_count > 0) {
    remove_client(server, 0);
  }
  (void)close(server->listen_fd);
  (void)close(server->quit_fd);
  (void)close(server->event_fd);
  (void)pthread_mutex_destroy(&server->mutex);
  free(server);
}

const char *stub_url(const stub_server *server) {
  return server->url;
}

int stub_event_fd(const stub_server *server) {
  return server->event_fd;
}

static size_t read_count(stub_server *server, const size_t *count) {
  (void)pthread_mutex_lock(&server->mutex);
  size_t value = *count;
  (void)pthread_mutex_unlock(&server->mutex);
  return value;
}

size_t stub_requests(stub_server *server) {
  eventfd_t ignored;
  (void)eventfd_read(server->event_fd, &ignored);
  return read_count(server, &server->requests);
}

size_t stub_connections(stub_server *server) {
  return read_count(server, &server->accepted);
}

size_t stub_open_connections(stub_server *server) {
  (void)pthread_mutex_lock(&server->mutex);
  size_t value = server->accepted - server->closed;
  (void)pthread_mutex_unlock(&server->mutex);
  return value;
}

size_t stub_max_waiting(stub_server *server) {
  return read_count(server, &server->max_waiting);
}

void stub_last_request(stub_server *server, char *out, size_t size) {
  (void)pthread_mutex_lock(&server->mutex);
  size_t count = server->last_size < size ? server->last_size : size - 1;
  memcpy(out, server->last, count);
  out[count] = '\0';
  (void)pthread_mutex_unlock(&server->mutex);
}
