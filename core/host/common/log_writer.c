/* What the program says on standard error, written by a thread of its own. */
#include "log_writer.h"

#include "buffer.h"
#include "clock.h"
#include "thread_start.h"
#include "visible.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1 << 20)
/* A pipe that is ready takes so much without a wait, and in one piece. */
#define PIECE ((size_t)4096)

/* There is one standard error. */
static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  pthread_t thread;
  bool is_running, is_ending, json, output_failed;
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

void log_time(char text[LOG_TIME_SIZE]) {
  struct tm parts = {0};
  time_t now = (time_t)(clock_unix_ms() / 1000);
  if (strftime(text, LOG_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts)) == 0) {
    text[0] = '\0';
  }
}

static void log_lost(uint64_t lost) {
  char line[160];
  char time[LOG_TIME_SIZE];
  unsigned long long count = lost;
  log_time(time);
  int size =
      own.json
          ? snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"event\":\"log\",\"level\":\"warning\",\"lost\":%llu}\n",
                     time, count)
          : snprintf(line, sizeof line,
                     "palenca: dropped %llu log lines: stderr was not being read\n", count);
  put(line, (size_t)size);
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
    own.lost += count_lines(text, size);
  }
  (void)pthread_cond_signal(&own.changed);
  (void)pthread_mutex_unlock(&own.mutex);
  if (!is_queued) {
    write_now(text, size);
  }
}

/* ---- complete messages -------------------------------------------------------------------------
 */

#define MESSAGE_MAX 2048

/* The message as the inside of a JSON string, before VISIBLE_JSON. */
static size_t quote(const char *message, char *out, size_t room) {
  size_t size = 0;
  for (const char *c = message; *c != '\0' && size < room - 2; c++) {
    if (*c == '"' || *c == '\\') {
      out[size++] = '\\';
    }
    out[size++] = (unsigned char)*c < ' ' ? ' ' : *c;
  }
  return size;
}

void log_message(bool json, const char *event, const char *level, const char *message) {
  enum {
    ESCAPED_MAX = 6 * MESSAGE_MAX /* \u007f for a byte */
  };
  char text[MESSAGE_MAX], escaped[ESCAPED_MAX], line[ESCAPED_MAX + 256], time[LOG_TIME_SIZE];
  size_t length = strlen(message);
  bool is_error = strcmp(level, "error") == 0;
  size_t size;
  if (json) {
    size = visible_text(text, quote(message, text, sizeof text), VISIBLE_JSON, escaped);
  } else {
    size =
        visible_text(message, length < MESSAGE_MAX ? length : MESSAGE_MAX, VISIBLE_LINES, escaped);
  }
  log_time(time);
  int written = json ? snprintf(line, sizeof line,
                                "{\"time\":\"%s\",\"event\":\"%s\",\"level\":\"%s\","
                                "\"message\":\"%.*s\"}\n",
                                time, event, level, (int)size, escaped)
                     : snprintf(line, sizeof line, "palenca: %s%.*s\n", is_error ? "error: " : "",
                                (int)size, escaped);
  if (written > 0) {
    log_write(line, (size_t)written);
  }
}

bool log_is_json(void) {
  return own.json;
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
  log_message(own.json, "output", "warning", message);
}

void log_begin(bool json) {
  own.json = json;
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
