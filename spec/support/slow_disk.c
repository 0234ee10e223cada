/* A disk whose syncs take their time: preloaded into a program, it lets each of them take as many
 * milliseconds more as stand in the file SLOW_DISK_SWITCH, if there is such a file. In another
 * file, of the same name with ".began" after it, a byte is added when one begins. The removal of a
 * socket hangs while there is a file of the same name with ".unlink" after it. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const char *switch_path;
static char began_path[4096], unlink_path[4096];

__attribute__((constructor)) static void begin(void) {
  switch_path = getenv("SLOW_DISK_SWITCH");
  if (switch_path != NULL) {
    snprintf(began_path, sizeof began_path, "%s.began", switch_path);
    snprintf(unlink_path, sizeof unlink_path, "%s.unlink", switch_path);
  }
  unsetenv("LD_PRELOAD"); /* what the program starts is another program */
}

static void wait_a_while(void) {
  char text[16] = "";
  int fd = switch_path != NULL ? open(switch_path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) {
    return;
  }
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  long ms = size > 0 ? strtol(text, NULL, 10) : 0;
  fd = open(began_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ssize_t written = write(fd, "x", 1);
    (void)written;
    close(fd);
  }
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

EXPORT int unlink(const char *path) {
  static const char suffix[] = "-socket";
  size_t size = strlen(path);
  bool is_socket = size >= sizeof suffix && strcmp(path + size - (sizeof suffix - 1), suffix) == 0;
  while (is_socket && unlink_path[0] != '\0' && access(unlink_path, F_OK) == 0) {
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

EXPORT int fsync(int fd) {
  wait_a_while();
  return (int)syscall(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd) {
  wait_a_while();
  return (int)syscall(SYS_fdatasync, fd);
}
