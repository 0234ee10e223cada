/* What stands before and behind a line of the log, by who reads standard error. */
#ifndef PALENCA_HOST_COMMON_LOG_FORM_H
#define PALENCA_HOST_COMMON_LOG_FORM_H

#include <stdbool.h>

typedef enum {
  LOG_PLAIN,
  LOG_DATES,   /* for a person */
  LOG_COLORS,  /* likewise, on a terminal that has them */
  LOG_JOURNAL, /* of systemd: a priority, which it takes off */
} log_form;

typedef enum {
  LOG_RANK_INFO,
  LOG_RANK_WARNING,
  LOG_RANK_ERROR
} log_rank;

/* What is none counts as "info". */
log_rank log_rank_of(const char *level);

/* LOG_JOURNAL if that is where standard error goes. `dates`: otherwise with dates. */
log_form log_form_of_stderr(bool dates);

typedef struct {
  char before[64], after[16];
} log_affix;

/* False: there is nothing. */
bool log_form_affixes(log_form form, const char *level, log_affix *out);

#endif
