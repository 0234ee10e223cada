/* Tests of the reading of pages, against simulated servers, honest and not. */
#include "palenca.h"
#include "support/random.h"
#include "support/unit_test.h"

#include <string.h>

static int64_t below(uint64_t *seed, int64_t bound) {
  return (int64_t)(next_random(seed) % (uint64_t)bound);
}

/* ---- A server that counts right ---- */

typedef struct {
  int64_t items, per_page;
  bool one_empty_page; /* says 1 page where there is nothing, not 0 */
} history;

static int64_t pages_of(const history *h) {
  int64_t pages = (h->items + h->per_page - 1) / h->per_page;
  return pages == 0 && h->one_empty_page ? 1 : pages;
}

static palenca_page_info info_of(const history *h, int64_t page) {
  return (palenca_page_info){.page = page,
                             .items_per_page = h->per_page,
                             .total_items = h->items,
                             .total_pages = pages_of(h)};
}

static int64_t rows_of(const history *h, int64_t page) {
  int64_t left = h->items - (page - 1) * h->per_page;
  return left < h->per_page ? left : h->per_page;
}

static palenca_page_verdict accept(palenca_paging *paging, const history *h, int64_t page) {
  palenca_page_info info = info_of(h, page);
  return palenca_paging_accept(paging, &info, rows_of(h, page));
}

static void assert_rejected(palenca_paging *paging, palenca_page_info info, int64_t rows,
                            palenca_page_verdict expected) {
  palenca_paging before = *paging;
  assert_int_equal(palenca_paging_accept(paging, &info, rows), expected);
  assert_memory_equal(&before, paging, sizeof before);
}

/* ---- One after the other ---- */

UNIT_TEST(test_the_first_page_goes_alone) {
  const history h = {.items = 195, .per_page = 3};
  palenca_paging paging;
  palenca_paging_init(&paging, 4);
  assert_false(palenca_paging_complete(&paging));
  assert_int_equal(palenca_paging_next(&paging), 1);
  assert_int_equal(palenca_paging_next(&paging), 0);
  assert_int_equal(accept(&paging, &h, 1), PALENCA_PAGE_OK);
  for (int64_t page = 2; page <= 5; page++) {
    assert_int_equal(palenca_paging_next(&paging), page);
  }
  assert_int_equal(palenca_paging_next(&paging), 0);
  assert_int_equal(accept(&paging, &h, 2), PALENCA_PAGE_OK);
  assert_int_equal(palenca_paging_next(&paging), 6);
  assert_int_equal(palenca_paging_next(&paging), 0);
  for (int64_t page = 3; page <= 65; page++) {
    assert_false(palenca_paging_complete(&paging));
    assert_int_equal(accept(&paging, &h, page), PALENCA_PAGE_OK);
    (void)palenca_paging_next(&paging);
  }
  assert_true(palenca_paging_complete(&paging));
  assert_int_equal(palenca_paging_next(&paging), 0);
  assert_int_equal(paging.rows, 195);
  assert_int_equal(paging.requested, 65);
}

UNIT_TEST(test_an_empty_history_has_no_page_or_one) {
  for (int one = 0; one <= 1; one++) {
    const history h = {.items = 0, .per_page = 100, .one_empty_page = one != 0};
    palenca_paging paging;
    palenca_paging_init(&paging, 4);
    assert_int_equal(palenca_paging_next(&paging), 1);
    assert_false(palenca_paging_complete(&paging));
    assert_rejected(&paging, info_of(&h, 1), 1, PALENCA_PAGE_SHORT);
    assert_int_equal(accept(&paging, &h, 1), PALENCA_PAGE_OK);
    assert_int_equal(palenca_paging_next(&paging), 0);
    assert_true(palenca_paging_complete(&paging));
    assert_int_equal(paging.rows, 0);
  }
}

UNIT_TEST(test_the_last_page_is_short_or_full) {
  for (int64_t items = 1; items <= 12; items++) {
    const history h = {.items = items, .per_page = 4};
    palenca_paging paging;
    palenca_paging_init(&paging, 1);
    for (int64_t page = 1; page <= pages_of(&h); page++) {
      assert_int_equal(palenca_paging_next(&paging), page);
      assert_false(palenca_paging_complete(&paging));
      int64_t rows = rows_of(&h, page);
      assert_rejected(&paging, info_of(&h, page), rows - 1, PALENCA_PAGE_SHORT);
      assert_rejected(&paging, info_of(&h, page), rows + 1, PALENCA_PAGE_SHORT);
      assert_int_equal(accept(&paging, &h, page), PALENCA_PAGE_OK);
    }
    assert_int_equal(palenca_paging_next(&paging), 0);
    assert_true(palenca_paging_complete(&paging));
  }
}

UNIT_TEST(test_a_window_is_at_least_one) {
  static const int64_t windows[] = {0, -1, INT64_MIN, 1};
  const history h = {.items = 30, .per_page = 10};
  for (size_t i = 0; i < LENGTH(windows); i++) {
    palenca_paging paging;
    palenca_paging_init(&paging, windows[i]);
    assert_int_equal(palenca_paging_next(&paging), 1);
    assert_int_equal(accept(&paging, &h, 1), PALENCA_PAGE_OK);
    assert_int_equal(palenca_paging_next(&paging), 2);
    assert_int_equal(palenca_paging_next(&paging), 0);
  }
}

/* ---- Verdicts ---- */

UNIT_TEST(test_contradictions_are_malformed) {
  static const palenca_page_info rows[] = {
      {1, 0, 0, 0},         {1, -1, 5, 5},
      {1, -1, 0, 0},        {1, -1, 5, -5},
      {1, 10, -1, 0},       {1, 10, -1, 1},
      {1, 10, 5, -1},       {1, 10, 5, 0},
      {1, 10, 5, 2},        {1, 10, 10, 2},
      {1, 10, 11, 1},       {1, 10, 0, 2},
      {1, 0, 5, 1},         {1, INT64_MIN, INT64_MIN, INT64_MIN},
      {1, 1, INT64_MAX, 1}, {1, INT64_MAX, 1, INT64_MAX},
      {2, 10, 5, 2}, /* the numbers are looked at before the page */
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    palenca_paging paging;
    palenca_paging_init(&paging, 4);
    assert_int_equal(palenca_paging_next(&paging), 1);
    assert_rejected(&paging, rows[i], 5, PALENCA_PAGE_MALFORMED);
    assert_rejected(&paging, rows[i], 0, PALENCA_PAGE_MALFORMED);
    assert_false(palenca_paging_complete(&paging));
    assert_int_equal(palenca_paging_next(&paging), 0);
  }
}

UNIT_TEST(test_extreme_totals) {
  palenca_paging paging;
  palenca_paging_init(&paging, INT64_MAX);
  assert_int_equal(palenca_paging_next(&paging), 1);
  palenca_page_info info = {1, 1, INT64_MAX, INT64_MAX};
  assert_int_equal(palenca_paging_accept(&paging, &info, 1), PALENCA_PAGE_OK);
  assert_int_equal(palenca_paging_next(&paging), 2);
  assert_false(palenca_paging_complete(&paging));
  palenca_paging_init(&paging, 1);
  assert_int_equal(palenca_paging_next(&paging), 1);
  info = (palenca_page_info){1, INT64_MAX, 3, 1};
  assert_int_equal(palenca_paging_accept(&paging, &info, 3), PALENCA_PAGE_OK);
  assert_true(palenca_paging_complete(&paging));
}

UNIT_TEST(test_another_page_is_wrong) {
  static const int64_t others[] = {INT64_MIN, -1, 0, 1, 3, 4, INT64_MAX};
  const history h = {.items = 30, .per_page = 10};
  palenca_paging paging;
  palenca_paging_init(&paging, 4);
  assert_int_equal(palenca_paging_next(&paging), 1);
  assert_rejected(&paging, info_of(&h, 2), 10, PALENCA_PAGE_WRONG);
  assert_int_equal(accept(&paging, &h, 1), PALENCA_PAGE_OK);
  assert_int_equal(palenca_paging_next(&paging), 2);
  for (size_t i = 0; i < LENGTH(others); i++) {
    assert_rejected(&paging, info_of(&h, others[i]), 10, PALENCA_PAGE_WRONG);
  }
  assert_int_equal(accept(&paging, &h, 2), PALENCA_PAGE_OK);
}

/* What continues to count after the end: no row may be taken for one of the history. */
UNIT_TEST(test_no_page_comes_after_the_last) {
  static const int64_t items[] = {0, 10, 25};
  for (size_t i = 0; i < LENGTH(items); i++) {
    const history h = {.items = items[i], .per_page = 10};
    palenca_paging paging;
    palenca_paging_init(&paging, 4);
    int64_t page = 0;
    while (!palenca_paging_complete(&paging)) {
      palenca_paging_next(&paging);
      assert_int_equal(accept(&paging, &h, ++page), PALENCA_PAGE_OK);
    }
    for (int64_t rows = -10; rows <= 10; rows++) {
      assert_rejected(&paging, info_of(&h, page + 1), rows, PALENCA_PAGE_WRONG);
    }
  }
}

UNIT_TEST(test_other_totals_are_noticed) {
  const history h = {.items = 25, .per_page = 10};
  static const palenca_page_info changed[] = {
      {2, 10, 26, 3}, /* a row more */
      {2, 10, 24, 3}, /* a row less */
      {2, 10, 31, 4}, {2, 10, 20, 2}, {2, 10, 0, 0}, {2, 9, 25, 3}, {2, 12, 25, 3}, {2, 5, 25, 5},
  };
  palenca_paging paging;
  palenca_paging_init(&paging, 4);
  assert_int_equal(palenca_paging_next(&paging), 1);
  assert_int_equal(accept(&paging, &h, 1), PALENCA_PAGE_OK);
  for (size_t i = 0; i < LENGTH(changed); i++) {
    assert_rejected(&paging, changed[i], 10, PALENCA_PAGE_CHANGED);
  }
  assert_rejected(&paging, info_of(&h, 2), 9, PALENCA_PAGE_SHORT);
  assert_rejected(&paging, info_of(&h, 2), 0, PALENCA_PAGE_SHORT);
  assert_rejected(&paging, info_of(&h, 2), 11, PALENCA_PAGE_SHORT);
  assert_int_equal(accept(&paging, &h, 2), PALENCA_PAGE_OK);
  assert_int_equal(accept(&paging, &h, 3), PALENCA_PAGE_OK);
  assert_true(palenca_paging_complete(&paging));
}

UNIT_TEST(test_every_verdict_but_ok_has_a_sentence) {
  assert_null(palenca_page_verdict_text(PALENCA_PAGE_OK));
  for (palenca_page_verdict a = PALENCA_PAGE_CHANGED; a <= PALENCA_PAGE_MALFORMED; a++) {
    assert_non_null(palenca_page_verdict_text(a));
    for (palenca_page_verdict b = PALENCA_PAGE_CHANGED; b < a; b++) {
      assert_string_not_equal(palenca_page_verdict_text(a), palenca_page_verdict_text(b));
    }
  }
}

/* ---- Any history, any window, responses in any order ---- */

enum {
  PAGES_MAX = 64
};

/* A response with one thing wrong; returns the verdict it deserves. */
static palenca_page_verdict spoil(uint64_t *seed, const palenca_paging *paging, const history *h,
                                  palenca_page_info *info, int64_t *rows) {
  history other = *h;
  switch (below(seed, 4)) {
  case 0:
    *rows += below(seed, 2) == 0 ? 1 + below(seed, 3) : -1 - below(seed, 3);
    return PALENCA_PAGE_SHORT;
  case 1:
    info->page += below(seed, 2) == 0 ? 1 + below(seed, 3) : -1 - below(seed, 3);
    return PALENCA_PAGE_WRONG;
  case 2:
    info->total_pages += 2 + below(seed, 3);
    return PALENCA_PAGE_MALFORMED;
  default:
    if (paging->accepted == 0) { /* there is nothing yet that it could differ from */
      info->items_per_page = 0;
      return PALENCA_PAGE_MALFORMED;
    }
    other.items += 1 + below(seed, 3);
    *info = info_of(&other, info->page);
    return PALENCA_PAGE_CHANGED;
  }
}

static void run_random(uint64_t seed) {
  const history h = {.per_page = 1 + below(&seed, 9),
                     .items = below(&seed, 4) == 0 ? below(&seed, 3) : below(&seed, 60),
                     .one_empty_page = below(&seed, 2) != 0};
  int64_t window = 1 + below(&seed, 8), expected = pages_of(&h) > 0 ? pages_of(&h) : 1;
  int64_t asked = 0, delivered = 0, rows = 0;
  bool arrived[PAGES_MAX] = {false};
  palenca_paging paging;
  palenca_paging_init(&paging, window);
  while (delivered < expected) {
    assert_false(palenca_paging_complete(&paging));
    for (int64_t page; (page = palenca_paging_next(&paging)) != 0;) {
      assert_int_equal(page, ++asked);
    }
    assert_true(asked > delivered); /* never stuck */
    assert_true(asked - delivered <= (delivered == 0 ? 1 : window));
    assert_true(asked <= expected);
    /* no slot of the window stays unused */
    assert_true(delivered == 0 || asked == expected || asked - delivered == window);
    arrived[delivered + 1 + below(&seed, asked - delivered)] = true;
    for (; delivered < asked && arrived[delivered + 1]; delivered++) {
      palenca_page_info info = info_of(&h, delivered + 1);
      int64_t count = rows_of(&h, delivered + 1);
      if (below(&seed, 3) == 0) {
        palenca_page_info spoilt = info;
        int64_t other = count;
        palenca_page_verdict verdict = spoil(&seed, &paging, &h, &spoilt, &other);
        assert_rejected(&paging, spoilt, other, verdict);
      }
      assert_int_equal(palenca_paging_accept(&paging, &info, count), PALENCA_PAGE_OK);
      rows += count;
      assert_int_equal(paging.rows, rows);
    }
  }
  assert_true(palenca_paging_complete(&paging));
  assert_int_equal(palenca_paging_next(&paging), 0);
  assert_int_equal(rows, h.items);
}

UNIT_TEST(test_any_history_is_read_completely_and_in_order) {
  for (uint64_t seed = 1; seed <= 20000; seed++) {
    run_random(seed * 0x9e3779b97f4a7c15u);
  }
}
