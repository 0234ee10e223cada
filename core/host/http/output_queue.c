/* Queues what is still to be sent on a connection, in memory or from a file, and writes it to the
 * socket. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of a flush, so that a fast reader of a large file does not hold others up. */
#define FLUSH_MAX ((size_t)512 * 1024)
#define PARTS_MAX 8
#define FILE_PART ((size_t)16 * 1024)

void http_output_init(http_output *output) {
  *output = (http_output){0};
  output->end = &output->first;
}

static void drop_first(http_output *output) {
  http_piece *piece = output->first;
  output->first = piece->next;
  if (output->first == NULL) {
    output->end = &output->first;
  }
  if (piece->fd >= 0) {
    close(piece->fd);
  } else {
    output->memory -= (size_t)piece->size;
  }
  http_response_free(piece->response);
  free(piece);
}

void http_output_clear(http_output *output) {
  while (output->first != NULL) {
    drop_first(output);
  }
}

static http_piece *add(http_output *output, size_t own_size) {
  http_piece *piece = malloc(sizeof *piece + own_size);
  if (piece == NULL) {
    return NULL;
  }
  *piece = (http_piece){.fd = -1, .data = piece->own};
  *output->end = piece;
  output->end = &piece->next;
  return piece;
}

static bool add_copy(http_output *output, const char *data, size_t size) {
  if (size == 0) {
    return true;
  }
  http_piece *piece = add(output, size);
  if (piece == NULL) {
    return false;
  }
  memcpy(piece->own, data, size);
  piece->size = size;
  output->memory += size;
  return true;
}

static bool add_data(http_output *output, http_response *response, const char *data, size_t size) {
  if (response == NULL || size == 0) {
    return add_copy(output, data, size);
  }
  http_piece *piece = add(output, 0);
  if (piece == NULL) {
    return false;
  }
  (void)atomic_fetch_add(&response->uses, 1);
  piece->response = response;
  piece->data = data;
  piece->size = size;
  output->memory += size;
  return true;
}

http_sending http_output_send(http_connection *c, const char *start, size_t start_size,
                              http_response *response, const char *data, size_t size) {
  http_output *output = &c->output;
  size_t sent = 0;
  if (start_size + size == 0) {
    return http_output_is_empty(output) ? HTTP_SENT : HTTP_BLOCKED;
  }
  if (http_output_is_empty(output)) {
    struct iovec parts[2] = {{(void *)(uintptr_t)start, start_size},
                             {(void *)(uintptr_t)data, size}};
    size_t first = start_size > 0 ? 0 : 1;
    ptrdiff_t written = http_transport_write(c, parts + first, size > 0 ? 2 - first : 1);
    if (written == HTTP_FAILED) {
      return HTTP_BROKEN;
    }
    sent = written > 0 ? (size_t)written : 0;
    if (sent == start_size + size) {
      return HTTP_SENT;
    }
  }
  size_t of_start = sent < start_size ? sent : start_size;
  size_t of_data = sent - of_start;
  bool is_copied = (start_size == 0 || add_copy(output, start + of_start, start_size - of_start)) &&
                   (size == 0 || add_data(output, response, data + of_data, size - of_data));
  return is_copied ? HTTP_BLOCKED : HTTP_BROKEN;
}

bool http_output_add_file(http_connection *c, int fd, int64_t offset, uint64_t size) {
  http_piece *piece = add(&c->output, 0);
  if (piece == NULL) {
    close(fd);
    return false;
  }
  piece->fd = fd;
  piece->offset = offset;
  piece->size = size;
  return true;
}

/* ---- sending ----------------------------------------------------------------------------- */

/* A file that has become shorter than its response says breaks the connection. */
static ptrdiff_t write_file(http_connection *c, http_piece *piece) {
  char part[FILE_PART];
  size_t part_size = piece->size < sizeof part ? (size_t)piece->size : sizeof part;
  ssize_t got = pread(piece->fd, part, part_size, piece->offset);
  if (got <= 0) {
    return HTTP_FAILED;
  }
  struct iovec one = {part, (size_t)got};
  ptrdiff_t written = http_transport_write(c, &one, 1);
  if (written > 0) {
    piece->offset += written;
    piece->size -= (uint64_t)written;
    if (piece->size == 0) {
      drop_first(&c->output);
    }
  }
  return written;
}

static ptrdiff_t write_memory(http_connection *c) {
  struct iovec parts[PARTS_MAX];
  size_t count = 0;
  for (http_piece *p = c->output.first; p != NULL && p->fd < 0 && count < PARTS_MAX; p = p->next) {
    parts[count++] = (struct iovec){(void *)(uintptr_t)p->data, (size_t)p->size};
  }
  ptrdiff_t written = http_transport_write(c, parts, count);
  for (size_t left = written > 0 ? (size_t)written : 0; left > 0;) {
    http_piece *p = c->output.first;
    if (left >= p->size) {
      left -= (size_t)p->size;
      drop_first(&c->output);
    } else {
      p->data += left;
      p->size -= left;
      c->output.memory -= left;
      left = 0;
    }
  }
  return written;
}

http_sending http_output_flush(http_connection *c) {
  http_server *server = c->server;
  for (size_t sent = 0; !http_output_is_empty(&c->output);) {
    http_piece *first = c->output.first;
    ptrdiff_t written = first->fd >= 0 ? write_file(c, first) : write_memory(c);
    if (written == HTTP_FAILED) {
      return HTTP_BROKEN;
    }
    if (written > 0 && !server->is_ending) { /* the peer reads */
      http_connections_wait(&server->connections, &c->entry, HTTP_WAIT_SENT,
                            http_server_now(server));
    }
    sent += written > 0 ? (size_t)written : 0;
    if (written == HTTP_AGAIN || sent >= FLUSH_MAX) {
      break;
    }
  }
  return http_output_is_empty(&c->output) ? HTTP_SENT : HTTP_BLOCKED;
}
