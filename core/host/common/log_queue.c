/* Queues lines of the log, up to a limit, for a thread that writes them to standard error; further
 * ones are dropped and counted. */
#include "log_queue.h"

#include "buffer.h"
#include "clock.h"
#include "metrics.h"
#include "thread_start.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1 << 20)
/* A pipe that is ready takes so much without a wait, and in one piece. */
#define PIECE ((size_t)4096)

#define FORMATTED_SIZE (LOG_LINE_SIZE + sizeof(log_affix))

/* There is one standard error. */
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pthread_t thread;
  bool is_running, is_ending, json, output_failed;
  log_form form;
  _Atomic log_rank min;
  int64_t end_at; /* nothing is written later */
  palenca_buffer pending;
  uint64_t lost;
} own = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the thread -------------------------------------------------------------------------- */

static bool is_over(void) {
  (void)pthread_mutex_lock(&own.mutex);
  bool over = own.is_ending && clock_steady_ms() >= own.end_at;
  (void)pthread_mutex_unlock(&own.mutex);
  return over;
}

/* Complete lines if possible, since other processes write to the same file. */
static size_t piece_of(const char *text, size_t size) {
  if (size <= PIECE) {
    return size;
  }
  const char *last = memrchr(text, '\n', PIECE);
  return last != NULL ? (size_t)(last - text) + 1 : PIECE;
}

/* What cannot be written (the reader has gone, the disk is full) is dropped: there is no other
 * place to log it. */
static void put(const char *text, size_t size) {
  struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
  while (size > 0) {
    while (poll(&out, 1, 50) == 0) {
      if (is_over()) {
        return;
      }
    }
    size_t piece = piece_of(text, size);
    ssize_t written = write(STDERR_FILENO, text, piece);
    piece = written > 0 ? (size_t)written : piece;
    text += piece;
    size -= piece;
  }
}

static size_t format(const log_entry *entry, char line[FORMATTED_SIZE]) {
  log_affix affix;
  if (!log_affixes(entry->level, &affix)) {
    return log_entry_line(entry, own.json, line);
  }
  size_t before = strlen(affix.before), after = strlen(affix.after);
  memcpy(line, affix.before, before);
  size_t size = before + log_entry_line(entry, own.json, line + before) - 1;
  memcpy(line + size, affix.after, after);
  line[size + after] = '\n';
  return size + after + 1;
}

static void log_lost(uint64_t lost) {
  char line[FORMATTED_SIZE], message[96];
  const log_field field = {.name = "lost", .number = lost};
  const log_entry entry = {
      .event = "log", .level = "warning", .message = message, .fields = &field, .field_count = 1};
  (void)snprintf(message, sizeof message, "dropped %llu log line%s: stderr was not being read",
                 (unsigned long long)lost, lost == 1 ? "" : "s");
  put(line, format(&entry, line));
}

static void *body(void *context) {
  palenca_buffer taken = {0};
  (void)context;
  (void)pthread_mutex_lock(&own.mutex);
  for (;;) {
    while (own.pending.size == 0 && own.lost == 0 && !own.is_ending) {
      (void)pthread_cond_wait(&own.changed, &own.mutex);
    }
    if (own.pending.size == 0 && own.lost == 0) {
      break;
    }
    palenca_buffer empty = taken;
    empty.size = 0;
    uint64_t lost = own.lost;
    taken = own.pending;
    own.pending = empty;
    own.lost = 0;
    (void)pthread_mutex_unlock(&own.mutex);
    put(taken.data, taken.size);
    if (lost > 0) {
      log_lost(lost);
    }
    (void)pthread_mutex_lock(&own.mutex);
  }
  (void)pthread_mutex_unlock(&own.mutex);
  palenca_buffer_free(&taken);
  return NULL;
}

/* ---- who writes ---------------------------------------------------------------------------- */

static void write_now(const char *text, size_t size) {
  while (size > 0) {
    ssize_t written = write(STDERR_FILENO, text, size);
    if (written <= 0) {
      return;
    }
    text += written;
    size -= (size_t)written;
  }
}

/* A single piece may be larger than the max: its size does not mean that stderr is not read. */
static bool append(palenca_buffer *pending, const char *text, size_t size) {
  bool is_alone = pending->size == 0 && size > PENDING_MAX;
  pending->limit = is_alone ? size : PENDING_MAX;
  return palenca_buffer_append(pending, text, size);
}

static uint64_t count_lines(const char *text, size_t size) {
  uint64_t count = 0;
  for (size_t i = 0; i < size; i++) {
    count += text[i] == '\n';
  }
  return count;
}

void log_write(const char *text, size_t size) {
  (void)pthread_mutex_lock(&own.mutex);
  bool is_queued = own.is_running;
  /* once a line is lost, so are those after it: the line that counts them is where they were */
  if (is_queued && (own.lost > 0 || !append(&own.pending, text, size))) {
    uint64_t lines = count_lines(text, size);
    own.lost += lines;
    metric_add(METRIC_LOG_LOST, 0, (int64_t)lines);
  }
  (void)pthread_cond_signal(&own.changed);
  (void)pthread_mutex_unlock(&own.mutex);
  if (!is_queued) {
    write_now(text, size);
  }
}

/* ---- entries ------------------------------------------------------------------------------- */

void log_put(const log_entry *entry) {
  char line[FORMATTED_SIZE];
  if (log_rank_of(entry->level) >= own.min) {
    log_write(line, format(entry, line));
  }
}

void log_message(const char *event, const char *level, const char *message) {
  log_put(&(log_entry){.event = event, .level = level, .message = message});
}

void log_use_json(bool json) {
  own.json = json;
  own.form = log_form_of_stderr(false);
}

void log_output_failure(int error) {
  char message[256];
  (void)pthread_mutex_lock(&own.mutex);
  bool is_known = own.output_failed;
  own.output_failed = true;
  (void)pthread_mutex_unlock(&own.mutex);
  if (is_known) {
    return;
  }
  (void)snprintf(message, sizeof message, "what scripts print cannot be written: %s",
                 strerror(error));
  log_message("output", "warning", message);
}

void log_use_level(const char *level) {
  own.min = log_rank_of(level);
}

bool log_affixes(const char *level, log_affix *out) {
  return log_form_affixes(own.form, level, out);
}

void log_begin(bool json, bool dates) {
  own.json = json;
  own.form = log_form_of_stderr(dates);
  own.is_running = thread_start(&own.thread, THREAD_STACK_SIZE, body, NULL) == 0;
}

void log_end(int64_t timeout_ms) {
  (void)pthread_mutex_lock(&own.mutex);
  bool was_running = own.is_running;
  own.is_running = false;
  own.is_ending = true;
  own.end_at = clock_steady_ms() + timeout_ms;
  (void)pthread_cond_signal(&own.changed);
  (void)pthread_mutex_unlock(&own.mutex);
  if (!was_running) {
    return;
  }
  int64_t until_ms = clock_unix_ms() + timeout_ms + 200;
  struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
  if (pthread_timedjoin_np(own.thread, NULL, &until) != 0) {
    return; /* in a write that does not come back, whatever poll has said */
  }
  palenca_buffer_free(&own.pending);
}
