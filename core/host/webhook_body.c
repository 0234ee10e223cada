/* Validates a webhook's body as JSON and reads the fields the host needs from it. */
#include "webhook_body.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* yajl keeps a bit of state for each level; deeper bodies are no webhooks. */
#define DEPTH_MAX 64

typedef enum {
  FIELD_OTHER,
  FIELD_ACTION,
  FIELD_ACCOUNT,
} field;

typedef struct {
  webhook_fields *out;
  int depth;
  bool in_data;  /* the object under "data" at the top is open, at depth 2 */
  bool data_key; /* the key just read is the top's "data" */
  field next;    /* which field of data the next value is */
  const char *refusal;
} reader;

static bool key_is(const unsigned char *key, size_t size, const char *name) {
  return size == strlen(name) && memcmp(key, name, size) == 0;
}

static int refuse(reader *r, const char *why) {
  r->refusal = why;
  return 0;
}

/* A repeated key counts as its last value does, as it will for the script; a
 * second "data" replaces the first with all that was in it. */
static void clear_field(reader *r) {
  bool is_data = r->depth == 1 && r->data_key;
  bool is_field = r->depth == 2 && r->in_data;
  if (is_data || (is_field && r->next == FIELD_ACTION))
    r->out->action[0] = '\0';
  if (is_data || (is_field && r->next == FIELD_ACCOUNT))
    r->out->account_id[0] = '\0';
}

static int value_seen(reader *r) {
  if (r->depth == 0)
    return refuse(r, "the body is not a JSON object");
  clear_field(r);
  r->next = FIELD_OTHER;
  r->data_key = false;
  return 1;
}

static int on_null(void *context) {
  return value_seen(context);
}

static int on_boolean(void *context, int value) {
  (void)value;
  return value_seen(context);
}

static int on_number(void *context, const char *text, size_t size) {
  (void)text;
  (void)size;
  return value_seen(context);
}

static int keep(reader *r, char *out, size_t out_size, const unsigned char *text, size_t size) {
  if (size >= out_size)
    return refuse(r, "data.webhook_action or data.account_id is too long");
  if (memchr(text, '\0', size) != NULL)
    return refuse(r, "data.webhook_action or data.account_id holds a zero character");
  memcpy(out, text, size);
  out[size] = '\0';
  return 1;
}

static int on_string(void *context, const unsigned char *text, size_t size) {
  reader *r = context;
  field which = r->depth == 2 && r->in_data ? r->next : FIELD_OTHER;
  if (!value_seen(r))
    return 0;
  if (key_is(text, size, "None")) /* the vendor's word for nothing */
    return 1;
  if (which == FIELD_ACTION)
    return keep(r, r->out->action, sizeof r->out->action, text, size);
  if (which == FIELD_ACCOUNT)
    return keep(r, r->out->account_id, sizeof r->out->account_id, text, size);
  return 1;
}

static int open_level(reader *r) {
  if (++r->depth > DEPTH_MAX)
    return refuse(r, "the body is nested too deeply");
  return 1;
}

static int on_start_map(void *context) {
  reader *r = context;
  bool is_data = r->depth == 1 && r->data_key;
  if (r->depth > 0)
    value_seen(r);
  r->in_data = r->in_data || is_data;
  return open_level(r);
}

static int on_start_array(void *context) {
  reader *r = context;
  return value_seen(r) && open_level(r);
}

static int on_key(void *context, const unsigned char *key, size_t size) {
  reader *r = context;
  r->data_key = r->depth == 1 && key_is(key, size, "data");
  r->next = FIELD_OTHER;
  if (r->depth == 2 && r->in_data) {
    if (key_is(key, size, "webhook_action"))
      r->next = FIELD_ACTION;
    else if (key_is(key, size, "account_id"))
      r->next = FIELD_ACCOUNT;
  }
  return 1;
}

static int on_end_map(void *context) {
  reader *r = context;
  r->depth--;
  if (r->depth == 1)
    r->in_data = false;
  return 1;
}

static int on_end_array(void *context) {
  reader *r = context;
  r->depth--;
  return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

static unsigned hex_value(const char *digits) {
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    unsigned c = (unsigned char)digits[i];
    value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

/* yajl puts a question mark for half of a surrogate pair, where the script's parser
 * gives up: what that could not read must not be stored. The text is valid JSON, so a
 * backslash is inside a string and what follows it is whole. */
static bool has_half_pair(const char *body, size_t size) {
  const char *end = body + size;
  const char *at = body;
  while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
    if (at[1] != 'u') {
      at += 2;
      continue;
    }
    unsigned unit = hex_value(at + 2);
    at += 6;
    if ((unit & 0xf800) != 0xd800)
      continue;
    bool is_pair = (unit & 0x400) == 0 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' &&
                   (hex_value(at + 2) & 0xfc00) == 0xdc00;
    if (!is_pair)
      return true;
    at += 6;
  }
  return false;
}

/* The bytes of the character that begins here, if they are one; else 0. Nothing is written in more
 * bytes than it takes, and no half of a surrogate pair: two texts that look the same must not
 * differ, and what is stored must be read by whatever shows it. */
static size_t character_size(const unsigned char *at, size_t left) {
  unsigned char lead = at[0];
  size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (lead < 0xc2 || lead > 0xf4 || left < size || at[1] < least || at[1] > most)
    return 0;
  for (size_t i = 2; i < size; i++)
    if ((at[i] & 0xc0) != 0x80)
      return 0;
  return size;
}

/* Nearly all bodies are nearly all ASCII, of which eight bytes are looked at together. */
static bool is_utf8(const char *body, size_t size) {
  const unsigned char *at = (const unsigned char *)body;
  const unsigned char *end = at + size;
  while (at < end) {
    uint64_t word = UINT64_MAX;
    if (end - at >= (ptrdiff_t)sizeof word)
      memcpy(&word, at, sizeof word);
    if ((word & 0x8080808080808080u) == 0) {
      at += sizeof word;
      continue;
    }
    size_t length = *at < 0x80 ? 1 : character_size(at, (size_t)(end - at));
    if (length == 0)
      return false;
    at += length;
  }
  return true;
}

/* Spaces to yajl, but not to JSON, nor to the script's parser. */
static bool has_odd_space(const char *body, size_t size) {
  return memchr(body, '\f', size) != NULL || memchr(body, '\v', size) != NULL;
}

/* yajl takes a quote behind the value for the beginning of what has not arrived yet. */
static bool is_blank(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (memchr(" \t\r\n", text[i], 4) == NULL)
      return false;
  return true;
}

static bool parse(yajl_handle parser, const char *body, size_t size) {
  yajl_config(parser, yajl_allow_trailing_garbage, 1);
  yajl_config(parser, yajl_dont_validate_strings, 1); /* is_utf8 is stricter */
  if (yajl_parse(parser, (const unsigned char *)body, size) != yajl_status_ok)
    return false;
  size_t end = yajl_get_bytes_consumed(parser);
  return yajl_complete_parse(parser) == yajl_status_ok && is_blank(body + end, size - end) &&
         !has_odd_space(body, size) && is_utf8(body, size);
}

bool webhook_body_read(const char *body, size_t size, webhook_fields *fields, char *reason,
                       size_t reason_size) {
  reader r = {.out = fields};
  memset(fields, 0, sizeof *fields);
  yajl_handle parser = yajl_alloc(&callbacks, NULL, &r);
  if (parser == NULL) {
    snprintf(reason, reason_size, "out of memory");
    return false;
  }
  bool whole = parse(parser, body, size);
  yajl_free(parser);
  const char *refusal = r.refusal;
  if (refusal == NULL && !whole)
    refusal = "the body is not JSON";
  if (refusal == NULL && has_half_pair(body, size))
    refusal = "the body has half a surrogate pair";
  if (refusal == NULL && fields->action[0] == '\0')
    refusal = "the body has no data.webhook_action";
  if (refusal != NULL)
    snprintf(reason, reason_size, "%s", refusal);
  return refusal == NULL;
}
