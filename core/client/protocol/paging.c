/* Decides which pages to ask for, and whether all that the API counted arrived. */
#include "palenca.h"

#include <string.h>

const char *palenca_page_verdict_text(palenca_page_verdict verdict) {
  switch (verdict) {
  case PALENCA_PAGE_CHANGED:
    return "the number of rows changed while they were read";
  case PALENCA_PAGE_SHORT:
    return "a page does not hold the number of rows that the totals promise";
  case PALENCA_PAGE_WRONG:
    return "the response holds another page than the requested one";
  case PALENCA_PAGE_MALFORMED:
    return "the response's pagination contradicts itself";
  case PALENCA_PAGE_OK:
    break;
  }
  return NULL;
}

void palenca_paging_init(palenca_paging *paging, int64_t window) {
  memset(paging, 0, sizeof *paging);
  paging->window = window > 0 ? window : 1;
}

int64_t palenca_paging_next(palenca_paging *paging) {
  if (paging->accepted == 0) {
    return paging->requested == 0 ? ++paging->requested : 0;
  }
  if (paging->requested >= paging->total_pages ||
      paging->requested - paging->accepted >= paging->window) {
    return 0;
  }
  return ++paging->requested;
}

/* Some servers count one empty page where there is nothing, others none. */
static bool totals_agree(const palenca_page_info *info) {
  if (info->items_per_page < 1 || info->total_items < 0 || info->total_pages < 0) {
    return false;
  }
  int64_t pages =
      info->total_items / info->items_per_page + (info->total_items % info->items_per_page != 0);
  return info->total_pages == pages || (pages == 0 && info->total_pages == 1);
}

static palenca_page_verdict compare(const palenca_paging *paging, const palenca_page_info *info) {
  if (!totals_agree(info)) {
    return PALENCA_PAGE_MALFORMED;
  }
  if (info->page != paging->accepted + 1 ||
      (paging->accepted > 0 && paging->accepted >= paging->total_pages)) {
    return PALENCA_PAGE_WRONG;
  }
  if (paging->accepted > 0 &&
      (info->total_items != paging->total_items || info->total_pages != paging->total_pages ||
       info->items_per_page != paging->items_per_page)) {
    return PALENCA_PAGE_CHANGED;
  }
  return PALENCA_PAGE_OK;
}

palenca_page_verdict palenca_paging_accept(palenca_paging *paging, const palenca_page_info *info,
                                           int64_t rows) {
  palenca_page_verdict verdict = compare(paging, info);
  if (verdict != PALENCA_PAGE_OK) {
    return verdict;
  }
  int64_t before = paging->accepted * info->items_per_page;
  int64_t left = info->total_items - before;
  if (rows != (left < info->items_per_page ? left : info->items_per_page)) {
    return PALENCA_PAGE_SHORT;
  }
  paging->items_per_page = info->items_per_page;
  paging->total_items = info->total_items;
  paging->total_pages = info->total_pages;
  paging->accepted++;
  paging->rows += rows;
  return PALENCA_PAGE_OK;
}

bool palenca_paging_complete(const palenca_paging *paging) {
  return paging->accepted > 0 && paging->accepted >= paging->total_pages &&
         paging->rows == paging->total_items;
}
