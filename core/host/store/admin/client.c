/* Has works on stored events done: by the process that serves, or without one by this process. */
#include "client.h"

#include "clock.h"
#include "protocol.h"
#include "server_events.h"
#include "server_forget.h"
#include "server_queue.h"
#include "sliced_work.h"
#include "socket_address.h"
#include "store/postgres/url.h"
#include "store/sqlite/database_file.h"
#include "store/sqlite/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRY_AGAIN_MS 20
#define PROGRESS_MS 100  /* between two calls about it */
#define MAX_BUSY_MS 3000 /* for another program that writes, with this process holding the lock */

/* ---- Without a process that serves ---- */

static void wait_ms(int milliseconds) {
  (void)nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
}

const char *event_admin_stop_reason(const event_admin_stop *stop) {
  return stop->reason != NULL ? stop->reason(stop->context) : NULL;
}

/* Returns why it has ended before all is done, or NULL. */
static const char *work(event_admin *admin, sqlite3 *db, const event_admin_stop *stop) {
  int64_t busy_since = 0;
  event_admin_result result;
  while ((result = event_admin_step(admin, db)) != EVENT_ADMIN_DONE) {
    int64_t now = clock_steady_ms();
    const char *reason = event_admin_stop_reason(stop);
    busy_since = result == EVENT_ADMIN_MORE ? 0 : busy_since == 0 ? now : busy_since;
    if (busy_since != 0 && now - busy_since >= MAX_BUSY_MS) {
      return "database is locked";
    } else if (reason != NULL) {
      return reason;
    }
    if (result == EVENT_ADMIN_LATER) {
      wait_ms(TRY_AGAIN_MS);
    }
  }
  return NULL;
}

/* Does the work on an open file, and closes that. `what` it does to the file is for an error. */
static bool work_on(event_file *file, const event_admin_request *request,
                    event_admin_report *report, const char *what, host_error *error) {
  event_admin *admin = event_admin_new(request, file->path);
  if (admin == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
    event_file_close(file);
    return false;
  }
  const char *cut_short = work(admin, file->db, &request->stop);
  const host_error *reason = event_admin_error(admin);
  bool ok = cut_short == NULL && reason->kind == HOST_OK;
  if (!ok) {
    (void)host_error_set(error, HOST_FAILED, "cannot %s %s: %s", what, file->path,
                         cut_short != NULL ? cut_short : reason->message);
  }
  *report = *event_admin_progress(admin);
  event_admin_free(admin);
  char *path = strdup(file->path);
  event_file_close(file);
  if (path != NULL) { /* what the log held is in it now */
    report->purge.file_size = event_file_size(path, "");
  }
  free(path);
  return ok;
}

/* ---- By the process that serves ---- */

typedef enum {
  ASKED,
  NOBODY_LISTENS, /* or it closed without a response: nothing was started */
  FAILED
} ask_result;

typedef struct {
  const char *path;
  event_admin_kind kind;
  int fd;
  int64_t silence_ms;
  char line[EVENT_ADMIN_LINE_MAX];
  size_t used;
  event_admin_report *report;
  host_error *error;
  event_backup_progress progress; /* NULL: nobody asks for it */
  void *context;
} conversation;

static ask_result fail(conversation *c, const char *what, const char *reason) {
  char holder[EVENT_LOCK_HOLDER_SIZE];
  event_lock_holder(c->path, holder);
  (void)host_error_set(c->error, HOST_FAILED, "%s that serves from %s %s%s%s",
                       *holder != '\0' ? holder : "the process", c->path, what,
                       *reason != '\0' ? ": " : "", reason);
  return FAILED;
}

static ask_result fail_silent(conversation *c) {
  char what[64];
  (void)snprintf(what, sizeof what, "did not respond for %lld s",
                 ((long long)c->silence_ms + 999) / 1000);
  return fail(c, what, "");
}

/* Without waiting: the queue of one that does not accept may be full. */
static int connect_to(const char *path, host_error *error) {
  event_admin_address address;
  if (!event_admin_address_open(&address, path, error)) {
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  bool ok = fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
            connect(fd, (const struct sockaddr *)&address.address, sizeof address.address) == 0;
  int reason = errno;
  event_admin_address_close(&address);
  if (ok) {
    return fd;
  }
  if (fd >= 0) {
    (void)close(fd);
  }
  bool is_absent = reason == ENOENT || reason == ECONNREFUSED || reason == EAGAIN;
  (void)host_error_set(error, is_absent ? HOST_UNREACHABLE : HOST_FAILED, "%s%s: %s", path,
                       EVENT_ADMIN_SOCKET_SUFFIX, strerror(reason));
  return -1;
}

/* The response says whether it arrived: one that rejects all may have closed already. */
static void send_line(const conversation *c, const char *line) {
  ssize_t sent = send(c->fd, line, strlen(line), MSG_NOSIGNAL);
  (void)sent;
}

typedef enum {
  LINE,
  END,
  SILENCE,
  TOO_LONG,
  STOPPED
} line_result;

static bool is_wanted(const conversation *c) {
  return c->progress == NULL || c->progress(c->context, &c->report->backup);
}

/* A line of its own, without its end, which stays until the next one. */
static line_result read_line(conversation *c, int64_t deadline) {
  for (;;) {
    char *end = memchr(c->line, '\n', c->used);
    if (end != NULL) {
      *end = '\0';
      return LINE;
    }
    if (c->used + 1 >= sizeof c->line) {
      return TOO_LONG;
    }
    int64_t left = deadline - clock_steady_ms();
    struct pollfd ready = {.fd = c->fd, .events = POLLIN};
    bool is_short = c->progress != NULL && left > PROGRESS_MS;
    int count = left <= 0 ? 0 : poll(&ready, 1, is_short ? PROGRESS_MS : (int)left);
    if (!is_wanted(c)) {
      return STOPPED;
    }
    if (count == 0 && is_short) {
      continue;
    }
    if (count == 0) {
      return SILENCE;
    }
    ssize_t size = recv(c->fd, c->line + c->used, sizeof c->line - 1 - c->used, 0);
    if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) {
      return END;
    }
    c->used += size > 0 ? (size_t)size : 0;
  }
}

static void drop_line(conversation *c) {
  size_t size = strlen(c->line) + 1;
  memmove(c->line, c->line + size, c->used - size);
  c->used -= size;
}

static ask_result read_end(conversation *c, const event_admin_response *response) {
  if (response->status == EVENT_ADMIN_STATUS_DONE) {
    return ASKED;
  }
  if (response->status == EVENT_ADMIN_STATUS_REJECTED) {
    return fail(c, "rejected the request", response->reason);
  }
  if (c->kind == EVENT_ADMIN_BACKUP) { /* it says itself what it could not do */
    (void)host_error_set(c->error, HOST_FAILED, "%s", response->reason);
  } else {
    (void)host_error_set(c->error, HOST_FAILED, "cannot write to %s: %s", c->path,
                         response->reason);
  }
  return FAILED;
}

static ask_result read_responses(conversation *c) {
  event_admin_response response;
  bool has_started = false;
  for (;;) {
    line_result result = read_line(c, clock_steady_ms() + c->silence_ms);
    if (result == END) {
      return has_started ? fail(c, "ended before the work was done", "") : NOBODY_LISTENS;
    }
    if (result == SILENCE) {
      return fail_silent(c);
    }
    if (result == STOPPED) {
      (void)host_error_set(c->error, HOST_STOPPED, "stopped");
      return FAILED;
    }
    event_admin_line kind =
        result == LINE ? event_admin_read_response(c->line, &response) : EVENT_ADMIN_LINE_MALFORMED;
    if (kind == EVENT_ADMIN_LINE_OTHER_VERSION) {
      return fail(c, "is of another version of palenca",
                  "run this command with the program that serves");
    }
    if (kind == EVENT_ADMIN_LINE_MALFORMED) {
      return fail(c, "responded with something else than expected", "");
    }
    *c->report = response.report;
    if (response.status != EVENT_ADMIN_STATUS_PROGRESS) {
      return read_end(c, &response);
    }
    has_started = true;
    drop_line(c);
  }
}

static ask_result ask(conversation *c, const char *line) {
  c->fd = connect_to(c->path, c->error);
  if (c->fd < 0) {
    return c->error->kind == HOST_UNREACHABLE ? NOBODY_LISTENS : FAILED;
  }
  c->used = 0;
  send_line(c, line);
  ask_result result = read_responses(c);
  (void)close(c->fd);
  return result;
}

/* ---- The one or the other ---- */

static bool report_holder(const char *path, host_error *error) {
  char holder[EVENT_LOCK_HOLDER_SIZE];
  event_lock_holder(path, holder);
  return host_error_set(
      error, HOST_FAILED,
      "%s has %s open for writing, and does not respond at %s%s: it may be starting, "
      "ending, of an earlier version, or another command",
      *holder != '\0' ? holder : "another process", path, path, EVENT_ADMIN_SOCKET_SUFFIX);
}

static const char *role_of(event_admin_kind kind) {
  static const char *const roles[] = {
      [EVENT_ADMIN_REPLAY] = "palenca events replay",
      [EVENT_ADMIN_REPLAY_DEAD] = "palenca events retry-dead",
      [EVENT_ADMIN_PURGE] = "palenca events purge",
      [EVENT_ADMIN_FORGET] = "palenca forget",
      [EVENT_ADMIN_OVERWRITE] = "palenca forget",
      [EVENT_ADMIN_BACKUP] = "palenca events backup",
      [EVENT_ADMIN_QUEUE] = "palenca reconcile",
      [EVENT_ADMIN_REPLAY_MATCHING] = "the admin page",
      [EVENT_ADMIN_PURGE_MATCHING] = "the admin page",
  };
  return roles[kind];
}

/* It depends on the lock: its holder is asked, and without one it is taken. Neither may be
 * possible for a short time, while a process that serves starts or ends. */
static bool run(conversation *c, const char *given_path, const event_admin_request *request,
                const char *line, int64_t connect_ms) {
  int64_t end = clock_steady_ms() + connect_ms;
  for (;;) {
    event_file file;
    if (event_file_open_alone(&file, given_path, role_of(request->kind), c->error)) {
      event_admin_request alone = *request;
      alone.is_alone = true;
      return work_on(&file, &alone, c->report, "write to", c->error);
    }
    if (c->error->kind != HOST_HELD) {
      return false;
    }
    ask_result result = ask(c, line);
    if (result != NOBODY_LISTENS) {
      return result == ASKED;
    }
    if (clock_steady_ms() >= end) {
      return report_holder(c->path, c->error);
    }
    wait_ms(TRY_AGAIN_MS);
  }
}

bool event_admin_run(const char *path, const event_admin_request *request,
                     const event_admin_timeouts *timeouts, event_admin_report *report,
                     host_error *error) {
  char line[EVENT_ADMIN_LINE_MAX];
  conversation *c = calloc(1, sizeof *c);
  char *absolute = realpath(path, NULL);
  bool ok = false;
  *report = (event_admin_report){.replay = EVENT_NOT_FOUND};
  if (absolute == NULL && errno != ENOMEM) {
    (void)host_error_set(error, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  } else if (c == NULL || absolute == NULL) {
    (void)host_error_set(error, HOST_FAILED, "out of memory");
  } else if (!event_admin_write_request(request, line)) {
    (void)host_error_set(error, HOST_FAILED, "what it names is too long");
  } else {
    *c = (conversation){.path = absolute,
                        .kind = request->kind,
                        .silence_ms = timeouts->silence_ms,
                        .report = report,
                        .error = error};
    ok = run(c, path, request, line, timeouts->connect_ms);
  }
  free(absolute);
  free(c);
  return ok;
}

bool event_admin_ask(const char *path, const event_admin_request *request,
                     const event_admin_timeouts *timeouts, event_backup_progress progress,
                     void *context, event_admin_report *report, host_error *error) {
  char line[EVENT_ADMIN_LINE_MAX];
  conversation *c = calloc(1, sizeof *c);
  *report = (event_admin_report){.replay = EVENT_NOT_FOUND};
  if (c == NULL) {
    return host_error_set(error, HOST_FAILED, "out of memory");
  }
  *c = (conversation){.path = path,
                      .kind = request->kind,
                      .silence_ms = timeouts->silence_ms,
                      .report = report,
                      .error = error,
                      .progress = progress,
                      .context = context};
  ask_result result = FAILED;
  if (!event_admin_write_request(request, line)) {
    (void)host_error_set(error, HOST_FAILED, "the name of a file is too long");
  } else {
    result = ask(c, line);
  }
  if (result == NOBODY_LISTENS) {
    (void)host_error_set(error, HOST_UNREACHABLE, "no process serves from %s", path);
  }
  free(c);
  return result == ASKED;
}

/* ---- For people ---- */

/* A process that starts may have a long log to read, and one whose disk is slow to sync. */
static const event_admin_timeouts default_timeouts = {.connect_ms = 5000, .silence_ms = 10000};

bool event_store_replay(const char *path, int64_t id, event_replay_result *result,
                        host_error *error) {
  if (postgres_is_url(path)) {
    return server_events_replay(path, id, result, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_REPLAY, .id = id};
  event_admin_report report;
  bool ok = event_admin_run(path, &request, &default_timeouts, &report, error);
  *result = report.replay;
  return ok;
}

bool event_store_replay_dead(const char *path, const event_filter *filter, int64_t *count,
                             host_error *error) {
  if (postgres_is_url(path)) {
    return server_events_replay_dead(path, filter, count, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_REPLAY_DEAD,
                                       .action = filter->action,
                                       .account_id = filter->account_id,
                                       .since = filter->since};
  event_admin_report report;
  bool ok = event_admin_run(path, &request, &default_timeouts, &report, error);
  *count = report.purge.events;
  return ok;
}

/* Reports what a purge would do, read-only. */
static bool try_purge(const char *path, const event_admin_request *request,
                      event_admin_report *report, host_error *error) {
  event_file file;
  *report = (event_admin_report){.replay = EVENT_NOT_FOUND};
  return event_file_open_to_read(&file, path, error) &&
         work_on(&file, request, report, "read", error);
}

bool event_store_purge(const char *path, const event_purge *what, event_purge_report *purge,
                       host_error *error) {
  if (postgres_is_url(path)) {
    return server_events_purge(path, what, purge, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_PURGE, .purge = *what};
  event_admin_report report;
  bool ok = what->dry_run ? try_purge(path, &request, &report, error)
                          : event_admin_run(path, &request, &default_timeouts, &report, error);
  *purge = report.purge;
  return ok;
}

bool event_store_replay_matching(const char *path, const event_filter *filter,
                                 event_admin_stop stop, int64_t *replayed, int64_t *left_out,
                                 host_error *error) {
  if (postgres_is_url(path)) {
    return server_events_replay_matching(path, filter, stop, replayed, left_out, error);
  }
  const event_admin_request request = {
      .kind = EVENT_ADMIN_REPLAY_MATCHING, .filter = *filter, .stop = stop};
  event_admin_report report;
  bool ok = event_admin_run(path, &request, &default_timeouts, &report, error);
  *replayed = report.purge.events;
  *left_out = report.purge.kept;
  return ok;
}

bool event_store_purge_matching(const char *path, const event_filter *filter, bool dry_run,
                                event_admin_stop stop, event_purge_report *purge,
                                host_error *error) {
  if (postgres_is_url(path)) {
    return server_events_purge_matching(path, filter, dry_run, stop, purge, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_PURGE_MATCHING,
                                       .filter = *filter,
                                       .purge = {.dry_run = dry_run},
                                       .stop = stop};
  event_admin_report report;
  bool ok = dry_run ? try_purge(path, &request, &report, error)
                    : event_admin_run(path, &request, &default_timeouts, &report, error);
  *purge = report.purge;
  return ok;
}

bool event_store_forget(const char *path, const event_forget *what, event_forget_report *forgotten,
                        host_error *error) {
  if (postgres_is_url(path)) {
    return server_forget_remove(path, what, forgotten, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_FORGET, .forget = *what};
  event_admin_report report;
  bool ok = event_admin_run(path, &request, &default_timeouts, &report, error);
  *forgotten = report.forget;
  return ok;
}

bool event_store_forget_ids(const char *path, const char *account_id, const char *user_id,
                            host_error *error) {
  if (postgres_is_url(path)) {
    return server_forget_ids(path, account_id, user_id, error);
  }
  const event_admin_request request = {
      .kind = EVENT_ADMIN_FORGET, .account_id = account_id, .user_id = user_id};
  event_admin_report report;
  return event_admin_run(path, &request, &default_timeouts, &report, error);
}

bool event_store_overwrite(const char *path, host_error *error) {
  const event_admin_request request = {.kind = EVENT_ADMIN_OVERWRITE};
  event_admin_report report;
  return event_admin_run(path, &request, &default_timeouts, &report, error);
}

bool event_store_queue(const char *path, const event_queue_request *what, bool *is_queued,
                       host_error *error) {
  if (postgres_is_url(path)) {
    return server_queue_put(path, what, is_queued, error);
  }
  const event_admin_request request = {.kind = EVENT_ADMIN_QUEUE, .queue = *what};
  event_admin_report report;
  bool ok = event_admin_run(path, &request, &default_timeouts, &report, error);
  *is_queued = report.purge.events > 0;
  return ok;
}
