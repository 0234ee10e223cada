/* Takes in one response as it arrives: the lines of its head, and its body, decoded. */
#include "response_sink.h"

#include "protocol/error.h"

#include <string.h>
#include <strings.h>

void response_sink_init(response_sink *sink, palenca_buffer *head, palenca_buffer *body) {
  sink->head = head;
  sink->body = body;
  sink->in_head = sink->is_interim = sink->head_ended = false;
  sink->coding = CODING_NONE;
  sink->decoder = NULL;
  sink->failure.kind = PALENCA_OK;
}

void response_sink_free(response_sink *sink) {
  content_decoder_free(sink->decoder);
  sink->decoder = NULL;
}

static bool fail_full(response_sink *sink, const char *what, size_t limit) {
  return palenca_error_set(&sink->failure, PALENCA_PROTOCOL,
                           "the response's %s is larger than the bound of %zu bytes", what, limit);
}

static bool fail_no_memory(response_sink *sink) {
  return palenca_error_set(&sink->failure, PALENCA_NO_MEMORY, "out of memory");
}

static bool append(response_sink *sink, palenca_buffer *to, const char *data, size_t size) {
  if (palenca_buffer_append(to, data, size)) {
    return true;
  }
  if (!palenca_buffer_is_full(to, size)) {
    return fail_no_memory(sink);
  }
  return fail_full(sink, to == sink->head ? "head" : "body", to->limit);
}

/* ---- the head ------------------------------------------------------------------------ */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "103 …" of "HTTP/1.1 103 …"; NULL if it is shorter. */
static const char *status_in(const char *line, size_t size) {
  const char *blank = memchr(line, ' ', size);
  size_t left = blank != NULL ? size - (size_t)(blank - line) : 0;
  return left >= 4 ? blank + 1 : NULL;
}

/* Another response follows such a status; but 101 is followed by another protocol, whose bytes
 * are no body and have no end. */
static bool start_head(response_sink *sink, const char *line, size_t size) {
  const char *status = status_in(line, size);
  if (status != NULL && memcmp(status, "101", 3) == 0) {
    return palenca_error_set(&sink->failure, PALENCA_PROTOCOL,
                             "the server switched to another protocol without being asked");
  }
  sink->in_head = true;
  sink->head->size = 0;
  sink->is_interim = status != NULL && *status == '1';
  return append(sink, sink->head, line, size);
}

static bool join_line(response_sink *sink, const char *line, size_t size) {
  palenca_buffer *head = sink->head;
  while (head->size > 0 && is_blank(head->data[head->size - 1])) {
    head->size--;
  }
  for (; size > 0 && (*line == ' ' || *line == '\t'); size--) {
    line++;
  }
  return append(sink, sink->head, " ", 1) && append(sink, sink->head, line, size);
}

/* The coding that one name in a list stands for. */
static content_coding coding_of(const char *name, size_t size) {
  static const struct {
    const char *name;
    content_coding coding;
  } known[] = {{"", CODING_NONE},
               {"identity", CODING_NONE},
               {"gzip", CODING_GZIP},
               {"x-gzip", CODING_GZIP},
               {"deflate", CODING_DEFLATE}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strlen(known[i].name) == size && strncasecmp(name, known[i].name, size) == 0) {
      return known[i].coding;
    }
  }
  return CODING_UNKNOWN;
}

/* Of a list, all codings but one have to be none. */
static content_coding add_codings(content_coding coding, const char *list, const char *end) {
  while (list < end) {
    const char *comma = memchr(list, ',', (size_t)(end - list));
    const char *last = comma != NULL ? comma : end;
    const char *next = comma != NULL ? comma + 1 : end;
    while (list < last && is_blank(*list)) {
      list++;
    }
    while (last > list && is_blank(last[-1])) {
      last--;
    }
    content_coding found = coding_of(list, (size_t)(last - list));
    if (found != CODING_NONE) {
      coding = coding == CODING_NONE ? found : CODING_UNKNOWN;
    }
    list = next;
  }
  return coding;
}

static content_coding find_coding(const palenca_buffer *head) {
  static const char name[] = "content-encoding:";
  const size_t name_size = sizeof name - 1;
  content_coding coding = CODING_NONE;
  const char *at = head->data, *end = head->data + head->size;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *line_end = newline != NULL ? newline : end;
    if ((size_t)(line_end - at) > name_size && (*at | 0x20) == name[0] &&
        strncasecmp(at, name, name_size) == 0) {
      coding = add_codings(coding, at + name_size, line_end);
    }
    at = newline != NULL ? newline + 1 : end;
  }
  return coding;
}

static void end_head(response_sink *sink) {
  sink->in_head = false;
  if (sink->is_interim) {
    return;
  }
  sink->head_ended = true;
  sink->coding = find_coding(sink->head);
}

bool response_sink_add_line(response_sink *sink, const char *line, size_t size) {
  if (sink->head_ended || size == 0) {
    return true;
  }
  if (!sink->in_head) {
    return start_head(sink, line, size);
  }
  if (*line == ' ' || *line == '\t') {
    return join_line(sink, line, size);
  }
  if (!append(sink, sink->head, line, size)) {
    return false;
  }
  if (*line == '\r' || *line == '\n') {
    end_head(sink);
  }
  return true;
}

/* ---- the body ------------------------------------------------------------------------ */

static bool start_decoder(response_sink *sink) {
  if (sink->coding == CODING_UNKNOWN) {
    return palenca_error_set(&sink->failure, PALENCA_PROTOCOL,
                             "the response's content encoding is neither gzip nor deflate");
  }
  sink->decoder = content_decoder_new(sink->coding);
  return sink->decoder != NULL || fail_no_memory(sink);
}

/* Bounded here and not by curl, which bounds what is on the wire: a small compressed response can
 * hold a large body. */
bool response_sink_add_body(response_sink *sink, const char *data, size_t size) {
  if (size == 0) {
    return true;
  }
  if (sink->coding == CODING_NONE) {
    return append(sink, sink->body, data, size);
  }
  if (sink->decoder == NULL && !start_decoder(sink)) {
    return false;
  }
  switch (content_decoder_feed(sink->decoder, data, size, sink->body)) {
  case DECODER_OK:
    return true;
  case DECODER_FULL:
    return fail_full(sink, "body", sink->body->limit);
  case DECODER_NO_MEMORY:
    return fail_no_memory(sink);
  default:
    return palenca_error_set(&sink->failure, PALENCA_PROTOCOL,
                             "the response's compressed body is malformed");
  }
}

bool response_sink_end(response_sink *sink) {
  return sink->decoder == NULL || content_decoder_is_complete(sink->decoder) ||
         palenca_error_set(&sink->failure, PALENCA_PROTOCOL,
                           "the response's compressed body is truncated");
}
