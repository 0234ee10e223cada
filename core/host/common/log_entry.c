/* Formats an entry of the log as a line, for a terminal or as JSON: the only place in C that makes
 * one. */
#include "log_entry.h"

#include "clock.h"
#include "terminal_escape.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct {
  char *data; /* of LOG_LINE_SIZE */
  size_t size;
  size_t texts_left; /* of LOG_TEXT_MAX, before they are escaped */
} line_buffer;

static void add(line_buffer *line, const char *text, size_t size) {
  size_t room = LOG_LINE_SIZE - line->size;
  size_t added = size < room ? size : room;
  memcpy(line->data + line->size, text, added);
  line->size += added;
}

static void add_words(line_buffer *line, const char *words) {
  add(line, words, strlen(words));
}

static void add_escaped(line_buffer *line, const char *text, size_t size, terminal_form form) {
  char escaped[6 * LOG_TEXT_MAX];
  line->texts_left -= size;
  add(line, escaped, terminal_escape(text, size, form, escaped));
}

/* The text as the inside of a JSON string, before TERMINAL_JSON. */
static size_t quote(const char *text, char *out, size_t room) {
  size_t size = 0;
  for (const char *c = text; *c != '\0' && size + 2 < room; c++) {
    if (*c == '"' || *c == '\\') {
      out[size++] = '\\';
    }
    out[size++] = (unsigned char)*c < ' ' ? ' ' : *c;
  }
  return size;
}

static void add_name(line_buffer *line, const char *name) {
  add_words(line, ",\"");
  add_words(line, name);
  add_words(line, "\":");
}

static void add_word(line_buffer *line, const char *name, const char *word) {
  add_name(line, name);
  add_words(line, "\"");
  add_words(line, word);
  add_words(line, "\"");
}

static void add_field(line_buffer *line, const log_field *field) {
  char text[LOG_TEXT_MAX];
  add_name(line, field->name);
  if (field->text == NULL) {
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)field->number);
    add_words(line, text);
    return;
  }
  add_words(line, "\"");
  add_escaped(line, text, quote(field->text, text, line->texts_left), TERMINAL_JSON);
  add_words(line, "\"");
}

static void add_time(line_buffer *line) {
  char text[32] = "";
  struct tm parts = {0};
  time_t now = (time_t)(clock_unix_ms() / 1000);
  (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  add_words(line, "{\"time\":\"");
  add_words(line, text);
  add_words(line, "\"");
}

static void add_json(line_buffer *line, const log_entry *entry) {
  const log_field message = {.name = "message", .text = entry->message};
  bool has_fields = entry->fields != NULL;
  add_time(line);
  add_word(line, "level", entry->level);
  add_word(line, "event", entry->event);
  for (size_t i = 0; i < (has_fields ? entry->field_count : 1); i++) {
    add_field(line, has_fields ? &entry->fields[i] : &message);
  }
  add_words(line, "}");
}

static void add_text(line_buffer *line, const log_entry *entry) {
  size_t length = strnlen(entry->message, LOG_TEXT_MAX);
  add_words(line, "palenca: ");
  add_words(line, strcmp(entry->level, "error") == 0 ? "error: " : "");
  add_escaped(line, entry->message, length, TERMINAL_LINES);
}

size_t log_entry_line(const log_entry *entry, bool json, char line[LOG_LINE_SIZE]) {
  line_buffer out = {.data = line, .texts_left = LOG_TEXT_MAX};
  if (json) {
    add_json(&out, entry);
  } else {
    add_text(&out, entry);
  }
  add_words(&out, "\n");
  return out.size;
}
