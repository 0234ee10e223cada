/* Looks for texts in the bytes of a database and of the files beside it. */
#include "store/event_admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 1048576

typedef struct {
  const event_search_text *texts;
  size_t count, longest;
  bool heads[65536]; /* the first two bytes of one of them */
  event_search_found each;
  void *context;
  event_search_report *report;
  host_error *error;
  char *bytes; /* READ_SIZE, after what was kept of the ones before */
} search;

static size_t head_of(const char *at) {
  return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* Those that begin before `end`; there are `size` bytes, which begin at `offset` of the file. */
static void search_bytes(const search *s, const char *name, size_t end, size_t size,
                         int64_t offset) {
  for (size_t at = 0; at < end && at + 1 < size; at++) {
    if (!s->heads[head_of(s->bytes + at)]) {
      continue;
    }
    for (size_t i = 0; i < s->count && s->report->found < EVENT_SEARCH_FOUND_MAX; i++) {
      const event_search_text *text = &s->texts[i];
      if (text->size <= size - at && memcmp(s->bytes + at, text->data, text->size) == 0) {
        s->report->found++;
        s->each(s->context, name, offset + (int64_t)at, i);
      }
    }
  }
}

/* Each time the last bytes are kept, in which a text may begin. */
static int search_open(const search *s, const char *name, int file) {
  size_t kept = 0;
  int64_t offset = 0;
  ssize_t size = 1;
  while (size > 0 && s->report->found < EVENT_SEARCH_FOUND_MAX) {
    size = read(file, s->bytes + kept, READ_SIZE);
    if (size < 0) {
      return errno;
    }
    size_t all = kept + (size_t)size;
    size_t rest = size == 0 || all < s->longest ? (size == 0 ? 0 : all) : s->longest - 1;
    search_bytes(s, name, all - rest, all, offset);
    memmove(s->bytes, s->bytes + all - rest, rest);
    offset += (int64_t)(all - rest);
    kept = rest;
    s->report->bytes += size;
  }
  return 0;
}

/* One that was removed meanwhile, as a log is, is none. */
static bool search_file(const search *s, int directory, const char *name) {
  struct stat status;
  int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  int code = file >= 0 && fstat(file, &status) == 0 ? 0 : errno;
  bool is_file = code == 0 && S_ISREG(status.st_mode);
  if (is_file) {
    code = search_open(s, name, file);
    code = code == 0 && fsync(file) != 0 ? errno : code; /* as it was read, after a power cut */
    s->report->files++;
  }
  if (file >= 0) {
    (void)close(file);
  }
  return code == 0 || code == ENOENT || code == ENXIO || code == ELOOP ||
         host_error_set(s->error, HOST_FAILED, "cannot read %s: %s", name, strerror(code));
}

static bool search_directory(const search *s, const char *path, host_error *error) {
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
  if (realpath(path, absolute) == NULL) {
    return host_error_set(error, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  }
  search *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return host_error_set(error, HOST_FAILED, "out of memory");
  }
  *s = (search){.texts = texts,
                .count = count,
                .longest = 1,
                .each = each,
                .context = context,
                .report = report,
                .error = error};
  for (size_t i = 0; i < count; i++) {
    s->heads[head_of(texts[i].data)] = true;
    s->longest = texts[i].size > s->longest ? texts[i].size : s->longest;
  }
  s->bytes = malloc(READ_SIZE + s->longest);
  bool ok = s->bytes != NULL ? search_directory(s, absolute, error)
                             : host_error_set(error, HOST_FAILED, "out of memory");
  free(s->bytes);
  free(s);
  return ok;
}
