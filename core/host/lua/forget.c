/* host.forget: finds what is stored of a person, removes it, and looks for what is left. */
#include "module.h"
#include "visitor.h"

#include "palenca.h"
#include "store/event_admin.h"

#include <string.h>
#include <sys/resource.h>

#define NICENESS 10    /* of a process that forgets, beside the one that serves */
#define USER_SIZE 1024 /* a longer id is nobody's */

/* host.forget.lower_priority(): the process that serves, and its handlers, come before this one
 * where there are too few processors. */
static int lower_priority(lua_State *L) {
  (void)L;
  (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICENESS);
  return 0;
}

/* ---- Lists of texts ---- */

typedef struct {
  size_t count;
  event_search_text items[];
} text_list;

/* Pushes a list of the strings of a table, which has to stay where it is; each has `min` bytes. */
static const text_list *push_texts(lua_State *L, int table, size_t min) {
  luaL_checktype(L, table, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, table);
  text_list *list = lua_newuserdatauv(L, sizeof *list + count * sizeof list->items[0], 0);
  list->count = count;
  for (size_t i = 0; i < count; i++) {
    event_search_text *text = &list->items[i];
    lua_rawgeti(L, table, (lua_Integer)i + 1);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, table, "a list of strings");
    text->data = lua_tolstring(L, -1, &text->size);
    luaL_argcheck(L, text->size >= min, table, "too short");
    lua_pop(L, 1);
  }
  return list;
}

static bool is_one_of(const text_list *list, const char *text) {
  size_t size = text != NULL ? strlen(text) : 0;
  for (size_t i = 0; size > 0 && i < list->count; i++) {
    if (list->items[i].size == size && memcmp(list->items[i].data, text, size) == 0) {
      return true;
    }
  }
  return false;
}

static bool contains(const char *data, size_t size, const event_search_text *text) {
  return data != NULL && size >= text->size && memmem(data, size, text->data, text->size) != NULL;
}

static bool text_contains(const char *whole, const event_search_text *text) {
  return whole != NULL && contains(whole, strlen(whole), text);
}

static bool has_one_of(const text_list *list, const event_summary *event) {
  for (size_t i = 0; i < list->count; i++) {
    const event_search_text *text = &list->items[i];
    if (contains(event->body, event->body_size, text) || text_contains(event->error, text) ||
        text_contains(event->attempts_text, text) || text_contains(event->account_id, text)) {
      return true;
    }
  }
  return false;
}

/* ---- Finding events ---- */

typedef struct {
  store_visitor visitor; /* first */
  event_search_text user;
  const text_list *accounts, *texts;
  char found_user[USER_SIZE]; /* whom the event that was selected last names; or empty */
} event_search;

/* Returns whether it is a webhook; else who is in its text counts. */
static bool read_user(event_search *search, const event_summary *event) {
  palenca_webhook_text fields[PALENCA_WEBHOOK_FIELDS];
  palenca_error error;
  search->found_user[0] = '\0';
  if (palenca_webhook_scan(event->body, event->body_size, fields, &error)) {
    const palenca_webhook_text *user = &fields[PALENCA_WEBHOOK_USER_ID];
    if (user->text != NULL && user->decoded_size < USER_SIZE) {
      palenca_webhook_decode(user, search->found_user);
    }
    return true;
  }
  if (search->user.data != NULL && search->user.size < USER_SIZE &&
      contains(event->body, event->body_size, &search->user)) {
    memcpy(search->found_user, search->user.data, search->user.size + 1);
  }
  return false;
}

static bool selects(void *context, const event_summary *event) {
  event_search *search = context;
  bool is_webhook = read_user(search, event);
  return (!is_webhook && has_one_of(search->accounts, event)) ||
         (search->user.data != NULL && strcmp(search->found_user, search->user.data) == 0) ||
         is_one_of(search->accounts, event->account_id) || has_one_of(search->texts, event);
}

typedef struct {
  const event_search *search;
  const event_summary *event;
} found_event;

static int push_event(lua_State *L) {
  const found_event *found = lua_touserdata(L, 1);
  const event_summary *event = found->event;
  lua_pushvalue(L, 2);
  lua_createtable(L, 0, 6);
  set_integer(L, "id", event->id);
  set_text(L, "account_id", event->account_id);
  set_text(L, "user_id", found->search->found_user[0] != '\0' ? found->search->found_user : NULL);
  set_text(L, "error", event->error);
  set_text(L, "attempts", event->attempts_text);
  lua_pushlstring(L, event->body, event->body_size);
  lua_setfield(L, -2, "body");
  lua_call(L, 1, 0);
  return 0;
}

static bool each_event(void *context, const event_summary *event) {
  event_search *search = context;
  const found_event found = {.search = search, .event = event};
  return visit(&search->visitor, push_event, &found);
}

/* host.forget.events(path, {after=, user_id=, accounts={id, …}, texts={…}}, each) → the last id
 * that there is | nil, message. Calls each({id=, account_id=, user_id=, error=, attempts= (errors
 * and lines of them), body=}) for those of the user, of an account, or with a text in them. */
static int find_events(lua_State *L) {
  host_error error;
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  lua_getfield(L, 2, "after");
  lua_getfield(L, 2, "user_id");
  lua_getfield(L, 2, "accounts");
  lua_getfield(L, 2, "texts");
  event_search search = {.visitor = {.L = L, .function = 3}};
  search.user.data = luaL_optlstring(L, 5, NULL, &search.user.size);
  search.accounts = push_texts(L, 6, 0);
  search.texts = push_texts(L, 7, EVENT_SEARCH_MIN);
  int64_t last;
  bool ok = event_store_scan(path, luaL_optinteger(L, 4, 0), search.texts->count > 0, selects,
                             each_event, &search, &last, &error);
  int results = end_visits(L, &search.visitor, ok, &error);
  if (ok) {
    lua_pushinteger(L, last);
  }
  return results;
}

/* ---- Removing ---- */

static size_t read_numbers(lua_State *L, int table, int64_t numbers[EVENT_FORGET_MAX]) {
  luaL_checktype(L, table, LUA_TTABLE);
  size_t count = (size_t)lua_rawlen(L, table);
  luaL_argcheck(L, count <= EVENT_FORGET_MAX, table, "too many");
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, table, (lua_Integer)i + 1);
    numbers[i] = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  return count;
}

/* host.forget.remove(path, {event ids}, {decisions' numbers}) → {events=, attempts=, decisions=,
 * running=} | nil, message, the same. Each list has up to host.forget.max. */
static int remove_some(lua_State *L) {
  host_error error;
  event_forget what;
  event_forget_report report;
  const char *path = luaL_checkstring(L, 1);
  what.id_count = read_numbers(L, 2, what.ids);
  what.number_count = read_numbers(L, 3, what.numbers);
  bool ok = event_store_forget(path, &what, &report, &error);
  if (!ok) {
    (void)push_error(L, &error);
  }
  lua_createtable(L, 0, 4);
  set_integer(L, "events", report.events);
  set_integer(L, "attempts", report.attempts);
  set_integer(L, "decisions", report.decisions);
  set_integer(L, "running", report.running);
  return ok ? 1 : 3;
}

/* host.forget.remember(path, account's id | nil, user's id | nil) → true | nil, message */
static int remember(lua_State *L) {
  host_error error;
  if (!event_store_forget_ids(luaL_checkstring(L, 1), luaL_optstring(L, 2, NULL),
                              luaL_optstring(L, 3, NULL), &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* host.forget.overwrite(path) → true | nil, message */
static int overwrite(lua_State *L) {
  host_error error;
  if (!event_store_overwrite(luaL_checkstring(L, 1), &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* host.forget.vacuum(url) → whether the role may, and it is done | nil, message */
static int vacuum(lua_State *L) {
  host_error error;
  bool is_done;
  if (!event_store_vacuum(luaL_checkstring(L, 1), &is_done, &error)) {
    return push_error(L, &error);
  }
  lua_pushboolean(L, is_done);
  return 1;
}

/* ---- Looking for what is left ---- */

typedef struct {
  const char *name;
  int64_t offset;
  size_t which;
} found_text;

static int push_found(lua_State *L) {
  const found_text *found = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_pushstring(L, found->name);
  lua_pushinteger(L, found->offset);
  lua_pushinteger(L, (lua_Integer)found->which + 1);
  lua_call(L, 3, 0);
  return 0;
}

static void each_text(void *context, const char *name, int64_t offset, size_t which) {
  store_visitor *visitor = context;
  const found_text found = {.name = name, .offset = offset, .which = which};
  if (!visitor->failed) {
    (void)visit(visitor, push_found, &found);
  }
}

/* host.forget.search(path, {text, …}, each) → {files=, bytes=, found=} | nil, message. Calls
 * each(file's name, offset, which of the texts); at a server the files are tables, and it calls
 * each(table.column, rows, which of the texts). */
static int search(lua_State *L) {
  host_error error;
  event_search_report report;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  const text_list *texts = push_texts(L, 2, EVENT_SEARCH_MIN);
  bool ok =
      event_store_search(path, texts->items, texts->count, each_text, &visitor, &report, &error);
  int results = end_visits(L, &visitor, ok, &error);
  if (ok) {
    lua_createtable(L, 0, 3);
    set_integer(L, "files", report.files);
    set_integer(L, "bytes", report.bytes);
    set_integer(L, "found", report.found);
  }
  return results;
}

static int push_compressed(lua_State *L) {
  const event_compressed *found = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_pushstring(L, found->is_decision ? "decisions" : "responses");
  lua_pushinteger(L, found->id);
  lua_pushboolean(L, found->is_damaged);
  lua_call(L, 3, 0);
  return 0;
}

static void each_compressed(void *context, const event_compressed *found) {
  store_visitor *visitor = context;
  if (!visitor->failed) {
    (void)visit(visitor, push_compressed, found);
  }
}

/* host.forget.search_compressed(path, {text, …}, each) → true | nil, message. Calls
 * each("responses", event's id, is_damaged) or each("decisions", number, is_damaged). */
static int search_compressed(lua_State *L) {
  host_error error;
  store_visitor visitor = {.L = L, .function = 3};
  const char *path = luaL_checkstring(L, 1);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  const text_list *texts = push_texts(L, 2, EVENT_SEARCH_MIN);
  bool ok = event_store_search_compressed(path, texts->items, texts->count, each_compressed,
                                          &visitor, &error);
  return end_visits(L, &visitor, ok, &error);
}

void lua_open_forget(lua_State *L) {
  static const luaL_Reg functions[] = {{"lower_priority", lower_priority},
                                       {"events", find_events},
                                       {"remove", remove_some},
                                       {"remember", remember},
                                       {"overwrite", overwrite},
                                       {"vacuum", vacuum},
                                       {"search", search},
                                       {"search_compressed", search_compressed},
                                       {NULL, NULL}};
  luaL_newlib(L, functions);
  set_integer(L, "max", EVENT_FORGET_MAX);
  set_integer(L, "min_size", EVENT_SEARCH_MIN);
  lua_setfield(L, -2, "forget");
}
