/* Makes the pure parts of core/client/protocol Lua functions: checks of URLs and headers, escaping,
 * retries, paging, webhook signatures, the scan of a webhook's body; and escaping for terminals. */
#include "compat.h"
#include "core.h"
#include "palenca.h"
#include "terminal_escape.h"

#include <math.h>
#include <string.h>

#define PAGING_TYPE "palenca.paging"
#define BUFFER_TYPE "palenca.buffer"

static int push_verdict(lua_State *L, int ok, const palenca_error *error) {
  if (ok) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, error->message);
  return 2;
}

/* core.check_base_url(url, allow_http) → true | nil, message */
static int check_base_url(lua_State *L) {
  palenca_error error = {0};
  size_t size;
  const char *url = luaL_checklstring(L, 1, &size);
  if (strlen(url) != size) {
    lua_pushnil(L);
    lua_pushliteral(L, "base URL must not hold a zero byte");
    return 2;
  }
  return push_verdict(L, palenca_base_url_check(url, lua_toboolean(L, 2), &error), &error);
}

/* core.check_url(url) → true | nil, message */
static int check_url(lua_State *L) {
  palenca_error error = {0};
  size_t size;
  const char *url = luaL_checklstring(L, 1, &size);
  if (strlen(url) != size) {
    lua_pushnil(L);
    lua_pushliteral(L, "url must not hold a zero byte");
    return 2;
  }
  return push_verdict(L, palenca_url_check(url, &error), &error);
}

/* core.check_header(name, value) → true | nil, message */
static int check_header(lua_State *L) {
  palenca_error error = {0};
  size_t name_size, value_size;
  const char *name = luaL_checklstring(L, 1, &name_size);
  const char *value = luaL_checklstring(L, 2, &value_size);
  if (strlen(name) != name_size) {
    lua_pushnil(L);
    lua_pushliteral(L, "a header's name must not hold a zero byte");
    return 2;
  }
  return push_verdict(L, palenca_header_check(name, value, value_size, &error), &error);
}

/* core.check_path(path) → true | nil, message */
static int check_path(lua_State *L) {
  palenca_error error = {0};
  size_t size;
  const char *path = luaL_checklstring(L, 1, &size);
  return push_verdict(L, palenca_path_check(path, size, &error), &error);
}

static int buffer_gc(lua_State *L) {
  palenca_buffer_free(luaL_checkudata(L, 1, BUFFER_TYPE));
  return 0;
}

/* core.escape(segment) → the segment, percent-encoded | nil, message */
static int escape(lua_State *L) {
  palenca_error error = {0};
  size_t size;
  const char *segment = luaL_checklstring(L, 1, &size);
  palenca_buffer *buffer = lua_newuserdata(L, sizeof *buffer);
  memset(buffer, 0, sizeof *buffer);
  compat_set_metatable(L, BUFFER_TYPE);
  if (!palenca_segment_escape(segment, size, buffer, &error)) {
    return push_verdict(L, 0, &error);
  }
  lua_pushlstring(L, buffer->data, buffer->size);
  palenca_buffer_free(buffer);
  return 1;
}

/* core.status_kind(status) → an error's kind | nil */
static int status_kind(lua_State *L) {
  const char *name = palenca_kind_name(palenca_status_kind((int)luaL_checkinteger(L, 1)));
  if (name == NULL) {
    lua_pushnil(L);
  } else {
    lua_pushstring(L, name);
  }
  return 1;
}

/* ---- retries -------------------------------------------------------------------- */

static lua_Number attempt_field(lua_State *L, const char *name, lua_Number fallback) {
  lua_getfield(L, 1, name);
  lua_Number value = luaL_optnumber(L, -1, fallback);
  lua_pop(L, 1);
  return value;
}

static bool attempt_flag(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  bool is_set = lua_toboolean(L, -1) != 0;
  lua_pop(L, 1);
  return is_set;
}

static palenca_kind attempt_kind(lua_State *L) {
  lua_getfield(L, 1, "kind");
  const char *wanted = luaL_optstring(L, -1, "");
  palenca_kind kind = PALENCA_OK;
  for (int i = PALENCA_OK + 1; palenca_kind_name((palenca_kind)i) != NULL; i++) {
    if (strcmp(palenca_kind_name((palenca_kind)i), wanted) == 0) {
      kind = (palenca_kind)i;
    }
  }
  lua_pop(L, 1);
  return kind;
}

/* core.retry_wait{number=, max_retries=, idempotent=, sent=, kind=, status=, retry_after=}
 * → seconds until an attempt is repeated, as the engine decides it, with the jitter of
 * `random`, a whole number | nil: it is not. For those who stand in for the engine. */
static int retry_wait(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Number retry_after = attempt_field(L, "retry_after", -1);
  palenca_attempt attempt = {
      .number = (int)attempt_field(L, "number", 1),
      .kind = attempt_kind(L),
      .status = (int)attempt_field(L, "status", 0),
      .sent = attempt_flag(L, "sent"),
      .idempotent = attempt_flag(L, "idempotent"),
      .max_retries = (int)attempt_field(L, "max_retries", 0),
      .retry_after_ms = retry_after < 0 ? -1 : (int64_t)(retry_after * 1000),
      .window_left_ms = -1,
  };
  palenca_decision decision =
      palenca_retry_decide(&attempt, (uint64_t)attempt_field(L, "random", 0));
  if (decision.retry) {
    lua_pushnumber(L, (lua_Number)decision.wait_ms / 1000);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* ---- pages ---------------------------------------------------------------------- */

/* core.paging(window) */
static int paging_new(lua_State *L) {
  lua_Integer window = luaL_checkinteger(L, 1);
  palenca_paging *paging = lua_newuserdata(L, sizeof *paging);
  palenca_paging_init(paging, (int64_t)window);
  compat_set_metatable(L, PAGING_TYPE);
  return 1;
}

/* paging:next() → page to ask for | nil */
static int paging_next(lua_State *L) {
  int64_t page = palenca_paging_next(luaL_checkudata(L, 1, PAGING_TYPE));
  if (page == 0) {
    lua_pushnil(L);
  } else {
    lua_pushinteger(L, (lua_Integer)page);
  }
  return 1;
}

/* paging:set_window(window) */
static int paging_set_window(lua_State *L) {
  palenca_paging *paging = luaL_checkudata(L, 1, PAGING_TYPE);
  paging->window = (int64_t)luaL_checkinteger(L, 2);
  return 0;
}

/* -1 for what is no count: another type, a fraction, more than there can be. */
static int64_t info_field(lua_State *L, int table, const char *name) {
  lua_getfield(L, table, name);
  lua_Number value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
  lua_pop(L, 1);
  return value >= 0 && value <= 1e15 && value == floor(value) ? (int64_t)value : -1;
}

/* paging:accept(pagination, rows) → true | nil, reason */
static int paging_accept(lua_State *L) {
  palenca_paging *paging = luaL_checkudata(L, 1, PAGING_TYPE);
  luaL_checktype(L, 2, LUA_TTABLE);
  palenca_page_info info = {
      .page = info_field(L, 2, "page"),
      .items_per_page = info_field(L, 2, "items_per_page"),
      .total_items = info_field(L, 2, "total_items"),
      .total_pages = info_field(L, 2, "total_pages"),
  };
  palenca_page_verdict verdict =
      palenca_paging_accept(paging, &info, (int64_t)luaL_checkinteger(L, 3));
  if (verdict == PALENCA_PAGE_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, palenca_page_verdict_text(verdict));
  return 2;
}

static int paging_complete(lua_State *L) {
  lua_pushboolean(L, palenca_paging_complete(luaL_checkudata(L, 1, PAGING_TYPE)));
  return 1;
}

/* paging:totals() → rows accepted, total_items, total_pages, items_per_page */
static int paging_totals(lua_State *L) {
  const palenca_paging *paging = luaL_checkudata(L, 1, PAGING_TYPE);
  lua_pushinteger(L, (lua_Integer)paging->rows);
  lua_pushinteger(L, (lua_Integer)paging->total_items);
  lua_pushinteger(L, (lua_Integer)paging->total_pages);
  lua_pushinteger(L, (lua_Integer)paging->items_per_page);
  return 4;
}

/* ---- signatures ------------------------------------------------------------------- */

static const char *option(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  const char *text = NULL;
  if (lua_type(L, -1) == LUA_TSTRING) {
    text = lua_tostring(L, -1);
  } else if (!lua_isnil(L, -1)) {
    luaL_error(L, "signature option '%s' must be a string", name);
  }
  lua_pop(L, 1);
  return text;
}

static palenca_signature_options signature_options(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  return (palenca_signature_options){
      .digest = option(L, "digest"),
      .encoding = option(L, "encoding"),
      .prefix = option(L, "prefix"),
  };
}

/* core.sign(options, secret, body) → text | nil, message */
static int sign(lua_State *L) {
  palenca_error error = {0};
  char out[PALENCA_SIGNATURE_MAX];
  size_t secret_size, body_size;
  palenca_signature_options options = signature_options(L);
  const char *secret = luaL_checklstring(L, 2, &secret_size);
  const char *body = luaL_checklstring(L, 3, &body_size);
  if (!palenca_signature_make(&options, secret, secret_size, body, body_size, out, &error)) {
    return push_verdict(L, 0, &error);
  }
  lua_pushstring(L, out);
  return 1;
}

/* core.check_signature(options, secret, body, signature) → true | nil, message */
static int check_signature(lua_State *L) {
  palenca_error error = {0};
  size_t secret_size, body_size, size;
  palenca_signature_options options = signature_options(L);
  const char *secret = luaL_checklstring(L, 2, &secret_size);
  const char *body = luaL_checklstring(L, 3, &body_size);
  const char *signature = luaL_checklstring(L, 4, &size);
  bool ok = palenca_signature_check(&options, secret, secret_size, body, body_size, signature, size,
                                    &error);
  return push_verdict(L, ok, &error);
}

/* ---- webhook bodies ------------------------------------------------------------------ */

static const char *const webhook_fields[PALENCA_WEBHOOK_FIELDS] = {
    [PALENCA_WEBHOOK_ACTION] = "action",
    [PALENCA_WEBHOOK_ACCOUNT_ID] = "account_id",
    [PALENCA_WEBHOOK_USER_ID] = "user_id",
    [PALENCA_WEBHOOK_EXTERNAL_ID] = "external_id",
    [PALENCA_WEBHOOK_PLATFORM] = "platform",
    [PALENCA_WEBHOOK_STATUS_DETAILS] = "status_details",
    [PALENCA_WEBHOOK_WEBHOOK_ID] = "webhook_id",
};

/* It is decoded into a userdata, so that it is freed if there is no memory for the string. */
static void push_webhook_text(lua_State *L, const palenca_webhook_text *text) {
  if (text->decoded_size == text->size) {
    lua_pushlstring(L, text->text, text->size);
    return;
  }
  char *decoded = lua_newuserdata(L, text->decoded_size + 1);
  palenca_webhook_decode(text, decoded);
  lua_pushlstring(L, decoded, text->decoded_size);
  lua_remove(L, -2);
}

/* core.scan_webhook(body) → action, account_id, user_id, external_id, platform, status_details and
 * webhook_id, those of them that its data has, in a table | nil, message */
static int scan_webhook(lua_State *L) {
  palenca_error error = {0};
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  size_t size;
  const char *body = luaL_checklstring(L, 1, &size);
  if (!palenca_webhook_scan(body, size, fields, &error)) {
    return push_verdict(L, 0, &error);
  }
  lua_createtable(L, 0, PALENCA_WEBHOOK_FIELDS + 6); /* and what who calls this adds */
  for (int i = 0; i < PALENCA_WEBHOOK_FIELDS; i++) {
    if (fields[i].text != NULL) {
      push_webhook_text(L, &fields[i]);
      lua_setfield(L, -2, webhook_fields[i]);
    }
  }
  return 1;
}

/* core.terminal_escape(text, "line" | "lines" | "json") → the text with what a terminal would
 * interpret escaped */
static int escape_for_terminal(lua_State *L) {
  static const char *const names[] = {"line", "lines", "json", NULL};
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  terminal_form form = (terminal_form)luaL_checkoption(L, 2, "line", names);
  size_t needed = 0;
  while (needed < size && text[needed] >= ' ' && text[needed] < 0x7f) {
    needed++;
  }
  lua_settop(L, 1);
  if (needed == size) { /* nearly all texts */
    return 1;
  }
  needed = terminal_escape(text, size, form, NULL);
  char *escaped = lua_newuserdata(L, needed);
  terminal_escape(text, size, form, escaped);
  lua_pushlstring(L, escaped, needed);
  return 1;
}

static const luaL_Reg paging_methods[] = {
    {"next", paging_next},         {"set_window", paging_set_window}, {"accept", paging_accept},
    {"complete", paging_complete}, {"totals", paging_totals},         {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"check_base_url", check_base_url},
    {"check_url", check_url},
    {"check_header", check_header},
    {"check_path", check_path},
    {"escape", escape},
    {"status_kind", status_kind},
    {"retry_wait", retry_wait},
    {"paging", paging_new},
    {"sign", sign},
    {"check_signature", check_signature},
    {"scan_webhook", scan_webhook},
    {"terminal_escape", escape_for_terminal},
    {NULL, NULL},
};

void core_open_protocol(lua_State *L) {
  if (luaL_newmetatable(L, PAGING_TYPE)) {
    lua_createtable(L, 0, 5);
    compat_set_functions(L, paging_methods);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
  if (luaL_newmetatable(L, BUFFER_TYPE)) {
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
  compat_set_functions(L, functions);
}
