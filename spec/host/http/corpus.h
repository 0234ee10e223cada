/* The cases of corpus.txt, which says how they are written. */
#ifndef PALENCA_SPEC_HTTP_CORPUS_H
#define PALENCA_SPEC_HTTP_CORPUS_H

#include <stddef.h>

#define CORPUS_ENDS_MAX 16
/* The limits that the verdicts are made for. */
#define CORPUS_HEAD_MAX 1024
#define CORPUS_HEADERS_MAX 20
#define CORPUS_BODY_MAX 1000

typedef struct {
  char *data; /* with a NUL after it */
  size_t size;
} corpus_text;

typedef struct {
  char class[64], name[128];
  corpus_text verdict, bytes;
  size_t ends[CORPUS_ENDS_MAX]; /* where requests end in the bytes */
  size_t end_count;
} corpus_case;

typedef struct {
  corpus_case *cases;
  size_t count;
} corpus;

/* Ends the process, with a line that says why, if the file cannot be read. */
corpus corpus_read(const char *path);
void corpus_free(corpus *read);

#endif
