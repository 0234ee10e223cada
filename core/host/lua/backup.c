/* host.backup: makes a backup of a database, and a database of a backup. */
#include "module.h"
#include "visitor.h"

#include "store/event_admin.h"

static int push_progress(lua_State *L) {
  const event_backup_report *report = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_pushinteger(L, report->copied);
  lua_pushinteger(L, report->pages);
  lua_call(L, 2, 0);
  return 0;
}

/* What the function raises ends it. */
static bool on_progress(void *context, const event_backup_report *report) {
  return visit(context, push_progress, report);
}

/* host.backup.create(path, file, overwrites, each) → true | nil, message. Calls
 * each(pages copied, of how many) at least every 100 ms; an error of it ends the work, and is
 * raised. */
static int create(lua_State *L) {
  host_error error;
  event_backup_report report;
  store_visitor visitor = {.L = L, .function = 4};
  const char *path = luaL_checkstring(L, 1), *file = luaL_checkstring(L, 2);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  lua_settop(L, 4);
  bool overwrites = lua_toboolean(L, 3);
  bool ok = event_store_backup(path, file, overwrites, on_progress, &visitor, &report, &error);
  return end_visits(L, &visitor, ok, &error);
}

/* host.backup.restore(file, path, each) → {events=, last_id=} | nil, message; `each` as above */
static int restore(lua_State *L) {
  host_error error;
  event_restore_report report;
  store_visitor visitor = {.L = L, .function = 3};
  const char *file = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  bool ok = event_store_restore(file, path, on_progress, &visitor, &report, &error);
  int results = end_visits(L, &visitor, ok, &error);
  if (ok) {
    lua_createtable(L, 0, 2);
    set_integer(L, "events", report.events);
    set_integer(L, "last_id", report.last_id);
  }
  return results;
}

void lua_open_backup(lua_State *L) {
  static const luaL_Reg functions[] = {{"create", create}, {"restore", restore}, {NULL, NULL}};
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "backup");
}
