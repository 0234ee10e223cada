/* The bytes of a database's pages that no row uses: pure functions on SQLite's file format.
 *
 * SQLite overwrites what is deleted (secure_delete), but leaves copies where it moves rows from one
 * page to another: between the pointers to the cells of a page and its first cell. */
#ifndef PALENCA_HOST_STORE_SQLITE_UNUSED_BYTES_H
#define PALENCA_HOST_STORE_SQLITE_UNUSED_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE_MAX 65536

/* Of a file, by its first page. */
typedef struct {
  uint32_t size, usable; /* bytes of a page, and those of them that SQLite uses */
  bool is_mapped;        /* some of its pages are a map of the others */
} page_format;

/* False: it is no database. */
bool page_format_read(const unsigned char first[100], page_format *format);

/* Which page of the map has the entry of a page: the page itself, if that is one of the map. */
uint32_t page_map_of(const page_format *format, uint32_t page);
/* Whether the map says that a page is one of a tree, which has rows or leads to them. */
bool page_map_is_tree(const page_format *format, const unsigned char *map, uint32_t page);

/* Overwrites with zeros what is unused in a page of a tree; `number` is the page's. Returns whether
 * there was something else. A page that cannot be understood stays as it is. */
bool page_clear_unused(const page_format *format, unsigned char *page, uint32_t number);

/* A row that is too long continues in a chain of pages, of which each begins with the next one's
 * number. `first` is 0: it does not. `last_size`: the bytes of the last one of `pages` that are in
 * use. */
typedef struct {
  uint32_t first, pages, last_size;
} page_chain;

/* Of the row at this place of a page of a tree; false: there is no such row. */
bool page_chain_of(const page_format *format, const unsigned char *page, uint32_t number,
                   size_t row, page_chain *chain);

/* Overwrites the end of the last page of a chain. Returns as above. */
bool page_clear_end(const page_format *format, unsigned char *page, const page_chain *chain);

#endif
