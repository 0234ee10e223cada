/* Finds and overwrites the bytes of a database's pages that no row uses. */
#include "unused_bytes.h"

#include <string.h>

/* Of SQLite's file format. */
enum {
  FIRST_HEADER = 100, /* bytes of the file's header, which page 1 begins with */
  SIZE = 16,
  RESERVED = 20,
  LARGEST_ROOT = 52, /* not 0: there is a map */
  ENTRY_SIZE = 5,
  ENTRY_ROOT = 1,
  ENTRY_NODE = 5
};
enum {
  INDEX_NODE = 2,
  TABLE_NODE = 5,
  INDEX_LEAF = 10,
  TABLE_LEAF = 13
};

static uint32_t two_at(const unsigned char *at) {
  return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t four_at(const unsigned char *at) {
  return two_at(at) << 16 | two_at(at + 2);
}

bool page_format_read(const unsigned char first[100], page_format *format) {
  uint32_t size = two_at(first + SIZE);
  size = size == 1 ? PAGE_SIZE_MAX : size;
  *format = (page_format){.size = size,
                          .usable = size - first[RESERVED],
                          .is_mapped = four_at(first + LARGEST_ROOT) != 0};
  return memcmp(first, "SQLite format 3", 16) == 0 && size >= 512 && (size & (size - 1)) == 0 &&
         format->usable >= 480;
}

/* ---- The map ---- */

/* No page is where SQLite locks the file. */
static uint32_t lock_page(const page_format *format) {
  return 0x40000000u / format->size + 1;
}

uint32_t page_map_of(const page_format *format, uint32_t page) {
  uint32_t group = format->usable / ENTRY_SIZE + 1;
  uint32_t map = page < 2 ? 0 : (page - 2) / group * group + 2;
  return map == lock_page(format) ? map + 1 : map;
}

bool page_map_is_tree(const page_format *format, const unsigned char *map, uint32_t page) {
  uint32_t of = page_map_of(format, page);
  if (page == 1) {
    return true;
  }
  if (page <= of || page == lock_page(format)) {
    return false;
  }
  size_t offset = (size_t)ENTRY_SIZE * (page - of - 1);
  return offset < format->usable && (map[offset] == ENTRY_ROOT || map[offset] == ENTRY_NODE);
}

/* ---- A page of a tree ---- */

typedef struct {
  const unsigned char *at; /* its header */
  uint32_t offset, cells;  /* of the header, and how many cells there are */
  uint32_t pointers, end;  /* where their pointers begin and end */
  uint32_t content;        /* where the first of them is */
} tree_page;

static bool read_header(const page_format *format, const unsigned char *page, uint32_t number,
                        tree_page *tree) {
  uint32_t offset = number == 1 ? FIRST_HEADER : 0;
  const unsigned char *at = page + offset;
  bool is_leaf = at[0] == INDEX_LEAF || at[0] == TABLE_LEAF;
  uint32_t cells = two_at(at + 3), content = two_at(at + 5);
  uint32_t pointers = offset + (is_leaf ? 8 : 12);
  *tree = (tree_page){.at = at,
                      .offset = offset,
                      .cells = cells,
                      .pointers = pointers,
                      .end = pointers + 2 * cells,
                      .content = content == 0 ? PAGE_SIZE_MAX : content};
  return (is_leaf || at[0] == INDEX_NODE || at[0] == TABLE_NODE) && tree->end <= tree->content &&
         tree->content <= format->usable;
}

/* Whether there was something. */
static bool clear(unsigned char *page, uint32_t from, uint32_t to) {
  bool was_clear = true;
  for (uint32_t i = from; was_clear && i < to; i++) {
    was_clear = page[i] == 0;
  }
  if (!was_clear) {
    memset(page + from, 0, to - from);
  }
  return !was_clear;
}

bool page_clear_unused(const page_format *format, unsigned char *page, uint32_t number) {
  tree_page tree;
  if (!read_header(format, page, number, &tree)) {
    return false;
  }
  bool has_changed = clear(page, tree.end, tree.content);
  /* Free blocks are a list in the order of their places: each has the next one's, and its size. */
  uint32_t block = two_at(tree.at + 1), after = tree.content;
  while (block >= after && block + 4 <= format->usable) {
    uint32_t size = two_at(page + block + 2);
    if (size < 4 || block + size > format->usable) {
      break;
    }
    has_changed = clear(page, block + 4, block + size) || has_changed;
    after = block + size;
    block = two_at(page + block);
  }
  return has_changed;
}

/* ---- Chains ---- */

/* Moves behind a number of up to nine bytes; past the end if it is not whole. */
static uint64_t read_number(const unsigned char *page, uint32_t end, uint32_t *at) {
  uint64_t value = 0;
  for (int i = 0; i < 9 && *at < end; i++) {
    unsigned char byte = page[(*at)++];
    if (i == 8) {
      return value << 8 | byte;
    }
    value = value << 7 | (byte & 0x7f);
    if (byte < 0x80) {
      return value;
    }
  }
  *at = end;
  return value;
}

/* How much of a row may be in a page itself: of a table, or of an index, which a table without row
 * ids is. */
static uint32_t max_local_size(uint32_t usable, bool is_index) {
  return is_index ? (usable - 12) * 64 / 255 - 23 : usable - 35;
}

/* How much of a row that is too long is there. */
static uint32_t local_size(uint32_t usable, uint64_t size, uint32_t max) {
  uint32_t min = (usable - 12) * 32 / 255 - 23;
  uint32_t local = min + (uint32_t)((size - min) % (usable - 4));
  return local <= max ? local : min;
}

bool page_chain_of(const page_format *format, const unsigned char *page, uint32_t number,
                   size_t row, page_chain *chain) {
  tree_page tree;
  *chain = (page_chain){.first = 0};
  if (!read_header(format, page, number, &tree) || tree.at[0] == TABLE_NODE || row >= tree.cells) {
    return false;
  }
  bool is_index = tree.at[0] != TABLE_LEAF;
  uint32_t max = max_local_size(format->usable, is_index);
  uint32_t at = two_at(page + tree.pointers + 2 * row);
  at += tree.at[0] == INDEX_NODE ? 4 : 0; /* the page with what is before it */
  uint64_t size = read_number(page, format->usable, &at);
  if (!is_index) {
    (void)read_number(page, format->usable, &at); /* its key */
  }
  if (size <= max) {
    return true;
  }
  uint32_t local = local_size(format->usable, size, max);
  uint64_t rest = size - local, room = format->usable - 4;
  if (at + local + 4 <= format->usable && rest / room < UINT32_MAX) {
    chain->first = four_at(page + at + local);
    chain->pages = (uint32_t)((rest + room - 1) / room);
    chain->last_size = (uint32_t)(rest - (uint64_t)(chain->pages - 1) * room) + 4;
  }
  return true;
}

bool page_clear_end(const page_format *format, unsigned char *page, const page_chain *chain) {
  return four_at(page) == 0 && clear(page, chain->last_size, format->usable);
}
