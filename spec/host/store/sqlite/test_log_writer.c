/* Tests of what reaches the log, and when: one piece for what is written for a commit, and in the
 * order in which it was written. */
#include "store/sqlite/log_writer.h"
#include "support/unit_test.h"

#include <stdio.h>
#include <string.h>

/* A file that notes what is done to it. */
typedef struct {
  sqlite3_file file; /* first */
  char calls[512];
  int fails; /* the code of each write */
} noted_file;

static void note(sqlite3_file *file, const char *format, ...) {
  noted_file *noted = (noted_file *)file;
  size_t used = strlen(noted->calls);
  va_list values;
  va_start(values, format);
  (void)vsnprintf(noted->calls + used, sizeof noted->calls - used, format, values);
  va_end(values);
}

static int note_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
  note(file, "write %d at %d: %.*s; ", size, (int)offset, size < 4 ? size : 4, (const char *)bytes);
  return ((noted_file *)file)->fails;
}

static int note_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
  memset(bytes, 0, (size_t)size);
  note(file, "read %d at %d; ", size, (int)offset);
  return SQLITE_OK;
}

static int note_sync(sqlite3_file *file, int flags) {
  (void)flags;
  note(file, "sync; ");
  return SQLITE_OK;
}

static int note_truncate(sqlite3_file *file, sqlite3_int64 size) {
  note(file, "truncate %d; ", (int)size);
  return SQLITE_OK;
}

static int note_size(sqlite3_file *file, sqlite3_int64 *size) {
  *size = 0;
  note(file, "size; ");
  return SQLITE_OK;
}

static int note_close(sqlite3_file *file) {
  note(file, "close; ");
  return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xWrite = note_write,
    .xRead = note_read,
    .xSync = note_sync,
    .xTruncate = note_truncate,
    .xFileSize = note_size,
    .xClose = note_close,
};

static noted_file noted;
static sqlite3_file *const log_file = &noted.file;
static log_writer *writer;

static int set_up(void **state) {
  (void)state;
  noted = (noted_file){.file.pMethods = &methods};
  writer = log_writer_attach(log_file);
  return writer != NULL ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  log_writer_free(writer);
  return 0;
}

#define LOG_TEST(name) FIXTURE_TEST(name, void *nothing, set_up, tear_down)

static void put(const char *text, int offset) {
  assert_int_equal(log_file->pMethods->xWrite(log_file, text, (int)strlen(text), offset),
                   SQLITE_OK);
}

static int sync_now(void) {
  return log_file->pMethods->xSync(log_file, SQLITE_SYNC_NORMAL);
}

LOG_TEST(test_what_follows_is_written_in_one_piece) {
  put("head", 100);
  put("page", 104);
  put("next", 108);
  assert_string_equal(noted.calls, "");
  assert_int_equal(sync_now(), SQLITE_OK);
  assert_string_equal(noted.calls, "write 12 at 100: head; sync; ");
}

static void put_header(const char *commit_size, int offset) {
  char header[24] = "head";
  memcpy(header + 4, commit_size, 4);
  assert_int_equal(log_file->pMethods->xWrite(log_file, header, sizeof header, offset), SQLITE_OK);
}

/* Others read the log from then on, and a sync need not follow. */
LOG_TEST(test_the_last_page_of_a_commit_is_written_at_once) {
  put_header("\0\0\0\0", 0);
  put("page", 24);
  put_header("\0\0\0\7", 28);
  assert_string_equal(noted.calls, "");
  put("last", 52);
  assert_string_equal(noted.calls, "write 56 at 0: head; ");
  put_header("\0\0\0\0", 56);
  put("page", 80);
  assert_string_equal(noted.calls, "write 56 at 0: head; ");
}

LOG_TEST(test_what_does_not_follow_is_written_after_what_was_before) {
  put("this", 100);
  put("that", 50);
  put("more", 50);
  assert_int_equal(sync_now(), SQLITE_OK);
  assert_string_equal(noted.calls,
                      "write 4 at 100: this; write 4 at 50: that; write 4 at 50: more; sync; ");
}

LOG_TEST(test_pieces_are_bounded) {
  static char page[LOG_WRITER_SIZE + 1];
  memset(page, 'p', sizeof page - 1);
  put("head", 0);
  put(page, 4);
  put("tail", 4 + LOG_WRITER_SIZE);
  assert_int_equal(sync_now(), SQLITE_OK);
  assert_string_equal(noted.calls,
                      "write 4 at 0: head; write 65536 at 4: pppp; write 4 at 65540: tail; sync; ");
}

LOG_TEST(test_a_larger_write_passes_in_its_order) {
  static char large[LOG_WRITER_SIZE + 2];
  memset(large, 'l', sizeof large - 1);
  put("head", 0);
  put(large, 4);
  assert_string_equal(noted.calls, "write 4 at 0: head; write 65537 at 4: llll; ");
}

LOG_TEST(test_all_else_sees_what_was_written) {
  char bytes[4];
  sqlite3_int64 size;
  put("a", 0);
  (void)log_file->pMethods->xRead(log_file, bytes, 4, 0);
  put("b", 0);
  (void)log_file->pMethods->xFileSize(log_file, &size);
  put("c", 0);
  (void)log_file->pMethods->xTruncate(log_file, 1);
  put("d", 0);
  (void)log_file->pMethods->xClose(log_file);
  assert_string_equal(noted.calls, "write 1 at 0: a; read 4 at 0; write 1 at 0: b; size; "
                                   "write 1 at 0: c; truncate 1; write 1 at 0: d; close; ");
}

LOG_TEST(test_what_cannot_be_written_fails_the_sync_and_is_discarded) {
  noted.fails = SQLITE_FULL;
  put("this", 0);
  assert_int_equal(sync_now(), SQLITE_FULL);
  assert_string_equal(noted.calls, "write 4 at 0: this; ");
  noted.fails = SQLITE_OK;
  put("that", 0);
  assert_int_equal(sync_now(), SQLITE_OK);
  assert_string_equal(noted.calls, "write 4 at 0: this; write 4 at 0: that; sync; ");
}
