/* Tests of the HTTP/1 parser: each case of the corpus in all of its splits, and what its owner does
 * with it. */
#include "corpus.h"
#include "http/char_classes.h"
#include "support/unit_test.h"
#include "transcript.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

static const http_parser_limits limits = {CORPUS_HEAD_MAX, CORPUS_HEADERS_MAX, CORPUS_BODY_MAX};
static corpus cases;

static int read_corpus(void **state) {
  (void)state;
  cases = corpus_read(CORPUS);
  return 0;
}

static int free_corpus(void **state) {
  (void)state;
  corpus_free(&cases);
  return 0;
}

#define CORPUS_TEST(name) FIXTURE_TEST(name, void *nothing, read_corpus, free_corpus)

/* ---- verdicts -------------------------------------------------------------------------------- */

/* Reads the next word of a verdict; blanks in "(…)" are part of it, and "\s" is one. */
static bool next_word(char **at, char *word, size_t room) {
  char *c = *at + strspn(*at, " ");
  char *end = *c == '(' ? strchr(c, ')') + 1 : c + strcspn(c, " ");
  size_t size = 0;
  if (*c == '\0') {
    return false;
  }
  while (c < end && size + 1 < room) {
    bool is_blank = c[0] == '\\' && c[1] == 's';
    word[size++] = is_blank ? ' ' : *c;
    c += is_blank ? 2 : 1;
  }
  word[size] = '\0';
  *at = end;
  return true;
}

static const char *check_word(const char *record, const char *word) {
  char field[4100];
  snprintf(field, sizeof field, "%c%s%c", TRANSCRIPT_UNIT, word, TRANSCRIPT_UNIT);
  const char *found = strstr(record, field), *next = strchr(record + 1, TRANSCRIPT_RECORD);
  return found != NULL && (next == NULL || found < next) ? found : NULL;
}

/* The first word of a record says what it is of, the others what holds of it. */
static bool is_as_expected(const corpus_case *c, const transcript *t) {
  char word[4096], *at = c->verdict.data;
  const char *record = NULL;
  while (next_word(&at, word, sizeof word)) {
    bool starts = word[0] == '(' || (word[0] >= '0' && word[0] <= '9') || strcmp(word, "more") == 0;
    if (starts) {
      record = strchr(record != NULL ? record + 1 : t->text, TRANSCRIPT_RECORD);
    }
    if (record == NULL) {
      return false;
    }
    const char *found = check_word(record, word);
    if (found == NULL || (starts && found != record + 1)) {
      return false;
    }
  }
  if (strchr(record != NULL ? record + 1 : t->text, TRANSCRIPT_RECORD) != NULL) {
    return false;
  }
  return t->end_count == c->end_count &&
         memcmp(t->ends, c->ends, c->end_count * sizeof c->ends[0]) == 0;
}

CORPUS_TEST(corpus_has_the_expected_verdicts) {
  size_t wrong = 0;
  for (size_t i = 0; i < cases.count; i++) {
    const corpus_case *c = &cases.cases[i];
    transcript t;
    transcript_start(&t, &limits);
    transcript_feed(&t, c->bytes.data, c->bytes.size);
    transcript_end(&t);
    if (!is_as_expected(c, &t)) {
      wrong++;
      print_error("%s, %s: expected %s, got %s\n", c->class, c->name, c->verdict.data, t.text);
    }
    transcript_free(&t);
  }
  assert_int_equal(wrong, 0);
  assert_in_range(cases.count, 400, 10000);
}

static void compare(const corpus_case *c, const transcript *unsplit, transcript *split,
                    const char *how, size_t at) {
  transcript_end(split);
  if (unsplit->size != split->size || memcmp(unsplit->text, split->text, unsplit->size) != 0) {
    fail_msg("%s, %s: %s at %zu: %s instead of %s", c->class, c->name, how, at, split->text,
             unsplit->text);
  }
  transcript_free(split);
}

static void split_everywhere(const corpus_case *c) {
  const char *data = c->bytes.data;
  size_t size = c->bytes.size;
  transcript unsplit, split;
  transcript_start(&unsplit, &limits);
  transcript_feed(&unsplit, data, size);
  transcript_end(&unsplit);
  for (size_t at = 0; at <= size; at++) {
    transcript_start(&split, &limits);
    transcript_feed(&split, data, at);
    /* wherever it is split, no request is complete before its end */
    size_t complete = 0;
    while (complete < c->end_count && c->ends[complete] <= at) {
      complete++;
    }
    assert_int_equal(split.end_count, complete);
    transcript_feed(&split, data + at, size - at);
    compare(c, &unsplit, &split, "split", at);
  }
  for (size_t step = 1; step <= 3; step++) {
    transcript_start(&split, &limits);
    for (size_t at = 0; at < size; at += step) {
      transcript_feed(&split, data + at, step < size - at ? step : size - at);
    }
    compare(c, &unsplit, &split, "in pieces of", step);
  }
  transcript_free(&unsplit);
}

CORPUS_TEST(verdict_is_the_same_for_every_split) {
  for (size_t i = 0; i < cases.count; i++) {
    split_everywhere(&cases.cases[i]);
  }
}

CORPUS_TEST(corpus_has_twenty_cases_of_each_class) {
  static const char *const classes[] = {
      "lengths",    "chunk syntax", "both lengths",       "transfer codings",
      "line ends",  "folding",      "host forms",         "control bytes",
      "blanks",     "target forms", "versions",           "methods",
      "duplicates", "pipelines",    "truncation",         "oversize",
      "Expect",     "trailers",     "connection options", "percent-encoding",
  };
  for (size_t n = 0; n < sizeof classes / sizeof classes[0]; n++) {
    size_t count = 0;
    for (size_t i = 0; i < cases.count; i++) {
      count += strcmp(cases.cases[i].class, classes[n]) == 0;
    }
    if (count < 20) {
      fail_msg("%s: %zu cases", classes[n], count);
    }
  }
}

/* ---- the owner ------------------------------------------------------------------------------- */

typedef struct {
  http_parser parser;
  void *buffer;
} owner;

static void open_parser(owner *o) {
  http_parser_init(&o->parser, &limits);
  o->buffer = malloc(http_parser_buffer_size(&limits));
  assert_non_null(o->buffer);
  http_parser_set_buffer(&o->parser, o->buffer);
}

/* Feeds text, of which so many bytes are to be consumed. */
static http_event feed(owner *o, const char *text, size_t expected) {
  size_t consumed;
  http_event event = http_parser_feed(&o->parser, text, strlen(text), &consumed);
  assert_int_equal(consumed, expected);
  return event;
}

UNIT_TEST(says_how_far_a_request_has_arrived) {
  owner o;
  open_parser(&o);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_IDLE);
  assert_int_equal(feed(&o, "\r\n\r", 3), HTTP_EVENT_NEED_MORE);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_IDLE);
  assert_int_equal(feed(&o, "\nP", 2), HTTP_EVENT_NEED_MORE);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_REQUEST_LINE);
  assert_int_equal(feed(&o, "OST /x?y HTTP/1.1\r\n", 19), HTTP_EVENT_NEED_MORE);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_HEADERS);
  assert_string_equal(http_parser_method(&o.parser), "POST");
  assert_string_equal(http_parser_path(&o.parser), "/x");
  assert_string_equal(http_parser_query(&o.parser), "y");
  assert_int_equal(feed(&o, "Host: a\r\nContent-Length: 5\r\n\r\nhe", 30), HTTP_EVENT_HEAD);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_BODY);
  assert_int_equal(feed(&o, "", 0), HTTP_EVENT_NEED_MORE);
  assert_int_equal(feed(&o, "hello" GET, 5), HTTP_EVENT_BODY);
  assert_int_equal(feed(&o, GET, 0), HTTP_EVENT_COMPLETE);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_COMPLETE);
  assert_int_equal(feed(&o, GET, 0), HTTP_EVENT_COMPLETE);
  assert_string_equal(http_parser_path(&o.parser), "/x");
  http_parser_next(&o.parser);
  assert_int_equal(http_parser_phase(&o.parser), HTTP_PHASE_IDLE);
  free(o.buffer);
}

UNIT_TEST(hands_the_body_on_where_it_is) {
  static const char chunks[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n";
  owner o;
  size_t consumed, at = 0;
  open_parser(&o);
  assert_int_equal(http_parser_feed(&o.parser, chunks, sizeof chunks - 1, &consumed),
                   HTTP_EVENT_HEAD);
  for (int i = 0; i < 2; i++) {
    at += consumed;
    assert_int_equal(http_parser_feed(&o.parser, chunks + at, sizeof chunks - 1 - at, &consumed),
                     HTTP_EVENT_BODY);
    http_span body = http_parser_body(&o.parser);
    const char *expected = strstr(chunks, i == 0 ? "he\r\n3" : "llo");
    assert_ptr_equal(body.data, expected);
    assert_int_equal(body.size, i == 0 ? 2 : 3);
  }
  at += consumed;
  assert_int_equal(http_parser_feed(&o.parser, chunks + at, sizeof chunks - 1 - at, &consumed),
                   HTTP_EVENT_COMPLETE);
  assert_int_equal(at + consumed, sizeof chunks - 1);
  free(o.buffer);
}

/* Whom a request is for can be judged before its size is. */
UNIT_TEST(hands_on_the_head_of_a_body_that_is_too_large) {
  static const char large[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n";
  owner o;
  open_parser(&o);
  assert_int_equal(feed(&o, large, sizeof large - 1), HTTP_EVENT_HEAD);
  assert_int_equal(http_parser_content_length(&o.parser), 1001);
  assert_int_equal(feed(&o, "", 0), HTTP_EVENT_REJECTED);
  assert_int_equal(http_parser_rejection(&o.parser)->status, 413);
  assert_true(http_parser_rejection(&o.parser)->has_head);
  assert_string_equal(http_parser_path(&o.parser), "/x");
  assert_int_equal(feed(&o, GET, 0), HTTP_EVENT_REJECTED);
  assert_int_equal(http_parser_rejection(&o.parser)->status, 413);
  free(o.buffer);
}

UNIT_TEST(needs_a_buffer_only_while_a_request_arrives) {
  owner o;
  open_parser(&o);
  http_parser_set_buffer(&o.parser, NULL);
  assert_int_equal(feed(&o, "\r\n", 2), HTTP_EVENT_NEED_MORE);
  http_parser_set_buffer(&o.parser, o.buffer);
  assert_int_equal(feed(&o, GET, strlen(GET)), HTTP_EVENT_HEAD);
  assert_int_equal(feed(&o, "", 0), HTTP_EVENT_COMPLETE);
  http_parser_next(&o.parser);
  free(o.buffer);
  http_parser_set_buffer(&o.parser, NULL);
  assert_int_equal(feed(&o, "\r\n" GET, 2), HTTP_EVENT_REJECTED);
  assert_int_equal(http_parser_rejection(&o.parser)->status, 431);
}

/* A buffer that was used before, and limits of other sizes. */
UNIT_TEST(keeps_to_any_limits) {
  static const char head[] = "GET / HTTP/1.0\r\nX: y\r\n\r\n";
  for (size_t size = 0; size <= sizeof head; size++) {
    http_parser_limits small = {.max_head = size, .max_headers = size % 2, .max_body = 0};
    void *buffer = malloc(http_parser_buffer_size(&small));
    http_parser parser;
    size_t consumed;
    assert_non_null(buffer);
    memset(buffer, 0xff, http_parser_buffer_size(&small));
    http_parser_init(&parser, &small);
    http_parser_set_buffer(&parser, buffer);
    bool fits = size >= sizeof head - 1 && size % 2 == 1;
    assert_int_equal(http_parser_feed(&parser, head, sizeof head - 1, &consumed),
                     fits ? HTTP_EVENT_HEAD : HTTP_EVENT_REJECTED);
    free(buffer);
  }
}

/* ---- classes of bytes ------------------------------------------------------------------------ */

static bool is_letter_or_digit(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_one_of(int c, const char *marks) {
  return c != '\0' && strchr(marks, c) != NULL;
}

UNIT_TEST(has_classes_of_bytes_as_defined) {
  for (int c = 0; c < 256; c++) {
    bool is_visible = c > ' ' && c < 0x7f;
    assert_int_equal(http_is((char)c, HTTP_TOKEN),
                     is_letter_or_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~"));
    assert_int_equal(http_is((char)c, HTTP_PATH), is_visible && !is_one_of(c, "%?#\"<>\\"));
    assert_int_equal(http_is((char)c, HTTP_QUERY), is_visible && !is_one_of(c, "%#\"<>"));
    assert_int_equal(http_is((char)c, HTTP_HOST),
                     is_letter_or_digit(c) || is_one_of(c, "-._~!$&'()*+;="));
    assert_int_equal(http_is((char)c, HTTP_PLAIN), (c >= ' ' && c != 0x7f) || c == '\t');
  }
}

/* Each byte at each place of the eight that are looked at together. */
UNIT_TEST(finds_the_first_byte_that_is_not_plain) {
  char text[40];
  for (int c = 0; c < 256; c++) {
    for (size_t at = 0; at < sizeof text; at++) {
      memset(text, at % 2 == 0 ? 0xff : ' ', sizeof text);
      text[at] = (char)c;
      bool is_plain = (c >= ' ' && c != 0x7f) || c == '\t';
      assert_int_equal(http_span_of_plain(text, sizeof text), is_plain ? sizeof text : at);
      assert_int_equal(http_span_of_plain(text, at), at);
    }
  }
}
