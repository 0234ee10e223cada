/* Relays TCP with a delay in each direction, from the first packet on, and counts round trips.
 *
 * delay_relay TARGET_PORT DELAY_MS prints the port that it listens on, on 127.0.0.1. What is sent
 * while a connection is being set up counts as sent when a handshake over such a line would have
 * ended: two delays after the kernel has accepted it. A packet's depth is one more than that of all
 * that has come to the client, on any connection, before it was sent; a handshake counts as a
 * packet there and back; what the server sends has the depth of what it got on that connection. So
 * the depth of what arrives is the number of round trips that had to be made one after the other.
 *
 * Commands, one a line: "mark" starts to count and prints "marked"; "count" prints the depth
 * reached since, the connections opened since, those that are open and ready, and whether
 * something is under way; "drop" closes all connections and prints "dropped". */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define CHUNK_SIZE 65536

typedef struct chunk {
  struct chunk *next;
  int64_t due;
  int depth;
  size_t size; /* 0: the end */
  char data[];
} chunk;

typedef struct {
  chunk *first, **last; /* `last` is in the last one */
  bool ended;
} line;

typedef struct {
  int client, server; /* -1: not connected */
  int64_t ready_at;   /* the handshake is done */
  bool is_ready;
  int depth_of_handshake, depth_at_server;
  line up, down;
} connection;

static connection connections[CONNECTIONS_MAX];
static size_t count;
static int depth, opened, target_port;
static int64_t delay;

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

static int larger(int a, int b) {
  return a > b ? a : b;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static void no_delay(int fd) {
  int one = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void accept_one(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0 || count == CONNECTIONS_MAX) {
    fail("accept");
  }
  no_delay(fd);
  connection *one = &connections[count++];
  *one = (connection){.client = fd, .server = -1, .ready_at = now_ns() + 2 * delay};
  one->depth_of_handshake = depth + 1;
  opened++;
}

static void drain(line *from) {
  while (from->first != NULL) {
    chunk *one = from->first;
    from->first = one->next;
    free(one);
  }
}

static void close_connection(size_t at) {
  connection *one = &connections[at];
  drain(&one->up);
  drain(&one->down);
  close(one->client);
  if (one->server >= 0) {
    close(one->server);
  }
  *one = connections[--count];
}

/* Reads what has come from one side, for the other. */
static void receive(connection *one, bool is_up) {
  static char data[CHUNK_SIZE];
  line *to = is_up ? &one->up : &one->down;
  ssize_t size = recv(is_up ? one->client : one->server, data, sizeof data, 0);
  int64_t sent_at = now_ns();
  int of_sender = is_up ? larger(depth, one->depth_of_handshake) + 1 : one->depth_at_server;
  if (size < 0) {
    size = 0;
  }
  to->ended = size == 0;
  chunk *new = malloc(sizeof *new + (size_t)size);
  if (new == NULL) {
    fail("malloc");
  }
  if (is_up && sent_at < one->ready_at) {
    sent_at = one->ready_at;
  }
  *new = (chunk){.due = sent_at + delay, .depth = of_sender, .size = (size_t)size};
  memcpy(new->data, data, (size_t)size);
  *(to->first == NULL ? &to->first : to->last) = new;
  to->last = &new->next;
}

static void connect_server(connection *one) {
  struct sockaddr_in address = loopback(target_port);
  one->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (one->server < 0 ||
      connect(one->server, (const struct sockaddr *)&address, sizeof address) != 0) {
    fail("connect");
  }
  no_delay(one->server);
}

static void deliver(connection *one, bool is_up) {
  line *from = is_up ? &one->up : &one->down;
  chunk *first = from->first;
  if (is_up && one->server < 0) {
    connect_server(one);
  }
  int to = is_up ? one->server : one->client;
  if (first->size == 0) {
    (void)shutdown(to, SHUT_WR);
  } else {
    (void)send(to, first->data, first->size, MSG_NOSIGNAL); /* blocks; what fails has closed */
  }
  if (is_up) {
    one->depth_at_server = larger(one->depth_at_server, first->depth);
  } else {
    depth = larger(depth, first->depth);
  }
  from->first = first->next;
  free(first);
}

/* Delivers what is due; returns when the next is, or 0. */
static int64_t deliver_due(void) {
  int64_t next = 0, now = now_ns();
  for (size_t at = count; at-- > 0;) {
    connection *one = &connections[at];
    if (!one->is_ready && one->ready_at <= now) {
      one->is_ready = true;
      depth = larger(depth, one->depth_of_handshake);
    } else if (!one->is_ready) {
      next = next == 0 || one->ready_at < next ? one->ready_at : next;
    }
    for (int i = 0; i < 2; i++) {
      line *side = i == 0 ? &one->up : &one->down;
      while (side->first != NULL && side->first->due <= now) {
        deliver(one, i == 0);
      }
      if (side->first != NULL) {
        next = next == 0 || side->first->due < next ? side->first->due : next;
      }
    }
    if (one->up.ended && one->up.first == NULL && (one->down.ended || one->server < 0) &&
        one->down.first == NULL) {
      close_connection(at);
    }
  }
  return next;
}

static void mark(void) {
  depth = opened = 0;
  for (size_t at = 0; at < count; at++) {
    connection *one = &connections[at];
    one->depth_of_handshake = one->depth_at_server = 0;
    for (int i = 0; i < 2; i++) {
      for (chunk *c = (i == 0 ? &one->up : &one->down)->first; c != NULL; c = c->next) {
        c->depth = 0;
      }
    }
  }
  puts("marked");
}

static void print_counts(void) {
  size_t ready = 0, under_way = 0;
  for (size_t at = 0; at < count; at++) {
    const connection *one = &connections[at];
    under_way += one->up.first != NULL || one->down.first != NULL || !one->is_ready;
    ready += one->is_ready && one->server >= 0;
  }
  printf("depth %d opened %d ready %zu busy %zu\n", depth, opened, ready, under_way);
}

static void obey(void) {
  char command[64];
  if (fgets(command, sizeof command, stdin) == NULL) {
    exit(EXIT_SUCCESS);
  }
  if (strcmp(command, "mark\n") == 0) {
    mark();
  } else if (strcmp(command, "count\n") == 0) {
    print_counts();
  } else {
    while (count > 0) {
      close_connection(count - 1);
    }
    puts("dropped");
  }
}

static void wait_for_input(int listener, int64_t next) {
  struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
  size_t watched = count;
  fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
  fds[1] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (size_t at = 0; at < watched; at++) {
    connection *one = &connections[at];
    fds[2 + 2 * at] = (struct pollfd){.fd = one->up.ended ? -1 : one->client, .events = POLLIN};
    fds[3 + 2 * at] = (struct pollfd){.fd = one->down.ended ? -1 : one->server, .events = POLLIN};
  }
  int64_t now = now_ns(), wait = next > now ? next - now : 0;
  struct timespec left = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
  if (ppoll(fds, 2 + 2 * watched, next > 0 ? &left : NULL, NULL) < 0 && errno != EINTR) {
    fail("ppoll");
  }
  for (size_t at = 0; at < watched; at++) {
    if (fds[2 + 2 * at].revents != 0) {
      receive(&connections[at], true);
    }
    if (fds[3 + 2 * at].revents != 0) {
      receive(&connections[at], false);
    }
  }
  if (fds[1].revents != 0) {
    accept_one(listener);
  }
  if (fds[0].revents != 0) {
    obey();
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (argc != 3) {
    fputs("usage: delay_relay TARGET_PORT DELAY_MS\n", stderr);
    return 2;
  }
  target_port = atoi(argv[1]);
  delay = (int64_t)(atof(argv[2]) * 1e6);
  if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    fail("listen");
  }
  setvbuf(stdin, NULL, _IONBF, 0); /* or a poll would not see the second of two lines */
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("port %d\n", (int)ntohs(address.sin_port));
  for (;;) {
    wait_for_input(listener, deliver_due());
  }
}
