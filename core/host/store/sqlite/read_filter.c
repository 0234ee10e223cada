/* Clears the pages that SQLite reads from a database's file, while that is overwritten. */
#include "read_filter.h"

#include <stdint.h>
#include <stdlib.h>

struct read_filter {
  sqlite3_io_methods methods; /* first: the file's pointer to them leads here */
  const sqlite3_io_methods *original;
  bool is_on;
  page_format format;
  unsigned char map[PAGE_SIZE_MAX];
};

/* A page and its entry in the map are of the same time: whoever reads does not write meanwhile. */
static int clear(read_filter *filter, sqlite3_file *file, unsigned char *bytes, uint32_t page) {
  const page_format *format = &filter->format;
  if (page > 1 && format->is_mapped) {
    sqlite3_int64 place = (sqlite3_int64)(page_map_of(format, page) - 1) * format->size;
    int code = filter->original->xRead(file, filter->map, (int)format->size, place);
    if (code != SQLITE_OK) {
      return code;
    }
  }
  if (page_map_is_tree(format, filter->map, page)) {
    (void)page_clear_unused(format, bytes, page);
  }
  return SQLITE_OK;
}

static int read_page(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
  read_filter *filter = read_filter_of(file);
  int code = filter->original->xRead(file, bytes, size, offset);
  bool is_page =
      filter->is_on && size == (int)filter->format.size && offset % filter->format.size == 0;
  return code == SQLITE_OK && is_page
             ? clear(filter, file, bytes, (uint32_t)(offset / filter->format.size) + 1)
             : code;
}

read_filter *read_filter_attach(sqlite3_file *file) {
  read_filter *filter = calloc(1, sizeof *filter);
  if (filter == NULL) {
    return NULL;
  }
  filter->original = file->pMethods;
  filter->methods = *file->pMethods;
  filter->methods.xRead = read_page;
  /* The third has pages that are mapped, not read. */
  filter->methods.iVersion = file->pMethods->iVersion < 2 ? file->pMethods->iVersion : 2;
  file->pMethods = &filter->methods;
  return filter;
}

void read_filter_free(read_filter *filter) {
  free(filter);
}

read_filter *read_filter_of(const sqlite3_file *file) {
  return file->pMethods->xRead == read_page ? (read_filter *)(uintptr_t)file->pMethods : NULL;
}

void read_filter_start(read_filter *filter, const page_format *format) {
  filter->format = *format;
  filter->is_on = true;
}

void read_filter_stop(read_filter *filter) {
  filter->is_on = false;
}

int read_filter_read(const read_filter *filter, sqlite3_file *file, void *bytes, int size,
                     sqlite3_int64 offset) {
  return filter->original->xRead(file, bytes, size, offset);
}
