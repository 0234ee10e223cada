/* Looks for several texts at once in bytes that come in pieces. */
#ifndef PALENCA_HOST_STORE_ADMIN_TEXT_SEARCH_H
#define PALENCA_HOST_STORE_ADMIN_TEXT_SEARCH_H

#include "store/event_admin.h"

#define TEXT_SEARCH_PIECE 262144

typedef struct text_search text_search;

/* `which` of the texts is at this byte of all. Returns whether the search goes on. */
typedef bool text_search_found(void *context, int64_t offset, size_t which);

/* The texts have to stay where they are. NULL: out of memory. */
text_search *text_search_new(const event_search_text *texts, size_t count, text_search_found *each,
                             void *context);
void text_search_free(text_search *search);

/* Begins with other bytes. */
void text_search_begin(text_search *search);

/* Where the next TEXT_SEARCH_PIECE bytes go. */
char *text_search_room(text_search *search);

/* Looks at the next bytes, which are there; at the end at those in which a text could have started.
 * False: `each` has ended the search. */
bool text_search_add(text_search *search, size_t size);
bool text_search_end(text_search *search);

#endif
