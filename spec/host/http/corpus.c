/* Reads corpus.txt. */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR " | "
#define LINE_MAX_SIZE 4096

static void fail(const char *what, const char *line) {
  fprintf(stderr, "corpus: %s: %s\n", what, line);
  exit(2);
}

static void append(corpus_text *text, const char *data, size_t size) {
  char *grown = realloc(text->data, text->size + size + 1);
  if (grown == NULL) {
    fail("out of memory", "");
  }
  memcpy(grown + text->size, data, size);
  text->data = grown;
  text->size += size;
  grown[text->size] = '\0';
}

static const char *macro(char code) {
  switch (code) {
  case 'P':
    return "POST / HTTP/1.1\r\n";
  case 'G':
    return "GET / HTTP/1.1\r\n";
  case 'O':
    return "OPTIONS * HTTP/1.1\r\n";
  case 'H':
    return "Host: a\r\n";
  case 'L':
    return "Content-Length: 5\r\n";
  case 'C':
    return "Transfer-Encoding: chunked\r\n";
  case 'N':
    return "\r\n";
  default:
    return code == '$' ? "$" : NULL;
  }
}

static void decode(corpus_case *c, corpus_text *out, const char *from, const char *end);

/* The brace that closes a repetition, in which others may stand. */
static const char *closing_brace(const char *from) {
  for (int depth = 1; *from != '\0'; from++) {
    if (from[0] == '\\' && from[1] == '{') {
      depth++;
    } else if (from[0] == '}' && from[-1] >= '0' && from[-1] <= '9' && --depth == 0) {
      return from;
    }
  }
  return NULL;
}

/* "text*N}" */
static const char *decode_repeated(corpus_case *c, corpus_text *out, const char *from) {
  const char *close = closing_brace(from);
  const char *star = close;
  while (star != NULL && star > from && *star != '*') {
    star--;
  }
  if (star == NULL || star == from) {
    fail("not a repetition", from);
  }
  for (long left = strtol(star + 1, NULL, 10); left > 0; left--) {
    decode(c, out, from, star);
  }
  return close + 1;
}

static const char *decode_escape(corpus_case *c, corpus_text *out, const char *from) {
  static const char codes[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
  const char *code = strchr(codes, *from);
  if (*from == '{') {
    return decode_repeated(c, out, from + 1);
  }
  if (*from == 'x') {
    char digits[3] = {from[1], from[2]};
    char byte = (char)strtol(digits, NULL, 16);
    append(out, &byte, 1);
    return from + 3;
  }
  if (*from == '|') {
    if (c->end_count == CORPUS_ENDS_MAX) {
      fail("too many requests", from);
    }
    c->ends[c->end_count++] = out->size;
  } else if (code != NULL) {
    append(out, &bytes[code - codes], 1);
  } else {
    append(out, from - 1, 2);
  }
  return from + 1;
}

static void decode(corpus_case *c, corpus_text *out, const char *from, const char *end) {
  while (from < end) {
    if (*from == '\\') {
      from = decode_escape(c, out, from + 1);
    } else if (*from == '$') {
      const char *text = macro(from[1]);
      if (text == NULL) {
        fail("unknown abbreviation", from);
      }
      append(out, text, strlen(text));
      from += 2;
    } else {
      append(out, from++, 1);
    }
  }
}

static void read_case(corpus_case *c, const char *class, const char *line) {
  const char *verdict = strstr(line, SEPARATOR);
  const char *bytes = verdict != NULL ? strstr(verdict + strlen(SEPARATOR), SEPARATOR) : NULL;
  if (bytes == NULL || verdict - line >= (ptrdiff_t)sizeof c->name) {
    fail("not a case", line);
  }
  snprintf(c->class, sizeof c->class, "%s", class);
  snprintf(c->name, sizeof c->name, "%.*s", (int)(verdict - line), line);
  append(&c->verdict, "", 0);
  append(&c->bytes, "", 0);
  decode(c, &c->verdict, verdict + strlen(SEPARATOR), bytes);
  bytes += strlen(SEPARATOR);
  decode(c, &c->bytes, bytes, bytes + strlen(bytes));
}

corpus corpus_read(const char *path) {
  char line[LINE_MAX_SIZE], class[64] = "";
  corpus read = {NULL, 0};
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    fail("cannot be opened", path);
  }
  while (fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '[') {
      snprintf(class, sizeof class, "%.*s", (int)strcspn(line + 1, "]"), line + 1);
    } else if (line[0] != '#' && line[0] != '\0') {
      corpus_case *grown = realloc(read.cases, (read.count + 1) * sizeof *grown);
      if (grown == NULL) {
        fail("out of memory", path);
      }
      read.cases = grown;
      grown[read.count] = (corpus_case){.end_count = 0};
      read_case(&grown[read.count++], class, line);
    }
  }
  fclose(file);
  return read;
}

void corpus_free(corpus *read) {
  for (size_t i = 0; i < read->count; i++) {
    free(read->cases[i].verdict.data);
    free(read->cases[i].bytes.data);
  }
  free(read->cases);
}
