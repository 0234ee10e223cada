/* Looks for several texts at once in bytes that come in pieces. */
#include "text_search.h"

#include <stdlib.h>
#include <string.h>

#define SHORTEST_MAX 256 /* of what the steps are for: each fits a byte */

struct text_search {
  const event_search_text *texts;
  size_t count, longest, shortest;
  text_search_found *each;
  void *context;
  int64_t offset; /* of the first byte that is kept */
  size_t kept;    /* of earlier pieces: a text may begin in them */
  /* By the last two of as many bytes as the shortest text has: how much later a text can begin at
   * the earliest; 0: it may begin with these. */
  unsigned char steps[65536];
  char bytes[]; /* room for what is kept and a piece */
};

static size_t pair_at(const char *at) {
  return (size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

static void set_steps(text_search *s) {
  memset(s->steps, (int)s->shortest - 1, sizeof s->steps);
  for (size_t i = 0; i < s->count; i++) {
    for (size_t at = 0; at + 2 <= s->shortest; at++) {
      unsigned char *step = &s->steps[pair_at(s->texts[i].data + at)];
      size_t left = s->shortest - 2 - at;
      *step = left < *step ? (unsigned char)left : *step;
    }
  }
}

text_search *text_search_new(const event_search_text *texts, size_t count, text_search_found *each,
                             void *context) {
  size_t longest = 1, shortest = SHORTEST_MAX;
  for (size_t i = 0; i < count; i++) {
    longest = texts[i].size > longest ? texts[i].size : longest;
    shortest = texts[i].size < shortest ? texts[i].size : shortest;
  }
  text_search *search = calloc(1, sizeof *search + longest + TEXT_SEARCH_PIECE);
  if (search == NULL) {
    return NULL;
  }
  search->texts = texts;
  search->count = count;
  search->longest = longest;
  search->shortest = shortest;
  search->each = each;
  search->context = context;
  set_steps(search);
  return search;
}

void text_search_free(text_search *search) {
  free(search);
}

void text_search_begin(text_search *search) {
  search->offset = 0;
  search->kept = 0;
}

char *text_search_room(text_search *search) {
  return search->bytes + search->kept;
}

static bool look_at(const text_search *s, size_t at, size_t size) {
  bool is_continued = true;
  for (size_t i = 0; is_continued && i < s->count; i++) {
    const event_search_text *text = &s->texts[i];
    if (text->size <= size - at && memcmp(s->bytes + at, text->data, text->size) == 0) {
      is_continued = s->each(s->context, s->offset + (int64_t)at, i);
    }
  }
  return is_continued;
}

/* For those that begin before `end`; there are `size` bytes, of which most are skipped. */
static bool look(text_search *s, size_t end, size_t size) {
  bool is_continued = true;
  for (size_t at = 0, step; is_continued && at < end && at + s->shortest <= size; at += step) {
    step = s->steps[pair_at(s->bytes + at + s->shortest - 2)];
    if (step == 0) {
      is_continued = look_at(s, at, size);
      step = 1;
    }
  }
  memmove(s->bytes, s->bytes + end, size - end);
  s->offset += (int64_t)end;
  s->kept = size - end;
  return is_continued;
}

bool text_search_add(text_search *search, size_t size) {
  size_t all = search->kept + size;
  return look(search, all < search->longest ? 0 : all - (search->longest - 1), all);
}

bool text_search_end(text_search *search) {
  return look(search, search->kept, search->kept);
}
