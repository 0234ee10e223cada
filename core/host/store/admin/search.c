/* Looks for texts in the bytes of a database and of the files beside it. */
#include "server_forget.h"
#include "text_search.h"

#include "store/postgres/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  text_search *texts;
  event_search_found each;
  void *context;
  const char *name; /* of the file that is read */
  event_search_report *report;
  host_error *error;
} search;

static bool on_found(void *context, int64_t offset, size_t which) {
  search *s = context;
  s->report->found++;
  s->each(s->context, s->name, offset, which);
  return s->report->found < EVENT_SEARCH_FOUND_MAX;
}

/* 0, or the reason. */
static int search_open(search *s, const char *name, int file) {
  ssize_t size = 1;
  bool is_continued = s->report->found < EVENT_SEARCH_FOUND_MAX;
  s->name = name;
  text_search_begin(s->texts);
  while (is_continued && size > 0) {
    size = read(file, text_search_room(s->texts), TEXT_SEARCH_PIECE);
    if (size < 0) {
      return errno;
    }
    is_continued = size > 0 ? text_search_add(s->texts, (size_t)size) : text_search_end(s->texts);
    s->report->bytes += size;
  }
  return 0;
}

/* One that was removed meanwhile, as a log is, is none. */
static bool search_file(search *s, int directory, const char *name) {
  struct stat status;
  int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  int code = file >= 0 && fstat(file, &status) == 0 ? 0 : errno;
  bool is_file = code == 0 && S_ISREG(status.st_mode);
  if (is_file) {
    code = search_open(s, name, file);
    code = code == 0 && fdatasync(file) != 0 ? errno : code; /* as it was read, after a power cut */
    s->report->files++;
  }
  if (file >= 0) {
    (void)close(file);
  }
  return code == 0 || code == ENOENT || code == ENXIO || code == ELOOP ||
         host_error_set(s->error, HOST_FAILED, "cannot read %s: %s", name, strerror(code));
}

static bool search_directory(search *s, const char *path, host_error *error) {
  char folder[PATH_MAX];
  const char *base = strrchr(path, '/') + 1;
  size_t size = (size_t)(base - path);
  memcpy(folder, path, size);
  folder[size] = '\0';
  DIR *directory = opendir(folder);
  if (directory == NULL) {
    return host_error_set(error, HOST_FAILED, "cannot read %s: %s", folder, strerror(errno));
  }
  bool ok = true;
  struct dirent *entry;
  while (ok && (errno = 0, entry = readdir(directory)) != NULL) {
    if (strncmp(entry->d_name, base, strlen(base)) == 0) {
      ok = search_file(s, dirfd(directory), entry->d_name);
    }
  }
  if (ok && errno != 0) {
    ok = host_error_set(error, HOST_FAILED, "cannot read %s: %s", folder, strerror(errno));
  }
  (void)closedir(directory);
  return ok;
}

bool event_store_search(const char *path, const event_search_text *texts, size_t count,
                        event_search_found each, void *context, event_search_report *report,
                        host_error *error) {
  char absolute[PATH_MAX];
  *report = (event_search_report){.files = 0};
  if (postgres_is_url(path)) {
    return server_forget_search(path, texts, count, each, context, report, error);
  }
  if (realpath(path, absolute) == NULL) {
    return host_error_set(error, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  }
  search s = {.each = each, .context = context, .report = report, .error = error};
  s.texts = text_search_new(texts, count, on_found, &s);
  bool ok = s.texts != NULL ? search_directory(&s, absolute, error)
                            : host_error_set(error, HOST_FAILED, "out of memory");
  text_search_free(s.texts);
  return ok;
}
