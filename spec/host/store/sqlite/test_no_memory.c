/* Tests of what is said when memory is short. */
#include "host/store/store_fixture.h"
#include "store/sqlite/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
  BODY_SIZE = 12345 /* of nothing else */
};

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size) {
  return size == sizeof(event_grant) + BODY_SIZE + 1 ? NULL : __real_malloc(size);
}

/* Not that of the failure before: a disk that was full once is not full for ever. */
STORE_TEST(test_a_lease_without_memory_has_a_failure_of_its_own) {
  char body[BODY_SIZE + 1];
  memset(body, ' ', BODY_SIZE);
  body[0] = '{', body[BODY_SIZE - 1] = '}', body[BODY_SIZE] = '\0';
  event_record record = record_of("a", body);
  bool is_duplicate, is_locked;
  assert_true(put_and_get_id(f, &record, &is_duplicate) > 0);
  close_store(f);
  host_error error;
  event_grant *grants = NULL;
  event_sql *sql = event_sql_open(f->path, &error);
  assert_non_null(sql);
  assert_true(event_sql_learn_order(sql, 1000));
  assert_true(event_sql_begin(sql, &is_locked));
  sql->failure = EVENT_FAILURE_FULL;
  assert_false(event_sql_lease(sql, now_ms(), 1, false, &grants));
  assert_string_equal(event_sql_reason(sql), "out of memory");
  assert_int_equal(event_sql_failure(sql), EVENT_FAILURE_OTHER);
  event_sql_rollback(sql);
  event_sql_close(sql);
}
