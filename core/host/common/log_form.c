/* Makes what stands before and behind a line of the log. */
#include "log_form.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

log_rank log_rank_of(const char *level) {
  return strcmp(level, "error") == 0     ? LOG_RANK_ERROR
         : strcmp(level, "warning") == 0 ? LOG_RANK_WARNING
                                         : LOG_RANK_INFO;
}

/* The variable names the journal's socket. It is there as well for what a service has started with
 * another standard error. */
static bool is_journal(void) {
  const char *text = getenv("JOURNAL_STREAM");
  char own[48];
  struct stat status;
  if (text == NULL || fstat(STDERR_FILENO, &status) != 0) {
    return false;
  }
  (void)snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
                 (unsigned long long)status.st_ino);
  return strcmp(text, own) == 0;
}

static bool has_colors(void) {
  const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
  return isatty(STDERR_FILENO) && (none == NULL || none[0] == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

log_form log_form_of_stderr(bool dates) {
  if (is_journal()) {
    return LOG_JOURNAL;
  }
  return !dates ? LOG_PLAIN : has_colors() ? LOG_COLORS : LOG_DATES;
}

static void write_date(char out[32]) {
  struct tm parts = {0};
  time_t now = (time_t)(clock_unix_ms() / 1000);
  (void)strftime(out, 32, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &parts));
}

bool log_form_affixes(log_form form, const char *level, log_affix *out) {
  static const char *const priorities[] = {"<6>", "<4>", "<3>"};
  static const char *const colors[] = {"", "\x1b[33m", "\x1b[31m"}; /* yellow, red */
  log_rank rank = log_rank_of(level);
  char date[32];
  out->before[0] = out->after[0] = '\0';
  if (form == LOG_JOURNAL) {
    (void)strcpy(out->before, priorities[rank]);
  } else if (form != LOG_PLAIN) {
    write_date(date);
    (void)snprintf(out->before, sizeof out->before,
                   form == LOG_DATES ? "%s  " : "\x1b[2m%s\x1b[0m  %s", date, colors[rank]);
    (void)strcpy(out->after, form == LOG_COLORS && rank > LOG_RANK_INFO ? "\x1b[0m" : "");
  }
  return form != LOG_PLAIN;
}
