/* Tests of the log of rejections: the first few of each cause are logged, then how many more. */
#include "support/unit_test.h"
#include "webhook/rejection_log.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  int lines, summaries;
  uint64_t counted;
  char last[256];
} logged_lines;

static void write_record(void *context, const rejection *r) {
  logged_lines *t = context;
  char client[NET_ADDRESS_TEXT] = "-";
  t->lines++;
  t->summaries += r->client == NULL;
  t->counted += r->count;
  if (r->client != NULL) {
    net_address_text(r->client, client);
  }
  snprintf(t->last, sizeof t->last, "%d %s %s %llu", r->status, r->cause, client,
           (unsigned long long)r->count);
}

static const net_address client = {.kind = NET_IPV4, .bytes = {192, 0, 2, 1}};

UNIT_TEST(logs_the_first_few) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  rejection_log_record(log, 0, 401, "not signed", &client, false);
  assert_string_equal(t.last, "401 not signed 192.0.2.1 1");
  assert_int_equal(rejection_log_timeout(log, 0), -1);
  for (int i = 0; i < 1000000; i++) {
    rejection_log_record(log, 5, 401, "not signed", &client, false);
  }
  assert_int_equal(t.lines, 5);
  assert_int_equal(rejection_log_timeout(log, 4000), 6000);
  rejection_log_run(log, 9999);
  assert_int_equal(t.lines, 5);
  assert_int_equal(rejection_log_timeout(log, 20000), 0);
  rejection_log_run(log, 10000);
  assert_string_equal(t.last, "401 not signed - 999996");
  assert_int_equal(rejection_log_timeout(log, 10000), -1);
  rejection_log_run(log, 30000);
  assert_int_equal(t.lines, 6);
  rejection_log_free(log);
}

UNIT_TEST(begins_anew_after_its_time) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  for (int64_t now = 0; now < 1000000; now += 100) {
    rejection_log_record(log, now, 404, "another path", &client, false);
  }
  /* five and a summary of the rest every ten seconds */
  assert_int_equal(t.lines, 100 * 5 + 99);
  assert_int_equal(t.summaries, 99);
  rejection_log_run(log, INT64_MAX / 2);
  assert_int_equal(t.counted, 10000);
  rejection_log_free(log);
}

UNIT_TEST(keeps_causes_apart) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  for (int i = 0; i < 5; i++) {
    rejection_log_record(log, 1, 401, "one", &client, false);
    rejection_log_record(log, 1, 401, "two", &client, false);
    rejection_log_record(log, 1, 403, "one", &client, false);
  }
  assert_int_equal(t.lines, 15);
  rejection_log_free(log);
}

UNIT_TEST(is_bounded_whatever_comes) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  char cause[300];
  for (int i = 0; i < 1000; i++) {
    snprintf(cause, sizeof cause, "%0250d", i);
    memmove(cause, cause + 240, 11); /* so that they differ in what is kept of them */
    for (int n = 0; n < 10; n++) {
      rejection_log_record(log, 1, 400, cause, &client, false);
    }
  }
  assert_true(t.lines <= 48 * 5);
  rejection_log_run(log, 20000);
  assert_int_equal(t.counted, 10000);
  rejection_log_free(log);
}

UNIT_TEST(logs_new_causes_after_many_others) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  char cause[16];
  for (int i = 0; i < 60; i++) {
    snprintf(cause, sizeof cause, "cause %d", i);
    rejection_log_record(log, 0, 400, cause, &client, false);
  }
  rejection_log_run(log, 10000);
  rejection_log_record(log, 10001, 408, "another", &client, false);
  assert_string_equal(t.last, "408 another 192.0.2.1 1");
  rejection_log_free(log);
}

UNIT_TEST(counts_a_long_cause_as_one) {
  logged_lines t = {0};
  rejection_log *log = rejection_log_new(write_record, &t);
  char cause[150] = "";
  memset(cause, 'x', sizeof cause - 1);
  for (int i = 0; i < 10; i++) {
    rejection_log_record(log, 0, 400, cause, &client, false);
  }
  assert_int_equal(t.lines, 5);
  rejection_log_free(log);
}
