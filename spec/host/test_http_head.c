/* Tests of the judgement of a request's head: what two readers could read in two ways is refused.
 */
#include "http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

typedef struct {
  int status;
  const char *version;
  const char *headers[8]; /* name, value, name, value … */
} head_case;

static const head_case cases[] = {
    {0, "HTTP/1.1", {"Host", "a", "Content-Length", "5"}},
    {0, "HTTP/1.1", {"hOST", "a", "transfer-encoding", "Chunked"}},
    {0, "HTTP/1.1", {"Host", "a", "Expect", "100-Continue", "Content-Length", "5"}},
    {0, "HTTP/1.1", {"Host", "a", "X-!#$%&'*+-.^_`|~09", "", "Hos", "b"}},
    {0, "HTTP/1.0", {"Content-Length", "5"}},
    {0, "HTTP/1.0", {"Host", "a", "Expect", "nothing"}},
    {400, "HTTP/1.1", {NULL}},
    {400, "HTTP/1.1", {"Host", ""}},
    {400, "HTTP/1.1", {"Host", "a", "Host", "a"}},
    {400, "HTTP/1.0", {"Host", "a", "Host", "b"}},
    {400, "HTTP/1.1", {"Host", "a", "Content-Length", "5", "Content-Length", "5"}},
    {400, "HTTP/1.1", {"Host", "a", "Content-Length", "5", "content-length", "6"}},
    {400, "HTTP/1.1", {"Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked"}},
    {400,
     "HTTP/1.1",
     {"Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"}},
    {400, "HTTP/1.0", {"Host", "a", "Transfer-Encoding", "chunked"}},
    {501, "HTTP/1.1", {"Host", "a", "Transfer-Encoding", "gzip, chunked"}},
    {501, "HTTP/1.1", {"Host", "a", "Transfer-Encoding", "identity"}},
    {501, "HTTP/1.1", {"Host", "a", "Transfer-Encoding", ""}},
    {501, "HTTP/1.1", {"Host", "a", "Transfer-Encoding", "chunked "}},
    {417, "HTTP/1.1", {"Host", "a", "Expect", "200-ok"}},
    {417, "HTTP/1.1", {"Host", "a", "Expect", ""}},
    {400, "HTTP/1.1", {"Host", "a", "", "b"}},
    {400, "HTTP/1.1", {"Host", "a", "Content-Length ", "5"}},
    {400, "HTTP/1.1", {"Host", "a", "Content\tLength", "5"}},
    {400, "HTTP/1.1", {"Host", "a", "X(", "5"}},
    {400, "HTTP/1.1", {"Host", "a", "X\x80", "5"}},
    {400, "HTTP/1.1", {"Host", "a", "X\x1f", "5"}},
    /* the library's reading of a folded line */
    {400, "HTTP/1.1", {"Host", "a", "Content-Length3", "4"}},
    {400, "HTTP/1.1", {"Host", "a", "transfer-encodingchunked", "x"}},
    {400, "HTTP/1.1", {"Host", "a", "Hostb", "a"}},
    {400, "HTTP/1.1", {"Host", "a", "Expect100-continue", ""}},
};

static void judges_heads(void **state) {
  (void)state;
  for (size_t i = 0; i < LENGTH(cases); i++) {
    http_head head = {0};
    const char *reason = NULL;
    for (size_t n = 0; n < LENGTH(cases[i].headers) && cases[i].headers[n] != NULL; n += 2)
      http_head_note(&head, cases[i].headers[n], cases[i].headers[n + 1]);
    int status = http_head_judge(&head, cases[i].version, &reason);
    if (status != cases[i].status)
      fail_msg("case %zu: %d instead of %d", i, status, cases[i].status);
    assert_non_null(reason);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(judges_heads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
