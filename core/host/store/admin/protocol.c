/* Writes and parses the lines of the socket by which commands ask the process that serves. */
#include "protocol.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "palenca-admin "

static const char *const kinds[] = {
    [EVENT_ADMIN_REPLAY] = "replay",
    [EVENT_ADMIN_REPLAY_DEAD] = "retry-dead",
    [EVENT_ADMIN_PURGE] = "purge",
    [EVENT_ADMIN_FORGET] = "forget",
    [EVENT_ADMIN_OVERWRITE] = "overwrite",
    [EVENT_ADMIN_BACKUP] = "backup",
    [EVENT_ADMIN_QUEUE] = "queue",
    [EVENT_ADMIN_REPLAY_MATCHING] = "replay-matching",
    [EVENT_ADMIN_PURGE_MATCHING] = "purge-matching",
};
static const char *const statuses[] = {
    [EVENT_ADMIN_STATUS_PROGRESS] = "progress",
    [EVENT_ADMIN_STATUS_DONE] = "done",
    [EVENT_ADMIN_STATUS_FAILED] = "failed",
    [EVENT_ADMIN_STATUS_REJECTED] = "rejected",
};
static const char *const replays[] = {
    [EVENT_REPLAYED] = "replayed",
    [EVENT_NOT_FOUND] = "not_found",
    [EVENT_UNFINISHED] = "unfinished",
};

#define COUNT(names) ((int)(sizeof names / sizeof *names))

/* ---- Writing ---- */

typedef struct {
  char *text;
  size_t used;
  bool is_complete;
} writer;

__attribute__((format(printf, 2, 3))) static void add(writer *w, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t left = EVENT_ADMIN_LINE_MAX - w->used;
  int size = vsnprintf(w->text + w->used, left, format, arguments);
  va_end(arguments);
  w->is_complete = w->is_complete && size >= 0 && (size_t)size < left;
  w->used += w->is_complete ? (size_t)size : 0;
}

static bool is_plain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

static void add_text(writer *w, const char *name, const char *text) {
  if (text == NULL) {
    return;
  }
  if (strlen(text) >= EVENT_ADMIN_TEXT_MAX) {
    w->is_complete = false;
  }
  add(w, " %s=", name);
  for (; w->is_complete && *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    add(w, is_plain(c) ? "%c" : "%%%02x", c);
  }
}

static writer begin(char *line, const char *word) {
  writer w = {.text = line, .is_complete = true};
  add(&w, NAME "%d %s", EVENT_ADMIN_PROTOCOL, word);
  return w;
}

/* An empty list is left out. */
static void add_list(writer *w, const char *name, const int64_t *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (i == 0) {
      add(w, " %s=%lld", name, (long long)list[i]);
    } else {
      add(w, ",%lld", (long long)list[i]);
    }
  }
}

static void add_filter(writer *w, const event_filter *filter) {
  add(w, " since=%lld until=%lld", (long long)filter->since, (long long)filter->until);
  add_text(w, "state", filter->state);
  add_text(w, "action", filter->action);
  add_text(w, "account", filter->account_id);
  add_text(w, "platform", filter->platform);
  add_text(w, "error", filter->error);
}

static void add_forget(writer *w, const event_admin_request *request) {
  const event_forget *forget = &request->forget;
  add_list(w, "events", forget->ids, forget->id_count);
  add_list(w, "decisions", forget->numbers, forget->number_count);
  add_text(w, "account", request->account_id);
  add_text(w, "user", request->user_id);
}

static void add_queue(writer *w, const event_queue_request *queue) {
  add(w, " after=%lld began=%lld", (long long)queue->after, (long long)queue->began);
  add_text(w, "account", queue->account_id);
  add_text(w, "user", queue->user_id);
  add_text(w, "body", queue->body);
}

bool event_admin_write_request(const event_admin_request *request,
                               char line[EVENT_ADMIN_LINE_MAX]) {
  writer w = begin(line, kinds[request->kind]);
  switch (request->kind) {
  case EVENT_ADMIN_REPLAY:
    add(&w, " id=%lld", (long long)request->id);
    break;
  case EVENT_ADMIN_REPLAY_DEAD:
    add(&w, " since=%lld", (long long)request->since);
    add_text(&w, "action", request->action);
    add_text(&w, "account", request->account_id);
    break;
  case EVENT_ADMIN_PURGE:
    add(&w, " state=%s before=%lld", event_state_name(request->purge.state),
        (long long)request->purge.finished_before);
    break;
  case EVENT_ADMIN_FORGET:
    add_forget(&w, request);
    break;
  case EVENT_ADMIN_BACKUP:
    add_text(&w, "file", request->file);
    break;
  case EVENT_ADMIN_QUEUE:
    add_queue(&w, &request->queue);
    break;
  case EVENT_ADMIN_REPLAY_MATCHING:
  case EVENT_ADMIN_PURGE_MATCHING:
    add_filter(&w, &request->filter);
    break;
  default:
    break;
  }
  add(&w, "\n");
  return w.is_complete;
}

void event_admin_write_response(const event_admin_response *response,
                                char line[EVENT_ADMIN_LINE_MAX]) {
  const event_purge_report *purge = &response->report.purge;
  writer w = begin(line, statuses[response->status]);
  add(&w, " replay=%s events=%lld kept=%lld bytes=%lld file_size=%lld",
      replays[response->report.replay], (long long)purge->events, (long long)purge->kept,
      (long long)purge->bytes, (long long)purge->file_size);
  const event_forget_report *forget = &response->report.forget;
  add(&w, " forgotten=%lld attempts=%lld decisions=%lld running=%lld", (long long)forget->events,
      (long long)forget->attempts, (long long)forget->decisions, (long long)forget->running);
  const event_backup_report *backup = &response->report.backup;
  if (backup->pages > 0) {
    add(&w, " pages=%lld copied=%lld", (long long)backup->pages, (long long)backup->copied);
  }
  if (response->status >= EVENT_ADMIN_STATUS_FAILED) {
    add_text(&w, "reason", response->reason);
  }
  add(&w, "\n");
}

/* ---- Reading ---- */

/* What follows the version; NULL: not a line of this protocol. */
static const char *read_version(const char *line, int64_t *version) {
  char *end;
  if (strncmp(line, NAME, strlen(NAME)) != 0 || !isdigit((unsigned char)line[strlen(NAME)])) {
    return NULL;
  }
  *version = strtol(line + strlen(NAME), &end, 10);
  return *end == ' ' ? end + 1 : NULL;
}

static int read_word(const char **text, const char *const *names, int count) {
  size_t size = strcspn(*text, " ");
  for (int i = 0; i < count; i++) {
    if (strlen(names[i]) == size && memcmp(*text, names[i], size) == 0) {
      *text += size;
      return i;
    }
  }
  return -1;
}

/* The value of the field of this name, or NULL. */
static const char *find(const char *fields, const char *name) {
  size_t size = strlen(name);
  for (; *fields == ' '; fields += strcspn(fields, " ")) {
    fields++;
    if (strncmp(fields, name, size) == 0 && fields[size] == '=') {
      return fields + size + 1;
    }
  }
  return NULL;
}

static bool read_number(const char *fields, const char *name, int64_t *number) {
  const char *value = find(fields, name);
  char *end;
  if (value == NULL || *value == '\0' || isspace((unsigned char)*value)) {
    return false;
  }
  errno = 0;
  *number = strtoll(value, &end, 10);
  return errno == 0 && end != value && (*end == ' ' || *end == '\0');
}

/* False if it is malformed; of none it reads 0. */
static bool read_list(const char *fields, const char *name, int64_t list[EVENT_FORGET_MAX],
                      size_t *count) {
  const char *value = find(fields, name);
  *count = 0;
  while (value != NULL && *value != ' ' && *value != '\0') {
    char *end;
    if (!isdigit((unsigned char)*value) || *count == EVENT_FORGET_MAX) {
      return false;
    }
    errno = 0;
    list[(*count)++] = strtoll(value, &end, 10);
    if (errno != 0 || (*end == ',' && !isdigit((unsigned char)end[1]))) {
      return false;
    }
    value = *end == ',' ? end + 1 : end;
  }
  return true;
}

static int read_name(const char *fields, const char *name, const char *const *names, int count) {
  const char *value = find(fields, name);
  return value != NULL ? read_word(&value, names, count) : -1;
}

static int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False only if it is there and malformed. */
static bool read_text(const char *fields, const char *name, char text[EVENT_ADMIN_TEXT_MAX],
                      const char **read) {
  const char *value = find(fields, name);
  size_t used = 0;
  *read = value != NULL ? text : NULL;
  for (; value != NULL && *value != ' ' && *value != '\0'; value++, used++) {
    int c = (unsigned char)*value;
    if (c == '%') {
      int high = digit(value[1]);
      int low = high < 0 ? -1 : digit(value[2]);
      c = low < 0 ? 0 : high * 16 + low;
      value += 2;
    }
    if (c == 0 || used + 1 == EVENT_ADMIN_TEXT_MAX) {
      return false;
    }
    text[used] = (char)c;
  }
  text[used] = '\0';
  return true;
}

static bool read_filter(const char *fields, event_admin_request_line *read) {
  event_filter *filter = &read->request.filter;
  if (find(fields, "state") != NULL) {
    int state = read_name(fields, "state", event_state_names, EVENT_STATES);
    if (state < 0) {
      return false;
    }
    filter->state = event_state_names[state];
  }
  return read_number(fields, "since", &filter->since) &&
         read_number(fields, "until", &filter->until) &&
         read_text(fields, "action", read->action, &filter->action) &&
         read_text(fields, "account", read->account_id, &filter->account_id) &&
         read_text(fields, "platform", read->platform, &filter->platform) &&
         read_text(fields, "error", read->error, &filter->error);
}

static bool read_request_fields(const char *fields, event_admin_request_line *read) {
  event_admin_request *request = &read->request;
  event_forget *forget = &request->forget;
  int state;
  switch (request->kind) {
  case EVENT_ADMIN_REPLAY:
    return read_number(fields, "id", &request->id);
  case EVENT_ADMIN_REPLAY_DEAD:
    return read_number(fields, "since", &request->since) &&
           read_text(fields, "action", read->action, &request->action) &&
           read_text(fields, "account", read->account_id, &request->account_id);
  case EVENT_ADMIN_PURGE:
    state = read_name(fields, "state", event_state_names + EVENT_DONE, EVENT_STATES - EVENT_DONE);
    request->purge.state = state < 0 ? EVENT_DONE : (event_state)(EVENT_DONE + state);
    return state >= 0 && read_number(fields, "before", &request->purge.finished_before);
  case EVENT_ADMIN_FORGET:
    return read_list(fields, "events", forget->ids, &forget->id_count) &&
           read_list(fields, "decisions", forget->numbers, &forget->number_count) &&
           read_text(fields, "account", read->account_id, &request->account_id) &&
           read_text(fields, "user", read->user_id, &request->user_id) &&
           (forget->id_count + forget->number_count > 0 || request->account_id != NULL ||
            request->user_id != NULL);
  case EVENT_ADMIN_BACKUP:
    return read_text(fields, "file", read->file, &request->file) && request->file != NULL;
  case EVENT_ADMIN_QUEUE:
    return read_number(fields, "after", &request->queue.after) &&
           read_number(fields, "began", &request->queue.began) &&
           read_text(fields, "account", read->account_id, &request->queue.account_id) &&
           read_text(fields, "user", read->user_id, &request->queue.user_id) &&
           read_text(fields, "body", read->body, &request->queue.body) &&
           request->queue.account_id != NULL && request->queue.body != NULL;
  case EVENT_ADMIN_REPLAY_MATCHING:
  case EVENT_ADMIN_PURGE_MATCHING:
    return read_filter(fields, read);
  default:
    return true;
  }
}

event_admin_line event_admin_read_request(const char *line, event_admin_request_line *read) {
  int64_t version = 0;
  const char *rest = read_version(line, &version);
  *read = (event_admin_request_line){.request = {.kind = EVENT_ADMIN_REPLAY}};
  if (rest != NULL && version != EVENT_ADMIN_PROTOCOL) {
    return EVENT_ADMIN_LINE_OTHER_VERSION;
  }
  int kind = rest != NULL ? read_word(&rest, kinds, COUNT(kinds)) : -1;
  read->request.kind = (event_admin_kind)kind;
  bool ok = kind >= 0 && read_request_fields(rest, read);
  return ok ? EVENT_ADMIN_LINE_OK : EVENT_ADMIN_LINE_MALFORMED;
}

event_admin_line event_admin_read_response(const char *line, event_admin_response *read) {
  *read = (event_admin_response){.status = EVENT_ADMIN_STATUS_PROGRESS};
  const char *rest = read_version(line, &read->version);
  if (rest != NULL && read->version != EVENT_ADMIN_PROTOCOL) {
    return EVENT_ADMIN_LINE_OTHER_VERSION;
  }
  int status = rest != NULL ? read_word(&rest, statuses, COUNT(statuses)) : -1;
  int replay = status >= 0 ? read_name(rest, "replay", replays, COUNT(replays)) : -1;
  event_purge_report *purge = &read->report.purge;
  event_forget_report *forget = &read->report.forget;
  const char *reason;
  if (replay < 0 || !read_number(rest, "events", &purge->events) ||
      !read_number(rest, "kept", &purge->kept) || !read_number(rest, "bytes", &purge->bytes) ||
      !read_number(rest, "file_size", &purge->file_size) ||
      !read_number(rest, "forgotten", &forget->events) ||
      !read_number(rest, "attempts", &forget->attempts) ||
      !read_number(rest, "decisions", &forget->decisions) ||
      !read_number(rest, "running", &forget->running) ||
      !read_text(rest, "reason", read->reason, &reason)) {
    return EVENT_ADMIN_LINE_MALFORMED;
  }
  event_backup_report *backup = &read->report.backup;
  if (find(rest, "pages") != NULL && (!read_number(rest, "pages", &backup->pages) ||
                                      !read_number(rest, "copied", &backup->copied))) {
    return EVENT_ADMIN_LINE_MALFORMED;
  }
  read->status = (event_admin_status)status;
  read->report.replay = (event_replay_result)replay;
  return EVENT_ADMIN_LINE_OK;
}
