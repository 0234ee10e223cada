/* Tests of the lines by which a command asks the process that serves. */
#include "store/admin/protocol.h"
#include "support/unit_test.h"

#include <stdio.h>
#include <string.h>

static void cut(char *line) {
  size_t size = strlen(line);
  assert_true(size > 0 && size < EVENT_ADMIN_LINE_MAX);
  assert_int_equal(line[size - 1], '\n');
  assert_ptr_equal(strchr(line, '\n'), line + size - 1);
  line[size - 1] = '\0';
}

static event_admin_request_line there_and_back(const event_admin_request *request,
                                               event_admin_request_line *read) {
  char line[EVENT_ADMIN_LINE_MAX];
  assert_true(event_admin_write_request(request, line));
  cut(line);
  assert_int_equal(event_admin_read_request(line, read), EVENT_ADMIN_LINE_OK);
  assert_int_equal(read->request.kind, request->kind);
  return *read;
}

UNIT_TEST(test_requests_are_read_as_they_were_written) {
  event_admin_request_line read;
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_REPLAY, .id = 17958756650002},
                       &read);
  assert_int_equal(read.request.id, 17958756650002);
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_REPLAY_DEAD, .since = -1}, &read);
  assert_int_equal(read.request.since, -1);
  assert_null(read.request.action);
  assert_null(read.request.account_id);
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_REPLAY_DEAD,
                                              .action = "log in=%25\n\x01\xff+á",
                                              .account_id = "",
                                              .since = INT64_MAX},
                       &read);
  assert_string_equal(read.request.action, "log in=%25\n\x01\xff+á");
  assert_string_equal(read.request.account_id, "");
  assert_int_equal(read.request.since, INT64_MAX);
  (void)there_and_back(
      &(event_admin_request){.kind = EVENT_ADMIN_PURGE,
                             .purge = {.state = EVENT_DEAD, .finished_before = 1772323200000}},
      &read);
  assert_int_equal(read.request.purge.state, EVENT_DEAD);
  assert_int_equal(read.request.purge.finished_before, 1772323200000);
  assert_false(read.request.purge.dry_run);
}

UNIT_TEST(test_whose_login_it_is_is_read_as_it_was_written) {
  event_admin_request_line read;
  event_admin_request request = {.kind = EVENT_ADMIN_QUEUE,
                                 .queue = {.account_id = "an account",
                                           .user_id = "a user",
                                           .body = "{\"data\": {}}",
                                           .began = 1772323200000,
                                           .after = 17958756650002}};
  const event_queue_request *queue = &read.request.queue;
  (void)there_and_back(&request, &read);
  assert_string_equal(queue->account_id, "an account");
  assert_string_equal(queue->user_id, "a user");
  assert_string_equal(queue->body, "{\"data\": {}}");
  assert_int_equal(queue->began, 1772323200000);
  assert_int_equal(queue->after, 17958756650002);
  request.queue.user_id = NULL;
  assert_null(there_and_back(&request, &read).request.queue.user_id);
  request = (event_admin_request){.kind = EVENT_ADMIN_FORGET, .account_id = "an account"};
  assert_string_equal(there_and_back(&request, &read).request.account_id, "an account");
  assert_null(read.request.user_id);
  request = (event_admin_request){.kind = EVENT_ADMIN_FORGET, .user_id = "a user"};
  assert_string_equal(there_and_back(&request, &read).request.user_id, "a user");
  assert_int_equal(event_admin_read_request("palenca-admin 3 forget", &read),
                   EVENT_ADMIN_LINE_MALFORMED);
}

UNIT_TEST(test_a_backup_and_its_progress_are_read_as_they_were_written) {
  event_admin_request_line read;
  const char *file = "/a folder/b=1.db.partial";
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_BACKUP, .file = file}, &read);
  assert_string_equal(read.request.file, file);
  assert_int_equal(event_admin_read_request("palenca-admin 3 backup", &read),
                   EVENT_ADMIN_LINE_MALFORMED);
  char line[EVENT_ADMIN_LINE_MAX];
  event_admin_response response, written = {.report.backup = {.pages = 1000, .copied = 999}};
  event_admin_write_response(&written, line);
  cut(line);
  assert_int_equal(event_admin_read_response(line, &response), EVENT_ADMIN_LINE_OK);
  assert_memory_equal(&response.report.backup, &written.report.backup,
                      sizeof response.report.backup);
  (void)strcpy(strstr(line, "copied="), "copied=x");
  assert_int_equal(event_admin_read_response(line, &response), EVENT_ADMIN_LINE_MALFORMED);
}

UNIT_TEST(test_filters_are_read_as_they_were_written) {
  event_admin_request_line read;
  const event_filter filter = {.state = "retry",
                               .action = "login.*",
                               .account_id = "a b",
                               .platform = "uber",
                               .error = "50% of\n",
                               .since = 1,
                               .until = INT64_MAX};
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_PURGE_MATCHING, .filter = filter},
                       &read);
  const event_filter *got = &read.request.filter;
  assert_string_equal(got->state, "retry");
  assert_string_equal(got->action, "login.*");
  assert_string_equal(got->account_id, "a b");
  assert_string_equal(got->platform, "uber");
  assert_string_equal(got->error, "50% of\n");
  assert_int_equal(got->since, 1);
  assert_int_equal(got->until, INT64_MAX);
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_REPLAY_MATCHING}, &read);
  assert_null(got->state);
  assert_null(got->error);
  assert_int_equal(
      event_admin_read_request("palenca-admin 3 purge-matching since=0 until=0 state=x", &read),
      EVENT_ADMIN_LINE_MALFORMED);
  assert_int_equal(event_admin_read_request("palenca-admin 3 replay-matching since=0", &read),
                   EVENT_ADMIN_LINE_MALFORMED);
}

UNIT_TEST(test_lists_are_read_as_they_were_written) {
  event_admin_request_line read;
  event_admin_request request = {.kind = EVENT_ADMIN_FORGET,
                                 .forget = {.ids = {17958756650002}, .id_count = 1}};
  (void)there_and_back(&request, &read);
  assert_memory_equal(&read.request.forget, &request.forget, sizeof request.forget);
  for (size_t i = 0; i < EVENT_FORGET_MAX; i++) {
    request.forget.ids[i] = INT64_MAX - (int64_t)i;
    request.forget.numbers[i] = INT64_MAX / 2 - (int64_t)i;
  }
  request.forget.id_count = request.forget.number_count = EVENT_FORGET_MAX;
  (void)there_and_back(&request, &read);
  assert_memory_equal(&read.request.forget, &request.forget, sizeof request.forget);
  request.forget.id_count = 0;
  (void)there_and_back(&request, &read);
  assert_int_equal(read.request.forget.id_count, 0);
  assert_memory_equal(read.request.forget.numbers, request.forget.numbers,
                      sizeof request.forget.numbers);
  (void)there_and_back(&(event_admin_request){.kind = EVENT_ADMIN_OVERWRITE}, &read);
}

UNIT_TEST(test_a_list_that_is_too_long_is_rejected) {
  char line[EVENT_ADMIN_LINE_MAX] = "palenca-admin 3 forget events=1";
  event_admin_request_line read;
  for (int i = 1; i < EVENT_FORGET_MAX; i++) {
    (void)strcat(line, ",1");
  }
  assert_int_equal(event_admin_read_request(line, &read), EVENT_ADMIN_LINE_OK);
  assert_int_equal(read.request.forget.id_count, EVENT_FORGET_MAX);
  (void)strcat(line, ",1");
  assert_int_equal(event_admin_read_request(line, &read), EVENT_ADMIN_LINE_MALFORMED);
}

UNIT_TEST(test_texts_that_are_too_long_are_not_written) {
  char text[EVENT_ADMIN_TEXT_MAX + 1], line[EVENT_ADMIN_LINE_MAX];
  memset(text, 'a', sizeof text);
  text[EVENT_ADMIN_TEXT_MAX] = '\0';
  event_admin_request request = {.kind = EVENT_ADMIN_REPLAY_DEAD, .action = text};
  assert_false(event_admin_write_request(&request, line));
  text[EVENT_ADMIN_TEXT_MAX - 1] = '\0';
  assert_true(event_admin_write_request(&request, line));
  memset(text, '\xff', EVENT_ADMIN_TEXT_MAX - 1);
  request.account_id = text;
  assert_false(event_admin_write_request(&request, line));
}

UNIT_TEST(test_other_requests_are_rejected) {
  static const char *const malformed[] = {
      "",
      " ",
      "palenca-admin",
      "palenca-admin ",
      "palenca-admin 3",
      "palenca-admin 3 ",
      "palenca-admin 3 replay",
      "palenca-admin 3 replay id=",
      "palenca-admin 3 replay id= 1",
      "palenca-admin 3 replay id=1x",
      "palenca-admin 3 replay id=99999999999999999999",
      "palenca-admin 3 replay xid=1",
      "palenca-admin 3 replays id=1",
      "palenca-admin 3 retry-dead since=0 action=%",
      "palenca-admin 3 retry-dead since=0 action=%4",
      "palenca-admin 3 retry-dead since=0 action=%00",
      "palenca-admin 3 retry-dead since=0 action=%zz",
      "palenca-admin 3 retry-dead action=a",
      "palenca-admin 3 purge before=1",
      "palenca-admin 3 purge state=received before=1",
      "palenca-admin 3 purge state=done",
      "palenca-admin 3 forget",
      "palenca-admin 3 forget events=",
      "palenca-admin 3 forget events=1,",
      "palenca-admin 3 forget events=,1",
      "palenca-admin 3 forget events=1,-2",
      "palenca-admin 3 forget events=1,99999999999999999999",
      "palenca-admin 3 forget decisions=1;2",
      "palenca-admin -1 replay id=1",
      "palenca-admin 3x replay id=1",
      "GET / HTTP/1.1",
  };
  event_admin_request_line read;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    if (event_admin_read_request(malformed[i], &read) != EVENT_ADMIN_LINE_MALFORMED) {
      fail_msg("taken: %s", malformed[i]);
    }
  }
  assert_int_equal(event_admin_read_request("palenca-admin 1 replay id=1", &read),
                   EVENT_ADMIN_LINE_OTHER_VERSION);
  assert_int_equal(event_admin_read_request("palenca-admin 1 forget everything", &read),
                   EVENT_ADMIN_LINE_OTHER_VERSION);
}

UNIT_TEST(test_responses_are_read_as_they_were_written) {
  char line[EVENT_ADMIN_LINE_MAX];
  event_admin_response read,
      written = {.status = EVENT_ADMIN_STATUS_FAILED,
                 .report = {.replay = EVENT_UNFINISHED,
                            .purge = {.events = 1, .kept = 2, .bytes = 3, .file_size = INT64_MAX},
                            .forget = {.events = 4, .attempts = 5, .decisions = 6, .running = 7}},
                 .reason = "database or disk is full (No space left on device)"};
  event_admin_write_response(&written, line);
  cut(line);
  assert_int_equal(event_admin_read_response(line, &read), EVENT_ADMIN_LINE_OK);
  assert_int_equal(read.status, written.status);
  assert_memory_equal(&read.report, &written.report, sizeof read.report);
  assert_string_equal(read.reason, written.reason);
  written.status = EVENT_ADMIN_STATUS_DONE;
  event_admin_write_response(&written, line);
  cut(line);
  assert_int_equal(event_admin_read_response(line, &read), EVENT_ADMIN_LINE_OK);
  assert_int_equal(read.status, EVENT_ADMIN_STATUS_DONE);
  assert_string_equal(read.reason, "");
  written.status = EVENT_ADMIN_STATUS_REJECTED;
  memset(written.reason, '\x80', sizeof written.reason - 1);
  event_admin_write_response(&written, line);
  cut(line);
  assert_int_equal(event_admin_read_response(line, &read), EVENT_ADMIN_LINE_OK);
  assert_int_equal(read.status, EVENT_ADMIN_STATUS_REJECTED);
}

UNIT_TEST(test_other_responses_are_rejected) {
  event_admin_response read;
  assert_int_equal(event_admin_read_response("palenca-admin 2 whatever", &read),
                   EVENT_ADMIN_LINE_OTHER_VERSION);
  assert_int_equal(read.version, 2);
  static const char *const malformed[] = {
      "",
      "HTTP/1.1 400 Bad Request",
      "palenca-admin 3 done",
      "palenca-admin 3 over events=1",
      "palenca-admin 3 done replay=replayed events=1 kept=0 bytes=0 file_size=x",
  };
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    assert_int_equal(event_admin_read_response(malformed[i], &read), EVENT_ADMIN_LINE_MALFORMED);
  }
}
