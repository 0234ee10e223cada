/* Fuzzes the judge of pages: a server that says anything in its `pagination`. The input is a window
 * and, for each response, its four numbers and its rows: a byte that says how far each is from what
 * a true server would say, or eight bytes of anything. */
#include "fuzz.h"
#include "palenca.h"

typedef struct {
  const uint8_t *data;
  size_t size;
} input;

static int64_t take(input *in, size_t bytes) {
  uint64_t value = 0;
  while (bytes-- > 0 && in->size > 0) {
    value = value << 8 | *in->data++;
    in->size--;
  }
  return (int64_t)value;
}

/* Mostly what is right, else a little more or less, else anything. */
static int64_t near(input *in, int64_t right) {
  int64_t choice = take(in, 1);
  if (choice == 255) {
    return take(in, 8);
  }
  return choice < 192 ? right : right - 2 + choice % 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in = {data, size};
  palenca_paging paging;
  palenca_paging_init(&paging, take(&in, 1));
  int64_t items = take(&in, 1), per_page = take(&in, 1) + 1;
  int64_t pages = (items + per_page - 1) / per_page, asked = 0, rows = 0;
  while (in.size > 0) {
    for (int64_t page = palenca_paging_next(&paging); page != 0;
         page = palenca_paging_next(&paging)) {
      MUST(page == asked + 1);
      asked = page;
      MUST(asked - paging.accepted <= paging.window);
    }
    int64_t before = paging.accepted * per_page, left = items - before;
    palenca_page_info info = {near(&in, paging.accepted + 1), near(&in, per_page), near(&in, items),
                              near(&in, pages)};
    int64_t got = near(&in, left < per_page ? left : per_page);
    palenca_paging kept = paging;
    palenca_page_verdict verdict = palenca_paging_accept(&paging, &info, got);
    if (verdict != PALENCA_PAGE_OK) {
      MUST(memcmp(&kept, &paging, sizeof kept) == 0);
      MUST(palenca_page_verdict_text(verdict) != NULL);
      continue;
    }
    rows += got;
    MUST(got >= 0 && paging.accepted == kept.accepted + 1 && paging.rows == rows);
    MUST(paging.rows <= paging.total_items);
    MUST(!palenca_paging_complete(&kept) || got == 0);
    if (palenca_paging_complete(&paging)) {
      MUST(paging.rows == paging.total_items && palenca_paging_next(&paging) == 0);
    }
  }
  return 0;
}
