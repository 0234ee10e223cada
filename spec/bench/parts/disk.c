/* How often a second a file's change can be made durable: disk sync|commit FILE SECONDS, by a
 * write of 4 KiB and fdatasync, or by SQLite, with a commit for each event. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  BLOCK = 4096,
  BLOCKS = 1024,
  BODY = 420
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Over a file of its final size again and again, as a write-ahead log is written. */
static long sync_for(const char *path, double seconds) {
  static char block[BLOCK] = "event";
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (int i = 0; fd >= 0 && i < BLOCKS; i++) {
    if (pwrite(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK) {
      return -1;
    }
  }
  if (fd < 0 || fsync(fd) != 0) {
    return -1;
  }
  long count = 0;
  for (double end = now() + seconds; now() < end; count++) {
    block[0] = (char)count;
    if (pwrite(fd, block, BLOCK, (off_t)(count % BLOCKS) * BLOCK) != BLOCK || fdatasync(fd) != 0) {
      return -1;
    }
  }
  close(fd);
  return count;
}

static long commit_for(const char *path, double seconds) {
  static char body[BODY];
  memset(body, 'x', sizeof body);
  sqlite3 *db = NULL;
  sqlite3_stmt *insert = NULL;
  if (sqlite3_open(path, &db) != SQLITE_OK ||
      sqlite3_exec(db,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "CREATE TABLE events (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
                   NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_prepare_v2(db, "INSERT INTO events(body) VALUES (?)", -1, &insert, NULL) !=
          SQLITE_OK) {
    return -1;
  }
  long count = 0;
  for (double end = now() + seconds; now() < end; count++) {
    if (sqlite3_bind_blob(insert, 1, body, sizeof body, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK) {
      return -1;
    }
  }
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fputs("usage: disk sync|commit FILE SECONDS\n", stderr);
    return 2;
  }
  double seconds = strtod(argv[3], NULL);
  bool is_sync = strcmp(argv[1], "sync") == 0;
  long count = is_sync ? sync_for(argv[2], seconds) : commit_for(argv[2], seconds);
  if (count < 0) {
    perror(argv[2]);
    return 1;
  }
  printf("%.1f\n", (double)count / seconds);
  return 0;
}
