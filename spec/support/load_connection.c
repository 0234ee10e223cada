/* One connection of spec/support/load.c: renders a webhook, sends it, reads its response. */
#include "load_connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCOUNT_PREFIX "8e2d7a90-3b1c-4f6e-a7c4-"

void load_account_id(const load_target *target, size_t account, char id[LOAD_ACCOUNT_ID_SIZE]) {
  (void)snprintf(id, LOAD_ACCOUNT_ID_SIZE, ACCOUNT_PREFIX "%04u%08zu", target->tag % 10000,
                 account % 100000000);
}

/* Where the runs of a mark are that hold the places of a number. */
static void find_places(char *text, char mark, size_t *places, size_t count) {
  for (char *at = strchr(text, mark); at != NULL && count > 0; at = strchr(at, mark)) {
    *places++ = (size_t)(at - text);
    count--;
    at += strspn(at, (char[]){mark, '\0'});
  }
}

static void put_digits(char *end, size_t value, size_t width) {
  while (width-- > 0) {
    *--end = (char)('0' + value % 10);
    value /= 10;
  }
}

/* A connection's requests differ in some digits only: the sender must not be what is measured. */
static void prepare(load_connection *connection, const load_target *target) {
  char body[LOAD_REQUEST_MAX];
  int size = snprintf(body, sizeof body,
                      "{\"webhook_url\": \"https://lender.example/webhooks/palenca\", \"data\": {"
                      "\"user_id\": \"5c1f2f6e-6f0b-4d7c-9a55-1d2f@@@@@@@@\", "
                      "\"account_id\": \"" ACCOUNT_PREFIX "%04u@@@@@@@@\", "
                      "\"external_id\": \"##########\", \"platform\": \"uber\", "
                      "\"status_details\": null, \"webhook_action\": \"%s\", "
                      "\"webhook_id\": \"0b8ff2f2-51c2-4f6e-9a3d-7e1f0c2b4d68\"}}",
                      target->tag % 10000,
                      target->number_actions ? "numbered.##########" : "login.success");
  connection->request_size = (size_t)snprintf(
      connection->request, sizeof connection->request,
      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
      "%sContent-Length: %d\r\n\r\n%s",
      target->path, target->port, target->is_fresh ? "Connection: close\r\n" : "", size, body);
  memset(connection->sequence_at, 0, sizeof connection->sequence_at);
  find_places(connection->request, '@', connection->account_at, 2);
  find_places(connection->request, '#', connection->sequence_at, 2);
}

static void render(load_connection *connection, size_t account, size_t sequence) {
  for (size_t i = 0; i < 2; i++) {
    put_digits(connection->request + connection->account_at[i] + 8, account, 8);
    if (connection->sequence_at[i] > 0) {
      put_digits(connection->request + connection->sequence_at[i] + 10, sequence, 10);
    }
  }
}

bool load_open(load_connection *connection, const load_target *target) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  prepare(connection, target);
  connection->response_size = 0;
  connection->is_waiting = false;
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  if (connection->fd < 0 ||
      connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
      fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) {
    load_close(connection);
    return false;
  }
  return true;
}

void load_close(load_connection *connection) {
  if (connection->fd >= 0) {
    (void)close(connection->fd);
  }
  connection->fd = -1;
  connection->is_waiting = false;
}

bool load_send(load_connection *connection, size_t account, size_t sequence) {
  render(connection, account, sequence);
  connection->is_waiting = true;
  connection->response_size = 0;
  /* A request is far smaller than a socket's buffer: it is taken whole or not at all. */
  return send(connection->fd, connection->request, connection->request_size, MSG_NOSIGNAL) ==
         (ssize_t)connection->request_size;
}

/* The value of a header, after its name and colon; NULL if there is none. */
static const char *header(const char *head, const char *name) {
  size_t size = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
      return line + size + 1 + strspn(line + size + 1, " ");
    }
  }
  return NULL;
}

/* The status of the response, once all of it is here; 0 before. */
static int whole(load_connection *connection, bool *is_last) {
  connection->response[connection->response_size] = '\0';
  char *end = strstr(connection->response, "\r\n\r\n");
  if (end == NULL) {
    return 0;
  }
  end[2] = '\0'; /* so that no header is looked for in the body */
  const char *length = header(connection->response, "Content-Length");
  const char *then = header(connection->response, "Connection");
  *is_last = then != NULL && strncasecmp(then, "close", 5) == 0;
  end[2] = '\r';
  size_t size = length != NULL ? strtoul(length, NULL, 10) : 0;
  if (connection->response_size < (size_t)(end + 4 - connection->response) + size) {
    return 0;
  }
  connection->is_waiting = false;
  return atoi(connection->response + strlen("HTTP/1.1 "));
}

int load_receive(load_connection *connection, bool *is_last) {
  size_t room = sizeof connection->response - 1 - connection->response_size;
  ssize_t size = recv(connection->fd, connection->response + connection->response_size, room, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return 0;
  }
  if (size <= 0) {
    return -1;
  }
  connection->response_size += (size_t)size;
  return whole(connection, is_last);
}
